// SPDX-License-Identifier: MIT
/* The overseer as the publisher: what it says of a generator that was not reseeded. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../tools/publisher.h"
#include "log.h"
#include "publishing.h"
#include "vmclock.h"

static struct {
	bool reseed_fails, moved;
	int settle, clock;
	uint32_t generation;
} played;

static struct loop *event;
static struct publishing *p;
static unsigned int told;

void log_line(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
}

int publisher_open(struct publisher *publisher, const char **why)
{
	(void)publisher;
	*why = NULL;
	return 0;
}

void publisher_mix(struct publisher *publisher, const void *bytes, size_t len)
{
	(void)publisher;
	(void)bytes;
	(void)len;
}

uint32_t publisher_publish(struct publisher *publisher, const char **error,
			   bool *failed)
{
	(void)publisher;
	*failed = played.reseed_fails;
	*error = *failed ? "could not be reseeded" : NULL;
	return ++played.generation;
}

int publisher_settle(const struct publisher *publisher)
{
	(void)publisher;
	return played.settle;
}

void publisher_close(struct publisher *publisher)
{
	(void)publisher;
}

int vmclock_open(struct vmclock *v, const char *path)
{
	(void)path;
	v->fd = played.clock;
	return 0;
}

int vmclock_look(struct vmclock *v, void *copy)
{
	bool moved = played.moved;

	(void)v;
	memset(copy, 1, VMCLOCK_SIZE);
	played.moved = false;
	return moved;
}

static void on_published(void *user)
{
	(void)user;
	told++;
}

static void start(enum publisher_kind kind)
{
	memset(&played, 0, sizeof(played));
	told = 0;
	played.clock = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	event = loop_new();
	ck_assert_ptr_nonnull(event);
	p = publishing_new(event, kind, on_published, NULL);
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_null(publishing_error(p));
}

static void end(void)
{
	publishing_end(p);
	loop_free(event);
	close(played.clock);
}

static void restore(void)
{
	played.moved = true;
	eventfd_write(played.clock, 1);
}

static void until_told(unsigned int count)
{
	for (int i = 0; i < 100 && told < count; i++)
		loop_run_once(event, 100000);
	ck_assert_uint_eq(told, count);
}

static bool says(const char *what)
{
	const char *error = publishing_error(p);

	return error && strstr(error, what);
}

START_TEST(failed_reseed_is_an_error_until_one_works)
{
	start(PUBLISHER_TRIGGER);
	played.reseed_fails = true;
	ck_assert_uint_eq(publishing_trigger(p, "a", 1), 1);
	ck_assert_uint_eq(told, 1);
	ck_assert(says("could not be reseeded"));
	played.reseed_fails = false;
	ck_assert_uint_eq(publishing_trigger(p, "b", 1), 2);
	ck_assert_ptr_null(publishing_error(p));
	end();
}
END_TEST

START_TEST(failed_second_reseed_is_told)
{
	start(PUBLISHER_TRIGGER);
	played.settle = -EPERM;
	publishing_trigger(p, "a", 1);
	ck_assert_ptr_null(publishing_error(p));
	until_told(2);
	ck_assert(says("a second time"));
	end();
}
END_TEST

START_TEST(vmclock_without_bytes_of_the_host_is_an_error)
{
	int fd;

	unlink(HWRNG);
	start(PUBLISHER_VMCLOCK);
	restore();
	until_told(1);
	ck_assert(says(HWRNG));

	fd = open(HWRNG, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "bytes", 5), 5);
	close(fd);
	restore();
	until_told(2);
	ck_assert_ptr_null(publishing_error(p));
	unlink(HWRNG);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("publishing");
	TCase *tcase = tcase_create("a failed reseed");
	SRunner *runner = srunner_create(suite);
	int failed;

	/* The overseer refuses to publish beside a device. */
	if (!access("/dev/sysgenid", F_OK))
		return 77;
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, failed_reseed_is_an_error_until_one_works);
	tcase_add_test(tcase, failed_second_reseed_is_told);
	tcase_add_test(tcase, vmclock_without_bytes_of_the_host_is_an_error);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
