// SPDX-License-Identifier: MIT
/* Which clock the wall clock is set from. The clocks are files, and what is read of them is played. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "set-clock.h"

#define NOW 1700000000

static struct {
	/* What the clocks say; 0: the call fails. */
	time_t ptp, rtc, wall;
	int cannot_set;
	/* What was set, and how often. */
	struct timespec set;
	unsigned int sets;
} world;

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (clock == CLOCK_REALTIME && world.wall) {
		*ts = (struct timespec){ .tv_sec = world.wall };
		return 0;
	}
	/* That of a descriptor. */
	if ((clock & 7) != 3)
		return __real_clock_gettime(clock, ts);
	ck_assert_int_ge(
		fcntl((int)~((unsigned int)clock >> 3 | 7u << 29), F_GETFD), 0);
	*ts = (struct timespec){ .tv_sec = world.ptp, .tv_nsec = 5 };
	errno = EOPNOTSUPP;
	return world.ptp ? 0 : -1;
}

int __wrap_clock_settime(clockid_t clock, const struct timespec *ts);
int __wrap_clock_settime(clockid_t clock, const struct timespec *ts)
{
	ck_assert_int_eq(clock, CLOCK_REALTIME);
	errno = EPERM;
	if (world.cannot_set)
		return -1;
	world.set = *ts;
	world.sets++;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct rtc_time *rtc;
	struct tm tm;
	va_list args;

	(void)fd;
	ck_assert_uint_eq(request, RTC_RD_TIME);
	va_start(args, request);
	rtc = va_arg(args, struct rtc_time *);
	va_end(args);
	errno = EINVAL;
	if (!world.rtc)
		return -1;
	gmtime_r(&world.rtc, &tm);
	*rtc = (struct rtc_time){
		.tm_sec = tm.tm_sec,
		.tm_min = tm.tm_min,
		.tm_hour = tm.tm_hour,
		.tm_mday = tm.tm_mday,
		.tm_mon = tm.tm_mon,
		.tm_year = tm.tm_year,
	};
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void add_ptp(const char *clock, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), PTP_CLASS "/%s", clock);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), PTP_CLASS "/%s/clock_name", clock);
	write_file(path, name);
	snprintf(path, sizeof(path), PTP_DEVICES "/%s", clock);
	write_file(path, "");
}

static void setup(void)
{
	char command[1024];

	memset(&world, 0, sizeof(world));
	snprintf(command, sizeof(command),
		 "rm -rf '" PTP_CLASS "' '" PTP_DEVICES
		 "'; mkdir -p '" PTP_CLASS "' '" PTP_DEVICES "'");
	ck_assert_int_eq(system(command), 0);
}

static char why[256];

static int set(int64_t host_ns, uint64_t age_ns)
{
	return set_clock(host_ns, age_ns, why, sizeof(why));
}

START_TEST(host_counts_first_and_what_it_said_ages)
{
	add_ptp("ptp0", "ptp_vmclock\n");
	world.ptp = NOW + 100;
	ck_assert_int_eq(set(NOW * 1000000000ll + 900000000, 200000000), 0);
	ck_assert_int_eq(world.set.tv_sec, NOW + 1);
	ck_assert_int_eq(world.set.tv_nsec, 100000000);
}
END_TEST

START_TEST(vmclock_counts_before_another_clock_and_the_rtc)
{
	static const struct {
		const char *first, *second;
		time_t expected;
	} cases[] = {
		{ "ptp_vmclock\n", NULL, NOW },
		{ "vmclock0\n", NULL, NOW },
		{ "KVM virtual PTP\n", NULL, NOW },
		{ "hyperv\n", NULL, NOW },
		/* Of a network card. */
		{ "mlx5_ptp\n", NULL, NOW + 50 },
		{ "mlx5_ptp\n", "hyperv\n", NOW },
	};

	write_file(RTC_DEVICE, "");
	world.rtc = NOW + 50;
	world.ptp = NOW;
	add_ptp("ptp0", cases[_i].first);
	if (cases[_i].second)
		add_ptp("ptp1", cases[_i].second);
	ck_assert_int_eq(set(0, 0), 0);
	ck_assert_int_eq(world.set.tv_sec, cases[_i].expected);
	ck_assert_uint_eq(world.sets, 1);
}
END_TEST

START_TEST(clock_that_cannot_be_read_is_passed_over)
{
	add_ptp("ptp0", "ptp_vmclock\n");
	write_file(RTC_DEVICE, "");
	world.rtc = NOW;
	ck_assert_int_eq(set(0, 0), 0);
	ck_assert_int_eq(world.set.tv_sec, NOW);
}
END_TEST

START_TEST(rtc_of_whole_seconds_sets_no_better_clock_back)
{
	write_file(RTC_DEVICE, "");
	world.rtc = world.wall = NOW;
	ck_assert_int_eq(set(0, 0), 0);
	ck_assert_uint_eq(world.sets, 0);
	world.wall = NOW - 1;
	ck_assert_int_eq(set(0, 0), 0);
	ck_assert_uint_eq(world.sets, 1);
}
END_TEST

START_TEST(rtc_in_local_time_is_read_as_such)
{
	setenv("TZ", "XYZ-2", 1);
	tzset();
	write_file(RTC_DEVICE, "");
	write_file(ADJTIME, "0.0 0 0.0\n0\nLOCAL\n");
	world.rtc = NOW;
	ck_assert_int_eq(set(0, 0), 0);
	ck_assert_int_eq(world.set.tv_sec, NOW - 7200);
}
END_TEST

START_TEST(nothing_to_set_from_is_no_success)
{
	ck_assert_int_eq(set(0, 0), -ENODEV);
	ck_assert_ptr_nonnull(strstr(why, "neither the host"));
	write_file(RTC_DEVICE, "");
	ck_assert_int_eq(set(0, 0), -EINVAL);
	/* One without a battery. */
	world.rtc = 3600;
	ck_assert_int_eq(set(0, 0), -ERANGE);
	ck_assert_uint_eq(world.sets, 0);
	world.cannot_set = 1;
	ck_assert_int_eq(set(NOW * 1000000000ll, 0), -EPERM);
	ck_assert_str_eq(why, "the host");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("set-clock");
	TCase *tcase = tcase_create("clock");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, host_counts_first_and_what_it_said_ages);
	tcase_add_loop_test(
		tcase, vmclock_counts_before_another_clock_and_the_rtc, 0, 6);
	tcase_add_test(tcase, clock_that_cannot_be_read_is_passed_over);
	tcase_add_test(tcase, rtc_of_whole_seconds_sets_no_better_clock_back);
	tcase_add_test(tcase, rtc_in_local_time_is_read_as_such);
	tcase_add_test(tcase, nothing_to_set_from_is_no_success);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
