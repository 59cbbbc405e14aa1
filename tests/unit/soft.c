// SPDX-License-Identifier: MIT
/* SYSGENID_OPEN_SOFT: which page file is trusted, and what each call makes of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/internal.h"
#include "fake.h"
#include "sandbox.h"
#include "suite.h"

static struct sysgenid *g;

static int open_with(unsigned int flags)
{
	g = (struct sysgenid *)&open_with;
	return sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH, FAKE_FOLDER,
				   flags);
}

static void setup(void)
{
	fake_start();
	fake.open_errno = ENOENT;
	fake.folder.open_errno = 0;
}

static void opened(void)
{
	ck_assert_int_eq(open_with(SYSGENID_OPEN_SOFT), 0);
}

static void closed(void)
{
	sysgenid_close(g);
	ck_assert(fake_is_clean());
}

static void open_gives(int expected)
{
	ck_assert_int_eq(open_with(SYSGENID_OPEN_SOFT), expected);
	ck_assert_ptr_null(g);
	ck_assert(fake_is_clean());
}

START_TEST(only_if_asked_for)
{
	ck_assert_int_eq(open_with(0), -ENOENT);
	ck_assert_int_eq(open_with(SYSGENID_OPEN_SOFT | 2), -EINVAL);
	ck_assert_uint_eq(fake.count[FAKE_OPENAT], 0);
	opened();
	ck_assert_int_eq(fake.open_files, 1);
	ck_assert_int_eq(fake.mappings, 2);
	closed();
	ck_assert_int_eq(sysgenid_open(&g, SYSGENID_OPEN_SOFT), 0);
	closed();
}
END_TEST

START_TEST(module_comes_first)
{
	struct sysgenid_info i;

	fake.open_errno = 0;
	opened();
	ck_assert_uint_eq(fake.count[FAKE_OPENAT], 0);
	ck_assert(sysgenid_is_exact(g));
	ck_assert_int_eq(sysgenid_get_info(g, &i, sizeof(i)), 0);
	ck_assert_uint_eq(i.handle & SYSGENID_HANDLE_SOFT, 0);
	closed();
}
END_TEST

/* A device that is there and fails is not passed over. */
START_TEST(device_that_fails)
{
	static const int errors[] = { EACCES, EPERM, EMFILE, ENOMEM };

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		fake.open_errno = errors[i];
		open_gives(-errors[i]);
	}
	fake.open_errno = 0;
	fake.stranger = true;
	fake.stranger_errno = EPERM;
	open_gives(-EPERM);
	ck_assert_uint_eq(fake.count[FAKE_OPENAT], 0);
	/* Something else by that name is no device. */
	fake.stranger_errno = ENOTTY;
	opened();
	closed();
	fake.stranger = false;
	fake.page->magic++;
	open_gives(-ENODEV);
}
END_TEST

START_TEST(no_page_file)
{
	fake.file.open_errno = ENOENT;
	open_gives(-ENOENT);
	fake.folder.open_errno = ENOENT;
	open_gives(-ENOENT);
	/* What is wrong with the device is told, not that there is no file. */
	fake.open_errno = ENXIO;
	open_gives(-ENODEV);
}
END_TEST

