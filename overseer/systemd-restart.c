// SPDX-License-Identifier: MIT
/*
 * Units that systemd starts anew, all at once. No program is started to ask for it:
 * the calls go out together, and the event loop takes the answers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "systemd.h"

struct unit {
	struct restarts *restarts;
	const char *name;
	/* As systemd calls it. */
	char *job;
	/* Of the question that is open. */
	sd_bus_slot *call;
	bool up;
};

struct restarts {
	struct loop *loop;
	sd_bus *bus;
	struct loop_source *input, *timer, *limit;
	sd_bus_slot *match, *subscription;
	struct words names;
	struct unit *units;
	/* NULL: nobody is told any more. */
	restarts_done_fn *done;
	void *user;
	char failed[512];
};

static void restarts_free(struct restarts *r)
{
	for (size_t i = 0; r->units && i < r->names.count; i++) {
		sd_bus_slot_unref(r->units[i].call);
		free(r->units[i].job);
	}
	free(r->units);
	words_free(&r->names);
	sd_bus_slot_unref(r->match);
	sd_bus_slot_unref(r->subscription);
	loop_remove(r->input);
	loop_remove(r->timer);
	loop_remove(r->limit);
	sd_bus_close_unref(r->bus);
	free(r);
}

/* The first counts. */
static void fail(struct restarts *r, const char *name, const char *how,
		 const char *why)
{
	if (!r->failed[0])
		snprintf(r->failed, sizeof(r->failed), "restart: %s %s: %s",
			 name, how, why);
}

static const struct unit *find_missing(const struct restarts *r)
{
	for (size_t i = 0; i < r->names.count; i++) {
		if (!r->units[i].up)
			return &r->units[i];
	}
	return NULL;
}

/* True: it is over, and @r is gone. */
static bool finish_if_over(struct restarts *r)
{
	restarts_done_fn *done = r->done;
	void *user = r->user;
	char failed[sizeof(r->failed)];

	if (!r->failed[0] && find_missing(r))
		return false;
	memcpy(failed, r->failed, sizeof(failed));
	restarts_free(r);
	done(user, failed[0] ? failed : NULL);
	return true;
}

/* What the bus waits for changes with each call. */
static void listen_to_bus(struct restarts *r)
{
	uint64_t end = UINT64_MAX;
	const int events = sd_bus_get_events(r->bus);

	/* Those of poll(2) have the same numbers. */
	loop_set_events(r->input, events < 0 ? 0 : (uint32_t)events);
	loop_disarm(r->timer);
	if (sd_bus_get_timeout(r->bus, &end) > 0 && end != UINT64_MAX)
		loop_arm(r->timer, end > loop_now() ? end - loop_now() : 0);
}

static void run_bus(struct restarts *r)
{
	int n;

	do {
		n = sd_bus_process(r->bus, NULL);
	} while (n > 0 && !r->failed[0]);
	if (n < 0)
		fail(r, "systemd", "does not answer", strerror(-n));
	if (!finish_if_over(r))
		listen_to_bus(r);
}

static void on_input(void *user, uint32_t events)
{
	(void)events;
	run_bus(user);
}

static void on_time(void *user)
{
	run_bus(user);
}

static void on_limit(void *user)
{
	struct restarts *r = user;

	fail(r, find_missing(r)->name, "does not come up",
	     "not done within restart-timeout");
	finish_if_over(r);
}

/* A unit that did not run was not to be started. One that starts once has ended. */
static bool is_up(const char *state)
{
	return !strcmp(state, "active") || !strcmp(state, "reloading") ||
	       !strcmp(state, "inactive");
}

/* Takes the answer to the open question of @u. False after fail(). */
static bool take_answer(struct unit *u, sd_bus_message *answer)
{
	u->call = sd_bus_slot_unref(u->call);
	if (!sd_bus_message_is_method_error(answer, NULL))
		return true;
	fail(u->restarts, u->name, "is not started again",
	     sd_bus_message_get_error(answer)->message);
	return false;
}

static int on_state(sd_bus_message *answer, void *user, sd_bus_error *unused)
{
	struct unit *u = user;
	const char *state;
	int r;

	(void)unused;
	if (!take_answer(u, answer))
		return 0;
	r = sd_bus_message_read(answer, "v", "s", &state);
	if (r < 0)
		fail(u->restarts, u->name, "has no state", strerror(-r));
	else if (!is_up(state))
		fail(u->restarts, u->name, "does not come up", state);
	else
		u->up = true;
	return 0;
}

