// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "log.h"
#include "target.h"

#define TARGET "sysgenid-ready.target"

enum told {
	NOTHING,
	READY,
	NOT_READY,
};

struct target {
	sd_event *event;
	sd_bus *bus;
	enum told told;
};

struct target *target_new(sd_event *event)
{
	struct target *t = calloc(1, sizeof(*t));

	if (t)
		t->event = event;
	return t;
}

void target_free(struct target *t)
{
	if (!t)
		return;
	sd_bus_flush_close_unref(t->bus);
	free(t);
}

static int on_answer(sd_bus_message *answer, void *user, sd_bus_error *unused)
{
	(void)user;
	(void)unused;
	if (sd_bus_message_is_method_error(answer, NULL))
		log_warning(TARGET ": %s",
			    sd_bus_message_get_error(answer)->message);
	return 0;
}

/* A bus that was restarted has hung up. */
static int open_bus(struct target *t)
{
	int r;

	if (t->bus && sd_bus_is_open(t->bus) > 0)
		return 0;
	t->bus = sd_bus_close_unref(t->bus);
	r = sd_bus_open_system(&t->bus);
	return r < 0 ? r : sd_bus_attach_event(t->bus, t->event, 0);
}

void target_set(struct target *t, bool ready)
{
	const enum told word = ready ? READY : NOT_READY;
	int r;

	if (t->told == word)
		return;
	r = open_bus(t);
	if (r >= 0)
		r = sd_bus_call_method_async(t->bus, NULL,
					     "org.freedesktop.systemd1",
					     "/org/freedesktop/systemd1",
					     "org.freedesktop.systemd1.Manager",
					     ready ? "StartUnit" : "StopUnit",
					     on_answer, NULL, "ss", TARGET,
					     "replace");
	if (r < 0)
		log_warning(TARGET ": %s", strerror(-r));
	else
		t->told = word;
}