START_TEST(not_openable)
{
	static const struct {
		int error, expected;
	} cases[] = {
		{ ENOTDIR, -ENODEV }, { ELOOP, -ENODEV }, { ENXIO, -ENODEV },
		{ EACCES, -EACCES },  { EPERM, -EPERM },  { EMFILE, -EMFILE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fake.folder.open_errno = cases[i].error;
		open_gives(cases[i].expected);
		fake.folder.open_errno = 0;
		fake.file.open_errno = cases[i].error;
		open_gives(cases[i].expected);
		fake.file.open_errno = 0;
	}
}
END_TEST

static void distrusted(const void *what, size_t size, const void *value)
{
	unsigned char saved[16];

	memcpy(saved, what, size);
	memcpy((void *)(uintptr_t)what, value, size);
	open_gives(-ENODEV);
	memcpy((void *)(uintptr_t)what, saved, size);
	opened();
	closed();
}

#define DISTRUSTED(what, type, value) \
	distrusted(&(what), sizeof(what), &(type){ value })

START_TEST(not_to_be_trusted)
{
	DISTRUSTED(fake.folder.uid, unsigned int, 1000);
	DISTRUSTED(fake.folder.mode, unsigned int, S_IFDIR | 0775);
	DISTRUSTED(fake.folder.mode, unsigned int, S_IFDIR | 0757);
	DISTRUSTED(fake.folder.mode, unsigned int, S_IFDIR | S_ISVTX | 0777);
	DISTRUSTED(fake.file.uid, unsigned int, 1000);
	DISTRUSTED(fake.file.mode, unsigned int, S_IFREG | 0664);
	DISTRUSTED(fake.file.mode, unsigned int, S_IFREG | 0646);
	DISTRUSTED(fake.file.mode, unsigned int, S_IFIFO | 0644);
	DISTRUSTED(fake.file.mode, unsigned int, S_IFBLK | 0644);
	DISTRUSTED(fake.file_system, long, 0xef53);
	DISTRUSTED(fake.file_size, int64_t, 0);
	DISTRUSTED(fake.file_size, int64_t, 63);
	DISTRUSTED(fake.page->magic, uint32_t, 0);
	DISTRUSTED(fake.page->size, uint32_t, 63);
	/* A publisher of the first version. */
	fake.file_size = 64;
	fake.page->size = 64;
	opened();
	closed();
}
END_TEST

START_TEST(publisher_ends)
{
	struct sysgenid_info i;
	uint32_t generation = 77;

	fake.no_publisher = true;
	open_gives(-ENODEV);
	fake.no_publisher = false;
	opened();
	ck_assert_int_eq(sysgenid_read(g, &generation), 0);
	ck_assert_uint_eq(generation, 5);
	fake.no_publisher = true;
	generation = 77;
	ck_assert_int_eq(sysgenid_read(g, &generation), -EOWNERDEAD);
	ck_assert_int_eq(sysgenid_wait(g, 5, -1, &generation), -EOWNERDEAD);
	ck_assert_int_eq(sysgenid_wait(g, 4, 0, &generation), -EOWNERDEAD);
	ck_assert_int_eq(sysgenid_get_info(g, &i, sizeof(i)), -EOWNERDEAD);
	ck_assert_uint_eq(generation, 77);
	closed();
}
END_TEST

static bool ends_asleep(int timeout_ms)
{
	ck_assert_int_gt(timeout_ms, 0);
	fake.no_publisher = true;
	return false;
}

static bool publish_asleep(int timeout_ms)
{
	/* Never longer than the manual says. */
	ck_assert_int_gt(timeout_ms, 0);
	ck_assert_int_le(timeout_ms, 10);
	if (fake.now_ns > 100000000) {
		fake_publish();
		fake.now_ns = 0;
	}
	return false;
}

static bool signal_asleep(int timeout_ms)
{
	(void)timeout_ms;
	return true;
}

START_TEST(wait_looks_now_and_then)
{
	uint32_t generation = 77;

	opened();
	ck_assert_int_eq(sysgenid_wait(g, 5, 0, &generation), -ETIMEDOUT);
	ck_assert_int_eq(sysgenid_wait(g, 5, 35, &generation), -ETIMEDOUT);
	ck_assert_uint_eq(generation, 77);
	ck_assert_int_eq(sysgenid_wait(g, 4, -1, &generation), 0);
	ck_assert_uint_eq(generation, 5);
	fake.asleep = publish_asleep;
	ck_assert_int_eq(sysgenid_wait(g, 5, -1, &generation), 0);
	ck_assert_uint_eq(generation, 6);
	ck_assert_int_eq(sysgenid_wait(g, 6, 1000, &generation), 0);
	ck_assert_uint_eq(generation, 7);
	fake.asleep = signal_asleep;
	ck_assert_int_eq(sysgenid_wait(g, 7, 1000, &generation), -EINTR);
	fake.asleep = ends_asleep;
	ck_assert_int_eq(sysgenid_wait(g, 7, -1, &generation), -EOWNERDEAD);
	closed();
}
END_TEST

START_TEST(takes_a_driver)
{
	struct sysgenid_watcher w;
	unsigned int count = 1;
	uint32_t generation;
	uint64_t cursor = 0;

	opened();
	ck_assert(!sysgenid_is_exact(g));
	ck_assert_int_eq(sysgenid_get_fd(g), -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_confirm(g, 5), -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_track(g, true), -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_declare(g, 5, 0), -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_trigger(g, 5, "x", 1, &generation),
			 -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_wait_watchers(g, 5, 0, NULL, NULL),
			 -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_list_watchers(g, 0, &cursor, &w, sizeof(w),
						&count, NULL),
			 -EOPNOTSUPP);
	ck_assert_int_eq(sysgenid_read(g, NULL), -EINVAL);
	ck_assert_uint_eq(fake.count[FAKE_WRITE], 0);
	ck_assert_uint_eq(fake.count[FAKE_IOCTL], 0);
	closed();
}
END_TEST

START_TEST(check)
{
	const struct sysgenid_view *v;

	opened();
	v = sysgenid_get_view(g);
	ck_assert_ptr_eq(v->hardware_id, v->recorded_id);
	ck_assert(!sysgenid_changed(v, 5));
	fake_publish();
	ck_assert(sysgenid_changed(v, 5));
	ck_assert(!sysgenid_changed(v, 6));
	closed();
}
END_TEST

START_TEST(info)
{
	struct sysgenid_info i;

	fake.page->source = SYSGENID_SOURCE_SOFTWARE;
	fake.page->time = 0x1234567890abcdef;
	opened();
	ck_assert_int_eq(sysgenid_get_info(g, &i, sizeof(i)), 0);
	ck_assert_uint_eq(i.generation, 5);
	ck_assert_uint_eq(i.source, SYSGENID_SOURCE_SOFTWARE);
	ck_assert_uint_eq(i.time, 0x1234567890abcdef);
	ck_assert_uint_eq(i.sources, 1u << SYSGENID_SOURCE_SOFTWARE);
	ck_assert_uint_eq(i.features, 0);
	ck_assert_uint_eq(i.handle, SYSGENID_HANDLE_SOFT);
	ck_assert_uint_eq(i.watchers | i.outdated | i.confirmed | i.flags, 0);

	/* Stopped between its two stores. */
	fake.page->seq = 7;
	ck_assert_int_eq(sysgenid_get_info(g, &i, sizeof(i)), 0);
	ck_assert_uint_eq(i.generation, 5);
	ck_assert_uint_eq(i.source, SYSGENID_SOURCE_NONE);
	ck_assert_uint_eq(i.time, 0);
	closed();
}
END_TEST

START_TEST(child)
{
	struct sysgenid_info i;
	uint32_t generation;

	opened();
	fake_fork();
	ck_assert_int_eq(sysgenid_read(g, &generation), -ECHILD);
	ck_assert_int_eq(sysgenid_wait(g, 5, 0, &generation), -ECHILD);
	ck_assert_int_eq(sysgenid_confirm(g, 5), -ECHILD);
	ck_assert_int_eq(sysgenid_get_info(g, &i, sizeof(i)), -ECHILD);
	ck_assert(!sysgenid_changed(sysgenid_get_view(g), 5));
	closed();
}
END_TEST

START_TEST(sandboxed_child)
{
	if (is_instrumented())
		return;
	opened();
	check_in_sandbox(sysgenid_get_view(g));
	closed();
}
END_TEST

START_TEST(each_call_of_open_fails)
{
	unsigned int failures = 0;

	for (unsigned int n = 1;; n++) {
		int r;

		fake.calls = 0;
		fake.failed = false;
		fake.fail_at = n;
		fake.fail_errno = EIO;
		r = open_with(SYSGENID_OPEN_SOFT);
		if (!fake.failed) {
			fake.fail_at = 0;
			ck_assert_int_eq(r, 0);
			closed();
			break;
		}
		failures++;
		ck_assert_int_eq(r, fake.failed_call == FAKE_CALLOC ? -ENOMEM :
								      -EIO);
		ck_assert_ptr_null(g);
		ck_assert(fake_is_clean());
	}
	/*
	 * calloc, mmap, madvise, open: device; mmap, madvise, open, fstat:
	 * directory; openat, fstat, fstat, fstatfs, mmap, fstat, fstat, fcntl: file
	 */
	ck_assert_uint_eq(failures, 16);
}
END_TEST

static int call(int which)
{
	struct sysgenid_info i;
	uint32_t generation;

	switch (which) {
	case 0:
		return sysgenid_read(g, &generation);
	case 1:
		return sysgenid_wait(g, 5, 1, &generation);
	case 2:
		return sysgenid_get_info(g, &i, sizeof(i));
	default:
		return 1;
	}
}

START_TEST(each_call_fails)
{
	unsigned int failures = 0;

	opened();
	for (int which = 0; call(which) != 1; which++) {
		for (unsigned int n = 1;; n++) {
			int r;

			fake.calls = 0;
			fake.failed = false;
			fake.fail_at = n;
			fake.fail_errno = EIO;
			r = call(which);
			if (!fake.failed)
				break;
			failures++;
			ck_assert_int_eq(r, -EIO);
		}
		fake.fail_at = 0;
	}
	/* fcntl; fcntl, poll, fcntl, and once more as time goes by; fcntl */
	ck_assert_uint_ge(failures, 5);
	closed();
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		only_if_asked_for,
		module_comes_first,
		device_that_fails,
		no_page_file,
		not_openable,
		not_to_be_trusted,
		publisher_ends,
		wait_looks_now_and_then,
		takes_a_driver,
		check,
		info,
		child,
		sandboxed_child,
		each_call_of_open_fails,
		each_call_fails,
	};

	return RUN_TESTS("soft", tests, setup);
}
