// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "set-clock.h"

#ifndef PTP_CLASS
#define PTP_CLASS "/sys/class/ptp"
#endif
#ifndef PTP_DEVICES
#define PTP_DEVICES "/dev"
#endif
#ifndef RTC_DEVICE
#define RTC_DEVICE "/dev/rtc0"
#endif
#ifndef ADJTIME
#define ADJTIME "/etc/adjtime"
#endif

#define SECOND 1000000000ll
/* Before 2000 no hypervisor kept a clock: an RTC without a battery says 1970. */
#define FIRST 946684800

/* A network card's PTP clock says what its own oscillator counts. */
static bool is_of_vmclock(const char *name)
{
	return !strcmp(name, "ptp_vmclock") || !strncmp(name, "vmclock", 7);
}

static bool is_of_hypervisor(const char *name)
{
	return !strcmp(name, "KVM virtual PTP") || !strcmp(name, "hyperv");
}

/* False: it has none. */
static bool clock_name(const char *clock, char *name, int size)
{
	char path[512];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), PTP_CLASS "/%s/clock_name", clock);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(name, size, f);
	name[ok ? strcspn(name, "\n") : 0] = 0;
	fclose(f);
	return ok;
}

static int read_ptp(const char *clock, struct timespec *now)
{
	char path[512];
	int fd, r;

	snprintf(path, sizeof(path), PTP_DEVICES "/%s", clock);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* The number of a clock that a descriptor stands for: clock_getres(2). */
	r = clock_gettime((clockid_t)((~(unsigned int)fd << 3) | 3), now) ?
		    -errno :
		    0;
	close(fd);
	return r;
}

/* 1; 0: there is none; or -errno of one that cannot be read. */
static int ask_ptp(bool (*is_wanted)(const char *name), struct timespec *now)
{
	DIR *dir = opendir(PTP_CLASS);
	const struct dirent *entry;
	char name[64];
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (r <= 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    !clock_name(entry->d_name, name, sizeof(name)) ||
		    !is_wanted(name))
			continue;
		r = read_ptp(entry->d_name, now);
		r = r ? r : 1;
	}
	closedir(dir);
	return r;
}

/* As hwclock(8) left word of. */
static bool rtc_is_local(void)
{
	FILE *f = fopen(ADJTIME, "re");
	char line[64];
	bool local = false;

	while (f && fgets(line, sizeof(line), f))
		local = local || !strncmp(line, "LOCAL", 5);
	if (f)
		fclose(f);
	return local;
}

/* ioctl(2) takes an unsigned long in glibc, an int in POSIX and musl. */
#ifdef __GLIBC__
#define READ_RTC RTC_RD_TIME
#else
#define READ_RTC ((int)RTC_RD_TIME)
#endif

static int ask_rtc(struct timespec *now)
{
	const int fd = open(RTC_DEVICE, O_RDONLY | O_CLOEXEC);
	struct rtc_time rtc;
	struct tm tm = { 0 };
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	r = ioctl(fd, READ_RTC, &rtc) ? -errno : 1;
	close(fd);
	if (r < 0)
		return r;
	tm.tm_sec = rtc.tm_sec;
	tm.tm_min = rtc.tm_min;
	tm.tm_hour = rtc.tm_hour;
	tm.tm_mday = rtc.tm_mday;
	tm.tm_mon = rtc.tm_mon;
	tm.tm_year = rtc.tm_year;
	tm.tm_isdst = -1;
	*now = (struct timespec){
		.tv_sec = rtc_is_local() ? mktime(&tm) : timegm(&tm),
	};
	return r;
}

/* The RTC tells whole seconds: a clock that is within this one may be the better one. */
static bool is_within_second(const struct timespec *rtc)
{
	struct timespec now;

	return !clock_gettime(CLOCK_REALTIME, &now) &&
	       now.tv_sec == rtc->tv_sec;
}

static int set(const struct timespec *now, const char *source, char *why,
	       size_t size)
{
	if (now->tv_sec < FIRST) {
		snprintf(why, size, "%s says a time before the year 2000",
			 source);
		return -ERANGE;
	}
	if (!clock_settime(CLOCK_REALTIME, now))
		return 0;
	snprintf(why, size, "%s", source);
	return -errno;
}

int set_clock(int64_t host_ns, uint64_t age_ns, char *why, size_t size)
{
	const int64_t host = host_ns + (int64_t)age_ns;
	struct timespec now = { .tv_sec = host / SECOND,
				.tv_nsec = host % SECOND };
	int r;

	if (host_ns)
		return set(&now, "the host", why, size);
	r = ask_ptp(is_of_vmclock, &now);
	if (r > 0)
		return set(&now, "vmclock", why, size);
	r = ask_ptp(is_of_hypervisor, &now);
	if (r > 0)
		return set(&now, "the hypervisor's PTP clock", why, size);
	r = ask_rtc(&now);
	if (r > 0)
		return is_within_second(&now) ?
			       0 :
			       set(&now, RTC_DEVICE, why, size);
	snprintf(
		why, size,
		"no clock to set the time from: neither the host, nor vmclock, nor a hypervisor's PTP clock, nor " RTC_DEVICE);
	return r ? r : -ENODEV;
}
