// SPDX-License-Identifier: MIT
/*
 * How the provider asks for the generation: by the device, or by the attribute in
 * /sys where the node is hidden. And when "not there" counts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../providers/openssl/attribute.h"
#include "../../providers/openssl/handle.h"
#include "fake.h"
#include "suite.h"

#define CLASS	  ROOT "/sys/class/misc"
#define DRIVER	  CLASS "/sysgenid"
#define ATTRIBUTE DRIVER "/generation"
#define MISC	  ROOT "/proc/misc"

int __wrap_statfs(const char *path, struct statfs *fs);
int __real_statfs(const char *path, struct statfs *fs);
int __wrap_statfs(const char *path, struct statfs *fs)
{
	int r = __real_statfs(path, fs);

	if (fake.other_file_systems)
		fs->f_type = fake.other_file_systems;
	return r;
}

int __wrap_statfs64(const char *path, struct statfs *fs)
	__attribute__((alias("__wrap_statfs")));

static struct handles *handles;
static bool absent;

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void make_directories(void)
{
	static const char *const directories[] = {
		"",
		"/sys",
		"/sys/class",
		"/sys/class/misc",
		"/sys/class/misc/sysgenid",
		"/proc",
	};
	char path[4096];

	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories);
	     i++) {
		snprintf(path, sizeof(path), "%s%s", ROOT, directories[i]);
		ck_assert(!mkdir(path, 0755) || errno == EEXIST);
	}
	unlink(MISC);
}

/* The node is hidden; the module is loaded, and /sys shows it. */
static void setup(void)
{
	fake_start();
	make_directories();
	write_file(ATTRIBUTE, "5\n");
	fake.other_file_systems = SYSFS_MAGIC;
	fake.open_errno = ENOENT;
	handles = handles_new();
	absent = true;
}

static void no_attribute(void)
{
	ck_assert_int_eq(unlink(ATTRIBUTE), 0);
}

static void no_driver(void)
{
	no_attribute();
	ck_assert_int_eq(rmdir(DRIVER), 0);
}

static void no_sys(void)
{
	no_driver();
	ck_assert_int_eq(rmdir(CLASS), 0);
}

static uint32_t read_with(struct handle **h)
{
	uint32_t generation = 77;

	ck_assert(handle_read(handles, h, &generation));
	return generation;
}

START_TEST(hidden_node_is_asked_for_by_the_attribute)
{
	static const int errors[] = { ENOENT, ENODEV, ENXIO, EACCES, EPERM };

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct handle *h;

		write_file(ATTRIBUTE, "5\n");
		fake.open_errno = errors[i];
		handles = handles_new();
		h = handle_get(handles, &absent);
		ck_assert_ptr_nonnull(h);
		ck_assert_uint_eq(read_with(&h), 5);
		write_file(ATTRIBUTE, "4294967295\n");
		ck_assert_uint_eq(read_with(&h), UINT32_MAX);
		ck_assert(!handle_is_exact(h));
		ck_assert(!handle_changed(h, 5));
		handle_put(h);
		handles_free(handles);
	}
}
END_TEST

/* What may be opened is asked itself. */
START_TEST(device_comes_before_the_attribute)
{
	struct handle *h;

	fake.open_errno = 0;
	write_file(ATTRIBUTE, "4\n");
	h = handle_get(handles, &absent);
	ck_assert_uint_eq(read_with(&h), 5);
	ck_assert(handle_is_exact(h));
	ck_assert(handle_changed(h, 4));
	handle_put(h);
	handles_free(handles);
	ck_assert(fake_is_clean());
}
END_TEST

START_TEST(senseless_attribute_is_not_believed)
{
	static const char *const texts[] = {
		"",
		"\n",
		"5",
		"5 \n",
		"-1\n",
		"4294967296\n",
		"55555555555\n",
		"0x5\n",
		"5\n5\n",
		"five\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		write_file(ATTRIBUTE, texts[i]);
		ck_assert_ptr_null(handle_get(handles, &absent));
		ck_assert_msg(!absent, "%s", texts[i]);
	}
}
END_TEST

/* Anybody could have made that in a chroot. */
START_TEST(attribute_on_another_file_system_is_not_believed)
{
	fake.other_file_systems = TMPFS_MAGIC;
	ck_assert_ptr_null(handle_get(handles, &absent));
	ck_assert(!absent);
}
END_TEST

START_TEST(no_driver_in_sys_is_absence_and_remembered)
{
	unsigned int opens;

	no_driver();
	ck_assert_ptr_null(handle_get(handles, &absent));
	ck_assert(absent);
	opens = fake.count[FAKE_OPEN];
	ck_assert_ptr_null(handle_get(handles, &absent));
	ck_assert(absent);
	ck_assert_uint_eq(fake.count[FAKE_OPEN], opens);
}
END_TEST

/* Amazon's, for example. */
START_TEST(driver_without_the_attribute_is_not_absence)
{
	no_attribute();
	ck_assert_ptr_null(handle_get(handles, &absent));
	ck_assert(!absent);
}
END_TEST

