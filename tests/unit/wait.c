// SPDX-License-Identifier: MIT
/* sysgenid_wait(): whenever the new generation comes, it is seen. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>

#include "../../lib/internal.h"
#include "fake.h"
#include "suite.h"

static struct sysgenid *g;
static uint32_t generation;

static void reopen(void)
{
	sysgenid_close(g);
	ck_assert_int_eq(sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH,
					     FAKE_FOLDER, 0),
			 0);
	generation = 77;
}

static void setup(void)
{
	fake_start();
	g = NULL;
	reopen();
}

static int64_t now_ms(void)
{
	return fake.now_ns / 1000000;
}

START_TEST(seen_is_old)
{
	ck_assert_int_eq(sysgenid_wait(g, 4, -1, &generation), 0);
	ck_assert_uint_eq(generation, 5);
	ck_assert_int_eq(sysgenid_wait(g, 6, 0, &generation), 0);
	ck_assert_uint_eq(generation, 5);
	ck_assert_uint_eq(fake.count[FAKE_POLL], 0);
	ck_assert_int_eq(sysgenid_wait(g, 4, -1, NULL), -EINVAL);
}
END_TEST

START_TEST(only_looks)
{
	ck_assert_int_eq(sysgenid_wait(g, 5, 0, &generation), -ETIMEDOUT);
	ck_assert_uint_eq(generation, 77);
	ck_assert_uint_eq(fake.count[FAKE_POLL], 0);
	fake_publish();
	ck_assert_int_eq(sysgenid_wait(g, 5, 0, &generation), 0);
	ck_assert_uint_eq(generation, 6);
}
END_TEST

/* Not a moment less than was asked for, and hardly more. */
START_TEST(time_is_up)
{
	static const int times[] = { 1, 2, 1000, INT_MAX - 1, INT_MAX };

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		/* The next millisecond begins after the first look. */
		const int64_t start = 999999;
		int64_t slept;

		fake.now_ns = start;
		ck_assert_int_eq(sysgenid_wait(g, 5, times[i], &generation),
				 -ETIMEDOUT);
		slept = fake.now_ns - start;
		ck_assert_int_ge(slept, (int64_t)times[i] * 1000000);
		ck_assert_int_le(slept, (int64_t)times[i] * 1000000 + 2000000);
	}
}
END_TEST

static bool publish_asleep(int timeout_ms)
{
	(void)timeout_ms;
	fake.asleep = NULL;
	fake_publish();
	return false;
}

START_TEST(comes_while_asleep)
{
	fake.asleep = publish_asleep;
	ck_assert_int_eq(sysgenid_wait(g, 5, -1, &generation), 0);
	ck_assert_uint_eq(generation, 6);
	ck_assert_uint_eq(fake.count[FAKE_POLL], 1);
}
END_TEST

static unsigned int publish_at, seen_calls;

static void publish_before(enum fake_call call)
{
	(void)call;
	if (++seen_calls == publish_at)
		fake_publish();
}

/* Before each of the calls that a wait is made of. */
static void comes_before_each_of(unsigned int calls)
{
	for (publish_at = 1; publish_at <= calls; publish_at++) {
		uint32_t seen = fake.page->generation;

		reopen();
		seen_calls = 0;
		fake.before = publish_before;
		ck_assert_int_eq(sysgenid_wait(g, seen, -1, &generation), 0);
		ck_assert_uint_eq(generation, seen + 1);
		fake.before = NULL;
	}
}

START_TEST(comes_between_calls)
{
	/* SYSGENID_GET, the confirmation, poll(2). */
	comes_before_each_of(3);
	fake.open_rw_errno = EACCES;
	comes_before_each_of(3);
}
END_TEST

/* The file that the program polls and confirms is none of our business. */
START_TEST(does_not_confirm_for_the_program)
{
	int fd = sysgenid_get_fd(g);

	fake_publish();
	ck_assert_int_eq(sysgenid_wait(g, 6, 1, &generation), -ETIMEDOUT);
	ck_assert_uint_eq(fake_confirmed(fd), 5);
	fake.asleep = publish_asleep;
	ck_assert_int_eq(sysgenid_wait(g, 6, -1, &generation), 0);
	ck_assert_uint_eq(generation, 7);
	ck_assert_uint_eq(fake_confirmed(fd), 5);
}
END_TEST

/* Without write access, too, and however often. */
START_TEST(sleeps_again)
{
	for (int read_only = 0; read_only < 2; read_only++) {
		fake.open_rw_errno = read_only ? EACCES : 0;
		reopen();
		for (int i = 0; i < 10; i++) {
			uint32_t seen = fake.page->generation;
			unsigned int polls = fake.count[FAKE_POLL];

			fake.asleep = publish_asleep;
			ck_assert_int_eq(
				sysgenid_wait(g, seen, -1, &generation), 0);
			ck_assert_uint_eq(generation, seen + 1);
			ck_assert_uint_eq(fake.count[FAKE_POLL], polls + 1);
		}
	}
}
END_TEST

static bool signal_asleep(int timeout_ms)
{
	(void)timeout_ms;
	return true;
}

START_TEST(signal_comes)
{
	fake.asleep = signal_asleep;
	ck_assert_int_eq(sysgenid_wait(g, 5, -1, &generation), -EINTR);
	ck_assert_uint_eq(generation, 77);
}
END_TEST

static void become_old_driver(void)
{
	fake.old_driver = true;
	fake.page->magic = 0;
	fake.page->size = 0;
	reopen();
}

START_TEST(old_driver)
{
	become_old_driver();
	comes_before_each_of(2);
	fake.asleep = publish_asleep;
	ck_assert_int_eq(
		sysgenid_wait(g, fake.page->generation, -1, &generation), 0);
	ck_assert_int_eq(sysgenid_wait(g, generation, 50, &generation),
			 -ETIMEDOUT);
}
END_TEST

static int longest_ms;

static bool publish_late(int timeout_ms)
{
	if (timeout_ms > longest_ms)
		longest_ms = timeout_ms;
	if (now_ms() > 200) {
		fake_publish();
		fake.asleep = NULL;
	}
	return false;
}

/* Nothing wakes it: it must never sleep for long. */
START_TEST(old_driver_read_only)
{
	fake.open_rw_errno = EACCES;
	become_old_driver();
	fake.asleep = publish_late;
	ck_assert_int_eq(sysgenid_wait(g, 5, -1, &generation), 0);
	ck_assert_uint_eq(generation, 6);
	ck_assert_int_gt(longest_ms, 0);
	ck_assert_int_le(longest_ms, 10);
	ck_assert_int_eq(sysgenid_wait(g, 6, 35, &generation), -ETIMEDOUT);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		seen_is_old,	     only_looks,
		time_is_up,	     comes_while_asleep,
		comes_between_calls, does_not_confirm_for_the_program,
		sleeps_again,	     signal_comes,
		old_driver,	     old_driver_read_only,
	};

	return RUN_TESTS("wait", tests, setup);
}
