// SPDX-License-Identifier: MIT
/*
 * A program closes descriptors that it did not open, and their numbers come to
 * mean files of its own. The library does nothing to those, and trusts none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lib/internal.h"
#include "each-call.h"
#include "fake.h"
#include "suite.h"

static struct sysgenid *g;

static int open_library(unsigned int flags)
{
	g = NULL;
	return sysgenid_open_paths(&g, FAKE_PATH, FAKE_HW_PATH, FAKE_FOLDER,
				   flags);
}

static void setup(void)
{
	fake_start();
	ck_assert_int_eq(open_library(0), 0);
}

static void reopen_old_driver(void)
{
	sysgenid_close(g);
	fake.old_driver = true;
	fake.page->magic = 0;
	fake.page->size = 0;
	ck_assert_int_eq(open_library(0), 0);
}

static void reopen_soft(void)
{
	sysgenid_close(g);
	fake.open_errno = ENOENT;
	fake.folder.open_errno = 0;
	ck_assert_int_eq(open_library(SYSGENID_OPEN_SOFT), 0);
}

/* An empty file of the program's, and where it is to be. */
static int their_file(void)
{
	char path[] = "/tmp/sysgenid-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	unlink(path);
	return fd;
}

static void is_untouched(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
}

static void each_call_gives_ebadf(void)
{
	for (int which = 0; which < CALLS_ON_ONE_DESCRIPTOR; which++) {
		int r = each_call(g, which);

		ck_assert_msg(r == -EBADF, "call %d: %d", which, r);
	}
}

START_TEST(each_call_on_a_closed_number_gives_ebadf)
{
	close(g->file.fd);
	/* The fake kernel closes as an interrupted close(2) does. */
	each_call_gives_ebadf();
	sysgenid_close(g);
	ck_assert(fake_is_clean());
}
END_TEST

START_TEST(each_call_on_a_strangers_file_gives_ebadf)
{
	int fd = g->file.fd, theirs = their_file();

	fake_replace(fd, theirs);
	each_call_gives_ebadf();
	is_untouched(theirs);
	sysgenid_close(g);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	ck_assert(fake_is_clean());
}
END_TEST