/* The device is there, and cannot be opened. */
START_TEST(device_that_fails_is_not_absence)
{
	no_driver();
	fake.open_errno = EMFILE;
	ck_assert_ptr_null(handle_get(handles, &absent));
	ck_assert(!absent);
}
END_TEST

START_TEST(without_sys_proc_tells)
{
	fake.other_file_systems = PROC_SUPER_MAGIC;
	no_sys();
	write_file(MISC, " 58 sysgenid-hw\n236 device-mapper\n  1 psaux\n");
	ck_assert_ptr_null(handle_get(handles, &absent));
	ck_assert(absent);
	handles = handles_new();
	write_file(MISC, "236 device-mapper\n 59 sysgenid\n");
	ck_assert_ptr_null(handle_get(handles, &absent));
	ck_assert(!absent);
	/* Not the kernel's. */
	fake.other_file_systems = TMPFS_MAGIC;
	write_file(MISC, "236 device-mapper\n");
	ck_assert_ptr_null(handle_get(handles, &absent));
	ck_assert(!absent);
}
END_TEST

START_TEST(in_an_empty_chroot_nothing_is_known)
{
	no_sys();
	ck_assert_ptr_null(handle_get(handles, &absent));
	ck_assert(!absent);
}
END_TEST

static int their_file(const char *text)
{
	char path[] = "/tmp/sysgenid-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq((size_t)write(fd, text, strlen(text)), strlen(text));
	unlink(path);
	return fd;
}

/* The attribute's number is the lowest that was free. */
static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

START_TEST(what_took_the_attributes_number_is_neither_believed_nor_closed)
{
	int fd = lowest_free(), theirs;
	struct handle *h = handle_get(handles, &absent);

	ck_assert_ptr_nonnull(h);
	ck_assert_uint_eq(read_with(&h), 5);
	/* The number that was current: bytes would repeat. */
	theirs = their_file("5\n");
	ck_assert_int_eq(dup2(theirs, fd), fd);
	write_file(ATTRIBUTE, "6\n");
	ck_assert_uint_eq(read_with(&h), 6);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	handle_put(h);
	handles_free(handles);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	ck_assert_int_ne(fcntl(theirs, F_GETFD), -1);
}
END_TEST

START_TEST(closed_attribute_in_a_chroot_cannot_be_asked)
{
	int fd = lowest_free();
	struct handle *h = handle_get(handles, &absent);
	uint32_t generation;

	ck_assert_ptr_nonnull(h);
	ck_assert_int_eq(close(fd), 0);
	no_sys();
	ck_assert(!handle_read(handles, &h, &generation));
	ck_assert(handle_await(h, &generation));
	handle_put(h);
	handles_free(handles);
}
END_TEST

/* A child of a fork, here: the parent's is given back when nobody uses it. */
START_TEST(child_opens_its_own_and_gives_the_parents_back)
{
	struct handle *a, *b;

	fake.open_errno = 0;
	a = handle_get(handles, &absent);
	b = handle_get(handles, &absent);
	ck_assert_ptr_eq(a, b);
	ck_assert_int_eq(fake.open_files, 2);
	fake_fork();
	ck_assert_uint_eq(read_with(&a), 5);
	ck_assert_int_eq(fake.open_files, 4);
	ck_assert_uint_eq(read_with(&b), 5);
	ck_assert_ptr_eq(a, b);
	ck_assert_int_eq(fake.open_files, 2);
	handle_put(a);
	handle_put(b);
	handles_free(handles);
	ck_assert(fake_is_clean());
}
END_TEST

static bool go_on;

static void *get_and_put(void *unused)
{
	bool none;

	while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
		struct handle *h = handle_get(handles, &none);
		uint32_t generation;

		handle_read(handles, &h, &generation);
		handle_put(h);
	}
	return unused;
}

/* The other thread is somewhere in handle.c at each fork; nobody waits for it. */
START_TEST(child_of_a_program_with_threads_does_not_hang)
{
	pthread_t thread;

	__atomic_store_n(&go_on, true, __ATOMIC_RELAXED);
	ck_assert_int_eq(pthread_create(&thread, NULL, get_and_put, NULL), 0);
	for (int i = 0; i < 100; i++) {
		int status;
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (!pid) {
			struct handle *h;

			alarm(20);
			h = handle_get(handles, &absent);
			_exit(h && read_with(&h) == 5 ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	__atomic_store_n(&go_on, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	handles_free(handles);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		hidden_node_is_asked_for_by_the_attribute,
		device_comes_before_the_attribute,
		senseless_attribute_is_not_believed,
		attribute_on_another_file_system_is_not_believed,
		no_driver_in_sys_is_absence_and_remembered,
		driver_without_the_attribute_is_not_absence,
		device_that_fails_is_not_absence,
		without_sys_proc_tells,
		in_an_empty_chroot_nothing_is_known,
		what_took_the_attributes_number_is_neither_believed_nor_closed,
		closed_attribute_in_a_chroot_cannot_be_asked,
		child_opens_its_own_and_gives_the_parents_back,
		child_of_a_program_with_threads_does_not_hang,
	};

	/* Where a child hangs, its own alarm ends it. */
	setenv("CK_DEFAULT_TIMEOUT", "150", 0);
	return RUN_TESTS("handle", tests, setup);
}
