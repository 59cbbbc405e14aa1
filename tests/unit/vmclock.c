// SPDX-License-Identifier: MIT
/* vmclock, played by a file: no hypervisor of Debian's keeps a generation counter there. */
#define _GNU_SOURCE
#include <check.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmclock.h"

static char path[] = "/tmp/vmclock-XXXXXX";
static unsigned char *page;

static void put32(size_t at, uint32_t value)
{
	uint32_t le = htole32(value);

	__atomic_store_n((uint32_t *)(void *)(page + at), le, __ATOMIC_RELEASE);
}

static void put64(size_t at, uint64_t value)
{
	put32(at, (uint32_t)value);
	put32(at + 4, (uint32_t)(value >> 32));
}

static void set_up(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(page, MAP_FAILED);
	close(fd);
	memcpy(page, "VCLK", 4);
	put32(0x0c, 2);
	put64(0x18, 1 << 8);
	put64(0x68, 7);
}

static void tear_down(void)
{
	munmap(page, 4096);
	unlink(path);
}

START_TEST(a_new_counter_is_seen_once)
{
	unsigned char copy[VMCLOCK_SIZE];
	struct vmclock v;

	ck_assert_int_eq(vmclock_open(&v, path), 0);
	ck_assert_int_eq(vmclock_look(&v, copy), 0);
	put32(0x0c, 3);
	put64(0x68, 7ull << 32 | 7);
	put32(0x0c, 4);
	ck_assert_int_eq(vmclock_look(&v, copy), 1);
	ck_assert_int_eq(memcmp(copy, page, sizeof(copy)), 0);
	ck_assert_int_eq(vmclock_look(&v, copy), 0);
	vmclock_close(&v);
}
END_TEST

/* A live migration, or a new time: the disruption marker is no generation. */
START_TEST(other_changes_are_none)
{
	unsigned char copy[VMCLOCK_SIZE];
	struct vmclock v;

	ck_assert_int_eq(vmclock_open(&v, path), 0);
	put64(0x10, 99);
	put64(0x48, 1234567);
	put32(0x0c, 4);
	ck_assert_int_eq(vmclock_look(&v, copy), 0);
	vmclock_close(&v);
}
END_TEST

START_TEST(refused)
{
	struct vmclock v;

	put64(0x18, 1 << 9);
	ck_assert_int_eq(vmclock_open(&v, path), -EOPNOTSUPP);
	put64(0x18, 1 << 8);
	put32(0x0c, 5);
	ck_assert_int_eq(vmclock_open(&v, path), -EAGAIN);
	memcpy(page, "XCLK", 4);
	ck_assert_int_eq(vmclock_open(&v, path), -EMEDIUMTYPE);
	ck_assert_int_eq(vmclock_open(&v, "/nonexistent"), -ENOENT);
}
END_TEST

static atomic_bool stop;

/* Both halves of the counter are the same in each moment that counts. */
static void *write_all_the_time(void *unused)
{
	for (uint32_t i = 1; !stop; i++) {
		put32(0x0c, 2 * i + 1);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		put64(0x68, (uint64_t)i << 32 | i);
		put32(0x0c, 2 * i + 2);
	}
	return unused;
}

START_TEST(never_half_a_counter)
{
	unsigned char copy[VMCLOCK_SIZE];
	struct vmclock v;
	pthread_t writer;

	put64(0x68, 7ull << 32 | 7);
	ck_assert_int_eq(vmclock_open(&v, path), 0);
	ck_assert_int_eq(
		pthread_create(&writer, NULL, write_all_the_time, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		int r = vmclock_look(&v, copy);

		ck_assert(r >= 0 || r == -EAGAIN);
		ck_assert_uint_eq(v.counter >> 32, v.counter & 0xffffffff);
	}
	stop = true;
	pthread_join(writer, NULL);
	vmclock_close(&v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmclock");
	TCase *c = tcase_create("a file in its place");
	SRunner *runner = srunner_create(s);
	int fd = mkstemp(path), failed;

	close(fd);
	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 120);
	tcase_add_test(c, a_new_counter_is_seen_once);
	tcase_add_test(c, other_changes_are_none);
	tcase_add_test(c, refused);
	tcase_add_test(c, never_half_a_counter);
	suite_add_tcase(s, c);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	return failed != 0;
}
