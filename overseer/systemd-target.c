// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "log.h"
#include "systemd.h"

#define TARGET "sysgenid-ready.target"

struct target {
	struct loop *loop;
	sd_bus *bus;
	/* Of @bus; NULL without one. */
	struct loop_source *input, *timer;
	sd_bus_slot *call;
	struct backoff *again;
	/* Whether anything was asked yet, and what. */
	bool asked, ready;
	/* One line for one trouble, however often it is met. */
	bool complained;
};

static void target_ask(struct target *t);
static void target_failed(struct target *t, const char *why);

static void on_again(void *user)
{
	target_ask(user);
}

static void close_bus(struct target *t)
{
	t->input = loop_remove(t->input);
	t->bus = sd_bus_close_unref(t->bus);
}

/* What the bus waits for changes with each call. */
static void listen_to_bus(struct target *t)
{
	uint64_t end = UINT64_MAX;
	int events;

	if (!t->bus || !t->input)
		return;
	events = sd_bus_get_events(t->bus);
	/* Those of poll(2) have the same numbers. */
	loop_set_events(t->input, events < 0 ? 0 : (uint32_t)events);
	loop_disarm(t->timer);
	if (sd_bus_get_timeout(t->bus, &end) > 0 && end != UINT64_MAX)
		loop_arm(t->timer, end > loop_now() ? end - loop_now() : 0);
}

static void run_bus(struct target *t)
{
	int r;

	do {
		r = sd_bus_process(t->bus, NULL);
	} while (r > 0);
	if (r >= 0) {
		listen_to_bus(t);
		return;
	}
	close_bus(t);
	if (!t->call)
		return;
	t->call = sd_bus_slot_unref(t->call);
	target_failed(t, strerror(-r));
}

static void on_input(void *user, uint32_t events)
{
	(void)events;
	run_bus(user);
}

static void on_time(void *user)
{
	struct target *t = user;

	if (t->bus)
		run_bus(t);
}

struct target *systemd_target_new(struct loop *loop)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->loop = loop;
	t->again = backoff_new(loop, on_again, t);
	t->timer = loop_add_timer(loop, on_time, t);
	if (t->again && t->timer)
		return t;
	systemd_target_free(t);
	return NULL;
}

void systemd_target_free(struct target *t)
{
	if (!t)
		return;
	backoff_free(t->again);
	loop_remove(t->timer);
	/* What was asked is to go out; its answer is for nobody. */
	if (t->bus)
		sd_bus_flush(t->bus);
	sd_bus_slot_unref(t->call);
	close_bus(t);
	free(t);
}

static void target_failed(struct target *t, const char *why)
{
	if (!t->complained)
		log_error(TARGET " cannot be %s, which is tried again: %s",
			  t->ready ? "started" : "stopped", why);
	t->complained = true;
	backoff_arm(t->again);
}

static int on_answer(sd_bus_message *answer, void *user, sd_bus_error *unused)
{
	struct target *t = user;

	(void)unused;
	t->call = sd_bus_slot_unref(t->call);
	if (sd_bus_message_is_method_error(answer, NULL)) {
		target_failed(t, sd_bus_message_get_error(answer)->message);
		return 0;
	}
	t->complained = false;
	backoff_reset(t->again);
	return 0;
}

/* A bus that was restarted has hung up. */
static int open_bus(struct target *t)
{
	int r;

	if (t->bus && sd_bus_is_open(t->bus) > 0)
		return 0;
	close_bus(t);
	r = sd_bus_open_system(&t->bus);
	if (r < 0)
		return r;
	t->input = loop_add_io(t->loop, sd_bus_get_fd(t->bus), 0, on_input, t);
	return t->input ? 0 : -errno;
}

static void target_ask(struct target *t)
{
	int r;

	/* The answer to an older question counts no more. */
	t->call = sd_bus_slot_unref(t->call);
	r = open_bus(t);
	if (r >= 0)
		r = sd_bus_call_method_async(
			t->bus, &t->call, "org.freedesktop.systemd1",
			"/org/freedesktop/systemd1",
			"org.freedesktop.systemd1.Manager",
			t->ready ? "StartUnit" : "StopUnit", on_answer, t, "ss",
			TARGET, "replace");
	if (r < 0)
		target_failed(t, strerror(-r));
	else
		listen_to_bus(t);
}

/*
 * "systemctl restart" has systemd start the target again as soon as the overseer
 * says that it runs. Until systemd has agreed to a stop that may not be said.
 */
static void target_wait(struct target *t)
{
	int r = 1;

	while (t->call && r > 0) {
		r = sd_bus_process(t->bus, NULL);
		if (!r)
			r = sd_bus_wait(t->bus, SYSTEMD_LIMIT);
	}
	listen_to_bus(t);
}

void systemd_target_set(struct target *t, bool ready)
{
	const bool first = !t->asked;

	if (t->asked && t->ready == ready)
		return;
	t->asked = true;
	t->ready = ready;
	t->complained = false;
	backoff_reset(t->again);
	target_ask(t);
	if (first && !ready)
		target_wait(t);
}
