// SPDX-License-Identifier: MIT
/* The overseer's target, with a bus and a systemd that fail. */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "systemd.h"

static struct loop *loop;
static struct target *target;

static struct {
	/* What the calls return. */
	int no_bus, no_call;
	bool hung_up, refuses;
	/* Readable when there is something to process. */
	int fd;

	/* What was asked, and who waits for the answer. */
	unsigned int calls, opened, lines;
	char verb[16];
	struct question {
		sd_bus_message_handler_t on_answer;
		void *user;
	} questions[8];
} bus;

void log_line(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
	bus.lines++;
}

int sd_bus_open_system(sd_bus **b)
{
	*b = NULL;
	if (bus.no_bus)
		return bus.no_bus;
	bus.opened++;
	bus.hung_up = false;
	*b = (sd_bus *)&bus;
	return 0;
}

int sd_bus_get_fd(sd_bus *b)
{
	(void)b;
	return bus.fd;
}

int sd_bus_get_events(sd_bus *b)
{
	(void)b;
	return EPOLLIN;
}

int sd_bus_get_timeout(sd_bus *b, uint64_t *timeout)
{
	(void)b;
	*timeout = UINT64_MAX;
	return 0;
}

int sd_bus_process(sd_bus *b, sd_bus_message **message)
{
	eventfd_t unused;

	(void)b;
	(void)message;
	eventfd_read(bus.fd, &unused);
	return bus.hung_up ? -ECONNRESET : 0;
}

/* Until the limit: systemd says nothing. */
int sd_bus_wait(sd_bus *b, uint64_t limit)
{
	(void)b;
	(void)limit;
	return 0;
}

int sd_bus_is_open(sd_bus *b)
{
	(void)b;
	return !bus.hung_up;
}

int sd_bus_flush(sd_bus *b)
{
	(void)b;
	return 0;
}

sd_bus *sd_bus_close_unref(sd_bus *b)
{
	(void)b;
	return NULL;
}

sd_bus_slot *sd_bus_slot_unref(sd_bus_slot *slot)
{
	if (slot)
		((struct question *)slot)->on_answer = NULL;
	return NULL;
}

int sd_bus_call_method_async(sd_bus *b, sd_bus_slot **slot, const char *name,
			     const char *path, const char *interface,
			     const char *member,
			     sd_bus_message_handler_t on_answer, void *user,
			     const char *types, ...)
{
	(void)b;
	(void)name;
	(void)path;
	(void)interface;
	(void)types;
	snprintf(bus.verb, sizeof(bus.verb), "%s", member);
	*slot = (sd_bus_slot *)&bus.questions[bus.calls];
	bus.questions[bus.calls++] = (struct question){ on_answer, user };
	if (!bus.no_call)
		return 1;
	*slot = NULL;
	return bus.no_call;
}

int sd_bus_message_is_method_error(sd_bus_message *m, const char *name)
{
	(void)m;
	(void)name;
	return bus.refuses;
}

const sd_bus_error *sd_bus_message_get_error(sd_bus_message *m)
{
	static const sd_bus_error refused = { "refused", "refused", 0 };

	(void)m;
	return &refused;
}

/* If anybody waits for the answer. */
static void answer(unsigned int question)
{
	const struct question q = bus.questions[question];

	if (q.on_answer)
		q.on_answer(NULL, q.user, NULL);
}

static void answer_last(void)
{
	ck_assert_ptr_nonnull(bus.questions[bus.calls - 1].on_answer);
	answer(bus.calls - 1);
}

/* Until the next call: each wait of these tests is shorter than a second. */
static void wait_for_call(void)
{
	const unsigned int before = bus.calls;

	while (bus.calls == before)
		ck_assert_int_gt(loop_run_once(loop, 5000000), 0);
}

static void assert_content(void)
{
	/* Three times as long as until a first try. */
	ck_assert_int_eq(loop_run_once(loop, 300000), 0);
}

static void setup(void)
{
	memset(&bus, 0, sizeof(bus));
	bus.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(bus.fd, 0);
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	target = systemd_target_new(loop);
	ck_assert_ptr_nonnull(target);
}

