// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "answering.h"
#include "backend.h"
#include "backoff.h"
#include "journal.h"
#include "log.h"
#include "machine-inside.h"
#include "metrics.h"
#include "restore.h"
#include "sessions.h"
#include "standing.h"
#include "telling.h"
#include "waiters.h"
#include "watchers.h"
#include "work.h"

/* Until everybody is told that the machine adjusts, if it is not ready before. */
#define TELLING_PAUSE 50000
/* From the answer to a host until everybody else is told: both may share one processor. */
#define ANSWERING_PAUSE 2000

void start_lease(struct machine *m)
{
	if (m->now.state == QUIESCED && m->config->quiesce_limit)
		loop_arm(m->lease, m->config->quiesce_limit);
	else
		loop_disarm(m->lease);
}

void become(struct machine *m, enum state state, uint32_t generation,
	    bool until_resume)
{
	bool answers;

	if (m->untold)
		tell_everybody(m);
	m->now = (struct situation){ state, generation, until_resume };
	if (state == READY)
		backoff_reset(m->again);
	start_lease(m);
	answers = restore_is_of(&m->restore, generation) &&
		  restore_is_under_way(&m->restore) &&
		  (state == READY || state == HELD);
	if (answers)
		answer_host(m, state == HELD ? "held" : NULL);
	m->untold = answers || state == ADJUSTING;
	if (m->untold)
		loop_arm(m->telling, answers ? ANSWERING_PAUSE : TELLING_PAUSE);
	else
		tell_everybody(m);
}

enum state state_with(const struct machine *m, enum event event)
{
	if (!event_is_possible(m->now.state, event))
		log_error("\"%s\" while %s is not in the table of states",
			  event_name(event), state_name(m->now.state));
	return state_after(m->now.state, event);
}

bool enter(struct machine *m, enum event event, uint32_t generation,
	   bool until_resume)
{
	const struct situation next = { state_with(m, event), generation,
					until_resume };

	if (next.state == HELD || !gate_set(m->gate, &next))
		return false;
	m->stored = next;
	become(m, next.state, generation, until_resume);
	return true;
}

void stop_work(struct machine *m)
{
	backoff_disarm(m->again);
	work_stop(&m->work);
	sessions_cancel(m->sessions);
	m->sessions = NULL;
	watchers_cancel(m->waiting);
	m->waiting = NULL;
	if (m->restarting)
		m->backend->restart_cancel(m->restarting);
	m->restarting = NULL;
	loop_disarm(m->settling);
	m->settles = false;
}

bool read_generation(struct machine *m, uint32_t *generation)
{
	int r = m->g ? sysgenid_read(m->g, generation) : -ENODEV;

	if (m->source && !loop_enable(m->source, !r && !m->ending))
		r = -errno;
	if (r)
		log_error("the generation cannot be read: %s", strerror(-r));
	return !r;
}

/* What a held machine keeps; one that was quiesced is to be so again. */
static bool close_held(struct machine *m, enum way_out out)
{
	if (!m->started)
		return m->gate && gate_close_on_top(m->gate);
	if (out == BY_RESUME || m->stored.state != QUIESCED)
		m->stored =
			(struct situation){ HELD, m->now.generation, false };
	return gate_set(m->gate, &m->stored);
}

void hold(struct machine *m, enum event event, const char *why)
{
	const enum state state = state_with(m, event);
	enum way_out out = event_way_out(event);
	const bool untouched = !m->started && m->wrong[0];

	stop_work(m);
	snprintf(m->about, sizeof(m->about), "%s", why);
	if (!untouched)
		m->unclosed = !close_held(m, out);
	if (m->unclosed) {
		out = BY_TRYING;
		snprintf(
			m->about, sizeof(m->about),
			"%s; the network may be open: the gate cannot be closed",
			why);
	}
	m->metrics.held += m->now.state != HELD;
	journal_line(LOG_ERR, JOURNAL_HELD,
		     &(struct situation){ state, m->now.generation, false },
		     NULL, "held at generation %" PRIu32 ": %s",
		     m->now.generation, m->about);
	if (out == BY_TRYING)
		backoff_arm(m->again);
	become(m, state, m->now.generation, false);
	waiters_answer(&m->waiters, ANSWER_FAILED, m->about);
}

bool read_or_hold(struct machine *m, uint32_t *generation)
{
	if (read_generation(m, generation))
		return true;
	hold(m, GENERATION_UNREADABLE, "the generation cannot be read");
	return false;
}