/* A pipe would make who reads from it wait for the rest. */
START_TEST(nothing_is_written_to_a_strangers_pipe)
{
	int ends[2], fd = g->file.fd;
	char byte;

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	fake_replace(fd, ends[1]);
	ck_assert_int_eq(sysgenid_confirm(g, 5), -EBADF);
	ck_assert_int_eq(read(ends[0], &byte, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
	sysgenid_close(g);
}
END_TEST

/* By write(2) alone, there. */
START_TEST(old_drivers_confirm_writes_to_no_strangers_file)
{
	int theirs = their_file();

	reopen_old_driver();
	fake_replace(g->file.fd, theirs);
	ck_assert_int_eq(sysgenid_confirm(g, 5), -EBADF);
	ck_assert_int_eq(sysgenid_track(g, true), -EBADF);
	is_untouched(theirs);
	sysgenid_close(g);
}
END_TEST

static bool forbid_ioctl(enum fake_call call, int *error)
{
	*error = EPERM;
	return call == FAKE_IOCTL;
}

START_TEST(sandboxed_confirm_writes_to_no_strangers_file)
{
	int theirs = their_file();

	fake.refuse = forbid_ioctl;
	ck_assert_int_eq(sysgenid_confirm(g, 5), 0);
	ck_assert_uint_eq(fake.count[FAKE_WRITE], 1);
	fake_replace(g->file.fd, theirs);
	ck_assert_int_eq(sysgenid_confirm(g, 5), -EBADF);
	is_untouched(theirs);
	sysgenid_close(g);
}
END_TEST

START_TEST(a_device_that_says_yes_to_all_is_not_believed)
{
	fake_replace_by_yes_man(g->file.fd);
	each_call_gives_ebadf();
	sysgenid_close(g);
	ck_assert_int_eq(fake.open_files, 1);
}
END_TEST

START_TEST(wait_on_a_strangers_file_gives_ebadf)
{
	uint32_t generation;
	int theirs = their_file();

	for (int old = 0; old < 2; old++) {
		if (old)
			reopen_old_driver();
		fake_replace(g->waiter.fd, theirs);
		/* A regular file is always readable: no endless loop. */
		ck_assert_int_eq(sysgenid_wait(g, 5, -1, &generation), -EBADF);
		is_untouched(theirs);
	}
	sysgenid_close(g);
}
END_TEST

START_TEST(wait_on_a_closed_number_gives_ebadf)
{
	uint32_t generation;

	close(g->waiter.fd);
	ck_assert_int_eq(sysgenid_wait(g, 5, -1, &generation), -EBADF);
	sysgenid_close(g);
	ck_assert(fake_is_clean());
}
END_TEST

START_TEST(close_spares_what_took_any_of_our_numbers)
{
	const int numbers[] = { g->file.fd, g->waiter.fd };
	int theirs = their_file();

	for (size_t i = 0; i < 2; i++)
		fake_replace(numbers[i], theirs);
	sysgenid_close(g);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_ne(fcntl(numbers[i], F_GETFD), -1);
	ck_assert(fake_is_clean());
}
END_TEST

static bool forbid_fstat(enum fake_call call, int *error)
{
	*error = EPERM;
	return call == FAKE_FSTAT;
}

/* Who cannot look must not act: a descriptor is lost rather than a stranger's closed. */
START_TEST(close_leaves_what_cannot_be_looked_at)
{
	fake.refuse = forbid_fstat;
	ck_assert_int_eq(sysgenid_confirm(g, 5), -EPERM);
	ck_assert_uint_eq(fake.count[FAKE_WRITE], 0);
	sysgenid_close(g);
	ck_assert_int_eq(fake.open_files, 2);
}
END_TEST

/* Of another open file, which is how OFD locks are told apart. */
static int locked_file(int *owner)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[32];
	int fd;

	*owner = their_file();
	ck_assert_int_eq(fcntl(*owner, F_OFD_SETLK, &lock), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *owner);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(a_locked_file_of_a_stranger_is_no_living_publisher)
{
	struct sysgenid_info i;
	uint32_t generation;
	int owner, fd, theirs = locked_file(&owner);

	reopen_soft();
	fd = g->file.fd;
	fake_replace(fd, theirs);
	ck_assert_int_eq(sysgenid_read(g, &generation), -EBADF);
	ck_assert_int_eq(sysgenid_wait(g, 5, -1, &generation), -EBADF);
	ck_assert_int_eq(sysgenid_get_info(g, &i, sizeof(i)), -EBADF);
	sysgenid_close(g);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	ck_assert(fake_is_clean());
}
END_TEST

static unsigned int replace_at;
static int replaced = -1;

/* Another thread closes everything while this one opens. */
static void replace_before_mmap(enum fake_call call)
{
	if (call != FAKE_MMAP || fake.count[FAKE_MMAP] != replace_at)
		return;
	replaced = fake.last_fd;
	fake_replace_by_yes_man(replaced);
}

START_TEST(what_replaced_the_node_while_it_was_opened_is_not_mapped)
{
	sysgenid_close(g);
	fake.count[FAKE_MMAP] = 0;
	fake.before = replace_before_mmap;
	/* The first is of the mark for forks. */
	replace_at = 1;
	ck_assert_int_eq(open_library(0), -EBADF);
	ck_assert_ptr_null(g);
	ck_assert_int_eq(fake.mappings, 0);
	/* The stranger's alone. */
	ck_assert_int_eq(fake.open_files, 1);
	ck_assert_int_ne(fcntl(replaced, F_GETFD), -1);
}
END_TEST

START_TEST(what_replaced_the_hardware_node_is_not_mapped)
{
	sysgenid_close(g);
	fake.count[FAKE_MMAP] = 0;
	fake.before = replace_before_mmap;
	replace_at = 2;
	ck_assert_int_eq(open_library(0), -EBADF);
	ck_assert_ptr_null(g);
	ck_assert_int_eq(fake.mappings, 0);
	ck_assert_int_eq(fake.open_files, 1);
	ck_assert_int_ne(fcntl(replaced, F_GETFD), -1);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		each_call_on_a_closed_number_gives_ebadf,
		each_call_on_a_strangers_file_gives_ebadf,
		nothing_is_written_to_a_strangers_pipe,
		old_drivers_confirm_writes_to_no_strangers_file,
		sandboxed_confirm_writes_to_no_strangers_file,
		a_device_that_says_yes_to_all_is_not_believed,
		wait_on_a_strangers_file_gives_ebadf,
		wait_on_a_closed_number_gives_ebadf,
		close_spares_what_took_any_of_our_numbers,
		close_leaves_what_cannot_be_looked_at,
		a_locked_file_of_a_stranger_is_no_living_publisher,
		what_replaced_the_node_while_it_was_opened_is_not_mapped,
		what_replaced_the_hardware_node_is_not_mapped,
	};

	return RUN_TESTS("strangers", tests, setup);
}
