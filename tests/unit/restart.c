// SPDX-License-Identifier: MIT
/* Units that are started anew, with a bus and a systemd that fail. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop.h"
#include "systemd.h"

/* What a unit is here: its name alone says how it behaves. */
#define LIMIT 200000

static struct loop *loop;

/* An answer, or the end of a job: what sd_bus_message_read() takes of it, in order. */
struct message {
	const char *error;
	const char *text[3];
};

struct question {
	sd_bus_message_handler_t on_answer;
	void *user;
	char member[24], unit[32];
};

static struct {
	int no_bus, no_call, hung_up;
	int fd;
	bool closed;
	sd_bus_message_handler_t on_job_removed;
	void *user;
	unsigned int calls;
	struct question questions[16];
	/* Bytes of a message in front of this one are of no use. */
	unsigned int waiting;
	struct {
		sd_bus_message_handler_t handler;
		void *user;
		struct message message;
	} queue[16];
} bus;

static struct {
	unsigned int count;
	char failed[512];
} over;

int sd_bus_open_system(sd_bus **b)
{
	*b = bus.no_bus ? NULL : (sd_bus *)&bus;
	return bus.no_bus;
}

int sd_bus_set_method_call_timeout(sd_bus *b, uint64_t limit)
{
	(void)b;
	ck_assert_uint_eq(limit, LIMIT);
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

/* One message a call, as the library does. */
int sd_bus_process(sd_bus *b, sd_bus_message **message)
{
	eventfd_t unused;

	(void)b;
	(void)message;
	ck_assert(!bus.closed);
	eventfd_read(bus.fd, &unused);
	if (bus.hung_up)
		return bus.hung_up;
	for (unsigned int i = 0; i < bus.waiting; i++) {
		if (!bus.queue[i].handler)
			continue;
		sd_bus_message_handler_t handler = bus.queue[i].handler;

		bus.queue[i].handler = NULL;
		handler((sd_bus_message *)&bus.queue[i].message,
			bus.queue[i].user, NULL);
		return 1;
	}
	return 0;
}

sd_bus *sd_bus_close_unref(sd_bus *b)
{
	bus.closed = bus.closed || b;
	return NULL;
}

sd_bus_slot *sd_bus_slot_unref(sd_bus_slot *slot)
{
	if (slot)
		((struct question *)slot)->on_answer = NULL;
	return NULL;
}

int sd_bus_match_signal_async(sd_bus *b, sd_bus_slot **slot, const char *sender,
			      const char *path, const char *interface,
			      const char *member,
			      sd_bus_message_handler_t handler,
			      sd_bus_message_handler_t installed, void *user)
{
	(void)b;
	(void)slot;
	(void)sender;
	(void)path;
	(void)interface;
	(void)installed;
	ck_assert_str_eq(member, "JobRemoved");
	/* Before any job can end. */
	ck_assert_uint_eq(bus.calls, 0);
	bus.on_job_removed = handler;
	bus.user = user;
	return 0;
}

int sd_bus_call_method_async(sd_bus *b, sd_bus_slot **slot, const char *name,
			     const char *path, const char *interface,
			     const char *member,
			     sd_bus_message_handler_t on_answer, void *user,
			     const char *types, ...)
{
	struct question *q = &bus.questions[bus.calls];
	const char *unit = "";
	va_list args;

	(void)b;
	(void)name;
	(void)interface;
	/* libsystemd 252 calls it without looking. */
	ck_assert(on_answer || !slot);
	if (bus.no_call && !strcmp(member, "TryRestartUnit"))
		return bus.no_call;
	bus.calls++;
	snprintf(q->member, sizeof(q->member), "%s", member);
	if (types && !strcmp(member, "TryRestartUnit")) {
		va_start(args, types);
		unit = va_arg(args, const char *);
		va_end(args);
	} else if (!strcmp(member, "Get")) {
		unit = path + strlen("/unit/");
	}
	snprintf(q->unit, sizeof(q->unit), "%s", unit);
	q->on_answer = on_answer;
	q->user = user;
	if (slot)
		*slot = (sd_bus_slot *)q;
	return 1;
}

int sd_bus_path_encode(const char *prefix, const char *id, char **path)
{
	(void)prefix;
	return asprintf(path, "/unit/%s", id) < 0 ? -ENOMEM : 0;
}

int sd_bus_message_is_method_error(sd_bus_message *m, const char *name)
{
	(void)name;
	return ((struct message *)m)->error != NULL;
}

const sd_bus_error *sd_bus_message_get_error(sd_bus_message *m)
{
	static sd_bus_error error;

	error.message = ((struct message *)m)->error;
	return &error;
}

int sd_bus_message_read(sd_bus_message *message, const char *types, ...)
{
	const struct message *m = (struct message *)message;
	va_list args;

	va_start(args, types);
	if (!strcmp(types, "uoss")) {
		*va_arg(args, uint32_t *) = 1;
		for (int i = 0; i < 3; i++)
			*va_arg(args, const char **) = m->text[i];
	} else {
		if (!strcmp(types, "v"))
			(void)va_arg(args, const char *);
		*va_arg(args, const char **) = m->text[0];
	}
	va_end(args);
	return 1;
}

static void put(sd_bus_message_handler_t handler, void *user, const char *a,
		const char *b, const char *c, const char *error)
{
	bus.queue[bus.waiting].handler = handler;
	bus.queue[bus.waiting].user = user;
	bus.queue[bus.waiting++].message =
		(struct message){ error, { a, b, c } };
	eventfd_write(bus.fd, 1);
}

/* The question that is open; NULL: there is none. */
static struct question *question(const char *member, const char *unit)
{
	for (unsigned int i = 0; i < bus.calls; i++) {
		struct question *q = &bus.questions[i];

		if (q->on_answer && !strcmp(q->member, member) &&
		    !strcmp(q->unit, unit))
			return q;
	}
	return NULL;
}

static void answer(const char *member, const char *unit, const char *text,
		   const char *error)
{
	const struct question *q = question(member, unit);

	ck_assert_ptr_nonnull(q);
	put(q->on_answer, q->user, text, NULL, NULL, error);
}

static void job_ends(const char *job, const char *unit, const char *result)
{
	put(bus.on_job_removed, bus.user, job, unit, result, NULL);
}

static void settle(void)
{
	while (loop_run_once(loop, 0) > 0)
		;
}

static void on_done(void *user, const char *failed)
{
	ck_assert_ptr_eq(user, &over);
	over.count++;
	snprintf(over.failed, sizeof(over.failed), "%s", failed ? failed : "");
}

static struct restarts *restart_both(void)
{
	static char *names[] = { "a.service", "b.socket" };
	const struct words units = { names, 2 };

	return systemd_restart(loop, &units, LIMIT, on_done, &over);
}

static void assert_over(const char *failed)
{
	settle();
	ck_assert_uint_eq(over.count, 1);
	ck_assert_msg(!*failed == !over.failed[0] &&
			      strstr(over.failed, failed),
		      "%s", over.failed);
	ck_assert(bus.closed || bus.no_bus);
}

static void comes_up(const char *job, const char *unit, const char *result,
		     const char *state)
{
	answer("TryRestartUnit", unit, job, NULL);
	job_ends(job, unit, result);
	settle();
	answer("Get", unit, state, NULL);
	settle();
}

static void setup(void)
{
	memset(&bus, 0, sizeof(bus));
	memset(&over, 0, sizeof(over));
	bus.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
}

static void teardown(void)
{
	loop_free(loop);
	close(bus.fd);
}

START_TEST(all_units_are_asked_for_at_once_and_all_are_waited_for)
{
	ck_assert_ptr_nonnull(restart_both());
	ck_assert_ptr_nonnull(question("TryRestartUnit", "a.service"));
	ck_assert_ptr_nonnull(question("TryRestartUnit", "b.socket"));
	/* Without it systemd tells of no job. */
	ck_assert_str_eq(bus.questions[0].member, "Subscribe");
	comes_up("/job/2", "b.socket", "done", "active");
	/* A job of somebody else. */
	job_ends("/job/7", "a.service", "failed");
	settle();
	ck_assert_uint_eq(over.count, 0);
	/* One that did not run: systemd has nothing to do. */
	comes_up("/job/1", "a.service", "skipped", "inactive");
	assert_over("");
}
END_TEST

START_TEST(unit_that_does_not_come_up_is_named)
{
	static const struct {
		const char *result, *state, *failed;
	} cases[] = {
		{ "failed", NULL, "a.service does not come up: failed" },
		{ "timeout", NULL, "a.service does not come up: timeout" },
		{ "done", "failed", "a.service does not come up: failed" },
		{ "done", "activating",
		  "a.service does not come up: activating" },
	};

	restart_both();
	if (cases[_i].state) {
		comes_up("/job/1", "a.service", cases[_i].result,
			 cases[_i].state);
	} else {
		answer("TryRestartUnit", "a.service", "/job/1", NULL);
		job_ends("/job/1", "a.service", cases[_i].result);
	}
	assert_over(cases[_i].failed);
}
END_TEST

START_TEST(unit_that_systemd_does_not_know_is_named)
{
	restart_both();
	answer("TryRestartUnit", "b.socket", NULL, "Unit not found");
	assert_over("b.socket is not started again: Unit not found");
}
END_TEST

START_TEST(jobs_that_systemd_does_not_tell_of_are_named)
{
	restart_both();
	answer("Subscribe", "", NULL, "Access denied");
	assert_over("systemd tells of no job: Access denied");
}
END_TEST

START_TEST(unit_whose_state_is_not_told_is_named)
{
	restart_both();
	answer("TryRestartUnit", "a.service", "/job/1", NULL);
	job_ends("/job/1", "a.service", "done");
	settle();
	answer("Get", "a.service", NULL, "no such property");
	assert_over("a.service is not started again: no such property");
}
END_TEST

START_TEST(unit_that_is_late_is_named)
{
	restart_both();
	comes_up("/job/1", "a.service", "done", "active");
	ck_assert_int_eq(loop_run_once(loop, 5000000), 1);
	assert_over("b.socket does not come up: not done within");
}
END_TEST

START_TEST(bus_that_fails_is_no_success)
{
	if (_i == 0)
		bus.no_bus = -ENOENT;
	else if (_i == 1)
		bus.no_call = -ENOTCONN;
	ck_assert_ptr_nonnull(restart_both());
	/* Never before the call returns. */
	ck_assert_uint_eq(over.count, 0);
	if (_i == 2) {
		bus.hung_up = -ECONNRESET;
		eventfd_write(bus.fd, 1);
	}
	assert_over(_i == 2 ? "systemd does not answer" :
			      "a.service is not started again");
}
END_TEST

START_TEST(cancelled_tells_nobody)
{
	systemd_restart_cancel(restart_both());
	settle();
	ck_assert_uint_eq(over.count, 0);
	ck_assert(bus.closed);
	systemd_restart_cancel(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("restart");
	TCase *tcase = tcase_create("bus");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase,
		       all_units_are_asked_for_at_once_and_all_are_waited_for);
	tcase_add_loop_test(tcase, unit_that_does_not_come_up_is_named, 0, 4);
	tcase_add_test(tcase, unit_that_systemd_does_not_know_is_named);
	tcase_add_test(tcase, jobs_that_systemd_does_not_tell_of_are_named);
	tcase_add_test(tcase, unit_whose_state_is_not_told_is_named);
	tcase_add_test(tcase, unit_that_is_late_is_named);
	tcase_add_loop_test(tcase, bus_that_fails_is_no_success, 0, 3);
	tcase_add_test(tcase, cancelled_tells_nobody);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
