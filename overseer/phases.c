// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "phases.h"

/* clang-format off */
static const char *const names[PHASES] = {
	[PHASE_GATE] = "gate",
	[PHASE_CONNECTIONS] = "connections",
	[PHASE_ENTROPY] = "entropy",
	[PHASE_SESSIONS] = "sessions",
	[PHASE_CLOCK] = "clock",
	[PHASE_HOST_NAME] = "host-name",
	[PHASE_MACHINE_ID] = "machine-id",
	[PHASE_INTERFACES] = "interfaces",
	[PHASE_WIPE] = "wipe",
	[PHASE_HOOKS] = "hooks",
	[PHASE_RESTART] = "restart",
	[PHASE_WATCHERS] = "watchers",
	[PHASE_OPENING] = "opening",
};
/* clang-format on */

uint64_t phases_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void phases_begin(struct phases *p, uint64_t at)
{
	*p = (struct phases){ .began = at, .ended = at };
}

void phases_end(struct phases *p, enum phase phase)
{
	const uint64_t now = phases_now();

	if (!p->began)
		return;
	if (now > p->ended)
		p->took[phase] += now - p->ended;
	p->ended = now;
}

const char *phase_name(enum phase phase)
{
	return names[phase];
}

double phases_ms(uint64_t ns)
{
	return (double)(ns / 1000) / 1000;
}

uint64_t phases_total(const struct phases *p)
{
	return p->ended > p->began ? p->ended - p->began : 0;
}

void phases_describe(const struct phases *p, char *text, size_t size)
{
	size_t len = 0;

	text[0] = 0;
	for (int i = 0; i < PHASES && len < size; i++) {
		if (!p->took[i])
			continue;
		snprintf(text + len, size - len, "%s%s %.1f", len ? ", " : "",
			 names[i], phases_ms(p->took[i]));
		len = strlen(text);
	}
}

/* %.3f and not json-c's 17 digits. */
static struct json_object *json_ms(uint64_t ns)
{
	struct json_object *ms = json_object_new_double(phases_ms(ns));

	json_object_set_serializer(ms, json_object_double_to_json_string,
				   (void *)(uintptr_t) "%.3f", NULL);
	return ms;
}

struct json_object *phases_json(const struct phases *p)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < PHASES; i++) {
		if (p->took[i])
			json_object_object_add(o, names[i],
					       json_ms(p->took[i]));
	}
	return o;
}
