// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "backend.h"
#include "journal.h"
#include "log.h"
#include "machine-inside.h"
#include "metrics.h"
#include "notify.h"
#include "phases.h"
#include "replace.h"
#include "telling.h"

struct json_object *telling_status(const struct machine *m)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "scope", json_object_new_string("system"));
	json_object_object_add(
		o, "state", json_object_new_string(state_name(m->now.state)));
	json_object_object_add(o, "generation",
			       json_object_new_int64(m->now.generation));
	if (m->now.state == READY && m->phases.began) {
		struct json_object *ms = json_object_new_double(
			phases_ms(phases_total(&m->phases)));

		json_object_set_serializer(ms,
					   json_object_double_to_json_string,
					   (void *)(uintptr_t) "%.1f", NULL);
		json_object_object_add(o, "ms", ms);
	}
	json_object_object_add(o, "laggards",
			       json_object_new_int64(m->laggards));
	if (m->about[0])
		json_object_object_add(o, "about",
				       json_object_new_string(m->about));
	if (m->wrong[0] && m->started)
		json_object_object_add(o, "configuration",
				       json_object_new_string(m->wrong));
	if (m->kept[0])
		json_object_object_add(o, "not-reset",
				       json_object_new_string(m->kept));
	if (m->unwiped[0])
		json_object_object_add(o, "not-wiped",
				       json_object_new_string(m->unwiped));
	return o;
}

static void tell(struct machine *m)
{
	struct json_object *line = telling_status(m);

	announcer_say(m->announcer, line);
	json_object_put(line);
}

static const struct metrics *metrics_of(struct machine *m)
{
	m->metrics.now = m->now;
	m->metrics.has_dropped = m->gate &&
				 gate_dropped(m->gate, &m->metrics.dropped_in,
					      &m->metrics.dropped_out);
	return &m->metrics;
}

struct json_object *telling_metrics(struct machine *m)
{
	return metrics_json(metrics_of(m));
}

static void write_metrics(struct machine *m)
{
	char *text;
	int r;

	if (!m->config->metrics)
		return;
	text = metrics_text(metrics_of(m));
	r = text ? replace_file(m->config->metrics, text) : -ENOMEM;
	free(text);
	if (r && !m->unwritten)
		log_error("%s: %s", m->config->metrics, strerror(-r));
	m->unwritten = r;
}

static void log_ready(const struct machine *m)
{
	char took[256];

	if (!m->phases.began) {
		journal_line(LOG_NOTICE, JOURNAL_READY, &m->now, NULL,
			     "ready at generation %" PRIu32, m->now.generation);
		return;
	}
	phases_describe(&m->phases, took, sizeof(took));
	journal_line(LOG_NOTICE, JOURNAL_READY, &m->now, &m->phases,
		     "ready at generation %" PRIu32
		     ", %.1f ms after it was published: %s ms; %u laggards",
		     m->now.generation, phases_ms(phases_total(&m->phases)),
		     took, m->laggards);
}

void tell_everybody(struct machine *m)
{
	m->untold = false;
	loop_disarm(m->telling);
	if (m->now.state == ADJUSTING)
		log_notice("generation %" PRIu32 ": adjusting",
			   m->now.generation);
	tell(m);
	notify_status("%s at generation %" PRIu32 "%s%s",
		      state_name(m->now.state), m->now.generation,
		      m->about[0] ? ": " : "", m->about);
	m->backend->target_set(m->target, m->now.state == READY);
	write_metrics(m);
	if (m->unlogged)
		log_ready(m);
	m->unlogged = false;
}

void on_telling(void *user)
{
	tell_everybody(user);
}