static void teardown(void)
{
	systemd_target_free(target);
	loop_free(loop);
	close(bus.fd);
}

START_TEST(target_that_systemd_agreed_to_is_asked_for_once)
{
	systemd_target_set(target, _i);
	ck_assert_str_eq(bus.verb, _i ? "StartUnit" : "StopUnit");
	answer_last();
	systemd_target_set(target, _i);
	assert_content();
	ck_assert_uint_eq(bus.calls, 1);
	ck_assert_uint_eq(bus.lines, 0);
}
END_TEST

START_TEST(stop_that_systemd_refuses_is_asked_for_again)
{
	systemd_target_set(target, true);
	answer_last();
	bus.refuses = true;
	systemd_target_set(target, false);
	for (int i = 0; i < 2; i++) {
		answer_last();
		wait_for_call();
		ck_assert_str_eq(bus.verb, "StopUnit");
	}
	/* One line for one trouble. */
	ck_assert_uint_eq(bus.lines, 1);
	bus.refuses = false;
	answer_last();
	assert_content();
	ck_assert_uint_eq(bus.calls, 4);
}
END_TEST

START_TEST(stop_that_cannot_be_sent_is_asked_for_again)
{
	systemd_target_set(target, true);
	answer_last();
	bus.no_call = -ENOTCONN;
	systemd_target_set(target, false);
	bus.no_call = 0;
	bus.hung_up = true;
	wait_for_call();
	ck_assert_str_eq(bus.verb, "StopUnit");
	ck_assert_uint_eq(bus.opened, 2);
	answer_last();
}
END_TEST

START_TEST(stop_without_a_bus_is_asked_for_when_there_is_one)
{
	bus.no_bus = -ENOENT;
	systemd_target_set(target, false);
	ck_assert_uint_eq(bus.calls, 0);
	ck_assert_uint_eq(bus.lines, 1);
	bus.no_bus = 0;
	wait_for_call();
	ck_assert_str_eq(bus.verb, "StopUnit");
	answer_last();
}
END_TEST

START_TEST(bus_that_hangs_up_is_opened_and_asked_again)
{
	systemd_target_set(target, true);
	bus.hung_up = true;
	eventfd_write(bus.fd, 1);
	wait_for_call();
	ck_assert_str_eq(bus.verb, "StartUnit");
	ck_assert_uint_eq(bus.opened, 2);
	answer_last();
	/* Nobody waits for an answer: the next question opens it. */
	bus.hung_up = true;
	eventfd_write(bus.fd, 1);
	ck_assert_int_eq(loop_run_once(loop, 5000000), 1);
	assert_content();
	ck_assert_uint_eq(bus.calls, 2);
	systemd_target_set(target, false);
	ck_assert_uint_eq(bus.opened, 3);
	answer_last();
}
END_TEST

START_TEST(answer_to_an_older_question_does_not_count)
{
	systemd_target_set(target, true);
	systemd_target_set(target, false);
	ck_assert_str_eq(bus.verb, "StopUnit");
	bus.refuses = true;
	answer(0);
	assert_content();
	ck_assert_uint_eq(bus.calls, 2);
	ck_assert_uint_eq(bus.lines, 0);
	answer(1);
	wait_for_call();
	ck_assert_str_eq(bus.verb, "StopUnit");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("target");
	TCase *tcase = tcase_create("bus");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 20);
	tcase_add_loop_test(
		tcase, target_that_systemd_agreed_to_is_asked_for_once, 0, 2);
	tcase_add_test(tcase, stop_that_systemd_refuses_is_asked_for_again);
	tcase_add_test(tcase, stop_that_cannot_be_sent_is_asked_for_again);
	tcase_add_test(tcase,
		       stop_without_a_bus_is_asked_for_when_there_is_one);
	tcase_add_test(tcase, bus_that_hangs_up_is_opened_and_asked_again);
	tcase_add_test(tcase, answer_to_an_older_question_does_not_count);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