/* A job that is done says that systemd has started it, and not that it runs. */
static void ask_for_state(struct unit *u)
{
	char *path = NULL;
	int r = sd_bus_path_encode(SYSTEMD_PATH "/unit", u->name, &path);

	if (r >= 0)
		r = sd_bus_call_method_async(u->restarts->bus, &u->call,
					     SYSTEMD, path,
					     "org.freedesktop.DBus.Properties",
					     "Get", on_state, u, "ss",
					     SYSTEMD_UNITS, "ActiveState");
	if (r < 0)
		fail(u->restarts, u->name, "has no state", strerror(-r));
	free(path);
}

static int on_job_removed(sd_bus_message *signal, void *user,
			  sd_bus_error *unused)
{
	struct restarts *r = user;
	const char *job, *name, *result;
	uint32_t id;

	(void)unused;
	if (sd_bus_message_read(signal, "uoss", &id, &job, &name, &result) < 0)
		return 0;
	for (size_t i = 0; i < r->names.count; i++) {
		struct unit *u = &r->units[i];

		if (!u->job || strcmp(u->job, job))
			continue;
		if (strcmp(result, "done") && strcmp(result, "skipped"))
			fail(r, u->name, "does not come up", result);
		else
			ask_for_state(u);
	}
	return 0;
}

static int on_job(sd_bus_message *answer, void *user, sd_bus_error *unused)
{
	struct unit *u = user;
	const char *job;
	int r;

	(void)unused;
	if (!take_answer(u, answer))
		return 0;
	r = sd_bus_message_read(answer, "o", &job);
	if (r >= 0) {
		u->job = strdup(job);
		r = u->job ? 0 : -ENOMEM;
	}
	if (r < 0)
		fail(u->restarts, u->name, "is not started again",
		     strerror(-r));
	return 0;
}

/* Without a callback libsystemd 252 would call NULL. */
static int on_subscribed(sd_bus_message *answer, void *user,
			 sd_bus_error *unused)
{
	struct restarts *r = user;

	(void)unused;
	if (sd_bus_message_is_method_error(answer, NULL))
		fail(r, "systemd", "tells of no job",
		     sd_bus_message_get_error(answer)->message);
	return 0;
}

/* The bus keeps the order: who listens first misses no job. */
static int ask(struct restarts *r)
{
	int n = sd_bus_match_signal_async(r->bus, &r->match, SYSTEMD,
					  SYSTEMD_PATH, SYSTEMD_MANAGER,
					  "JobRemoved", on_job_removed, NULL,
					  r);

	if (n >= 0)
		n = sd_bus_call_method_async(r->bus, &r->subscription, SYSTEMD,
					     SYSTEMD_PATH, SYSTEMD_MANAGER,
					     "Subscribe", on_subscribed, r,
					     NULL);
	for (size_t i = 0; n >= 0 && i < r->names.count; i++) {
		struct unit *u = &r->units[i];

		u->restarts = r;
		u->name = r->names.word[i];
		n = sd_bus_call_method_async(r->bus, &u->call, SYSTEMD,
					     SYSTEMD_PATH, SYSTEMD_MANAGER,
					     "TryRestartUnit", on_job, u, "ss",
					     u->name, "replace");
	}
	return n;
}

static int begin(struct restarts *r, const struct words *units, uint64_t limit)
{
	int n;

	for (size_t i = 0; i < units->count; i++) {
		if (!words_add(&r->names, units->word[i]))
			return -ENOMEM;
	}
	r->units = calloc(units->count, sizeof(*r->units));
	r->timer = loop_add_timer(r->loop, on_time, r);
	r->limit = loop_add_timer(r->loop, on_limit, r);
	if (!r->units || !r->timer || !r->limit)
		return -ENOMEM;
	n = sd_bus_open_system(&r->bus);
	if (n >= 0)
		n = sd_bus_set_method_call_timeout(r->bus, limit);
	if (n < 0)
		return n;
	r->input = loop_add_io(r->loop, sd_bus_get_fd(r->bus), 0, on_input, r);
	if (!r->input)
		return -errno;
	loop_arm(r->limit, limit);
	return ask(r);
}

struct restarts *systemd_restart(struct loop *loop, const struct words *units,
				 uint64_t limit, restarts_done_fn *done,
				 void *user)
{
	struct restarts *r = calloc(1, sizeof(*r));
	int n;

	if (!r)
		return NULL;
	r->loop = loop;
	r->done = done;
	r->user = user;
	n = begin(r, units, limit);
	if (n >= 0) {
		listen_to_bus(r);
		return r;
	}
	if (n == -ENOMEM || !r->limit) {
		restarts_free(r);
		return NULL;
	}
	/* From the loop, so that done is never called before this returns. */
	fail(r, units->word[0], "is not started again", strerror(-n));
	loop_arm(r->limit, 0);
	return r;
}

void systemd_restart_cancel(struct restarts *r)
{
	if (r)
		restarts_free(r);
}
