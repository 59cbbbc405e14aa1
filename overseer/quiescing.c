// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>

#include "adjusting.h"
#include "backend.h"
#include "log.h"
#include "machine-inside.h"
#include "machine.h"
#include "phases.h"
#include "publishing.h"
#include "quiescing.h"
#include "restore.h"
#include "standing.h"
#include "waiters.h"
#include "work.h"

void on_thawed(void *user, const char *failed)
{
	struct machine *m = user;

	if (failed) {
		hold(m, THAW_FAILED, failed);
		return;
	}
	forget_frozen();
	if (is_reseeded(m, NULL))
		open_up(m, REOPENED);
}

void on_thawed_by_force(void *user, const char *failed)
{
	struct machine *m = user;

	if (failed) {
		log_error("%s", failed);
		snprintf(m->about, sizeof(m->about),
			 "opened by force, though %s", failed);
	} else {
		forget_frozen();
	}
	open_up(m, FORCED);
}

void reopen(struct machine *m, commands_done_fn *done)
{
	m->phases = (struct phases){ 0 };
	if (!work_thaw(&m->work, m->config, done, m))
		done(m, "no memory to thaw units");
}

static void on_quiesced(void *user, const char *failed)
{
	struct machine *m = user;
	uint32_t generation;

	if (failed) {
		log_error("cannot be quiesced: %s", failed);
		waiters_answer(&m->waiters, ANSWER_FAILED, failed);
		reopen(m, on_thawed);
		return;
	}
	if (!read_or_hold(m, &generation))
		return;
	if (generation != m->now.generation) {
		waiters_answer(&m->waiters, ANSWER_FAILED,
			       "there is a new generation already");
		adjust(m, generation);
		return;
	}
	if (!enter(m, QUIESCE_DONE, generation, m->now.until_resume)) {
		waiters_answer(&m->waiters, ANSWER_FAILED,
			       "the gate cannot be closed");
		reopen(m, on_thawed);
		return;
	}
	log_notice("quiesced at generation %" PRIu32, generation);
	waiters_answer(&m->waiters, ANSWER_DONE, NULL);
}

/* @why: of sizeof(m->about) bytes. */
static bool may_freeze(struct machine *m, char *why)
{
	return work_may_freeze(m->backend, m->config, m->asks, why,
			       sizeof(m->about)) > 0;
}

/*
 * Hooks have run, with the network that they may need. Then the gate, so that nothing
 * comes in that frozen programs would have to answer, and what leaves can end.
 * Processes may have moved to other units since "quiesce" was asked.
 */
static void on_hooks_of_quiesce(void *user, const char *failed)
{
	struct machine *m = user;
	char why[sizeof(m->about)];

	if (failed || !may_freeze(m, why)) {
		on_quiesced(m, failed ? failed : why);
		return;
	}
	if (!gate_set(m->gate, &m->now)) {
		on_quiesced(m, "the gate cannot be closed");
		return;
	}
	m->stored = m->now;
	if (!work_rest(&m->work, m->config, on_quiesced, m))
		on_quiesced(m, "units cannot be frozen");
}

void leave_quiescing(struct machine *m, uint32_t generation)
{
	if (m->now.state == QUIESCING && generation != m->now.generation)
		look_at_generation(m);
}

void machine_quiesce(struct machine *m, bool until_resume, pid_t client,
		     answer_fn *answer, void *user)
{
	struct situation quiescing = { .state = QUIESCING };
	char why[sizeof(m->about)];
	struct commands *cs;

	if (!m->started || m->ending) {
		answer(user, ANSWER_NOT_READY,
		       m->ending ? "the overseer ends" : m->about);
		return;
	}
	if (!read_or_hold(m, &quiescing.generation)) {
		answer(user, ANSWER_FAILED, m->about);
		return;
	}
	if (m->now.state == QUIESCED && !work_is_running(&m->work) &&
	    quiescing.generation == m->now.generation) {
		start_lease(m);
		answer(user, ANSWER_DONE, NULL);
		return;
	}
	if (m->now.state != READY || work_is_running(&m->work) ||
	    m->restarting) {
		answer(user, ANSWER_NOT_READY,
		       "the machine is not ready; see \"sysgenidctl status\"");
		leave_quiescing(m, quiescing.generation);
		return;
	}
	if (quiescing.generation != m->now.generation) {
		answer(user, ANSWER_NOT_READY, "there is a new generation");
		adjust(m, quiescing.generation);
		return;
	}
	m->asks = client;
	if (!may_freeze(m, why)) {
		answer(user, ANSWER_FAILED, why);
		return;
	}
	cs = work_quiesce(&m->work, m->config, &quiescing);
	if (!cs) {
		answer(user, ANSWER_FAILED, "the hooks cannot be run");
		return;
	}
	/* A snapshot is to come: nothing in it answers for a clone. */
	restore_forget(&m->restore);
	become(m, state_with(m, QUIESCE_ASKED), quiescing.generation,
	       until_resume);
	if (waiters_add(&m->waiters, answer, user)) {
		work_run(&m->work, cs, on_hooks_of_quiesce, m);
		return;
	}
	commands_cancel(cs);
	reopen(m, on_thawed);
}

void on_lease(void *user)
{
	struct machine *m = user;
	uint32_t generation;

	if (m->now.state != QUIESCED || work_is_running(&m->work) || m->ending)
		return;
	if (m->publishing)
		publishing_look(m->publishing);
	if (m->now.state != QUIESCED || !read_or_hold(m, &generation))
		return;
	if (generation != m->now.generation) {
		look_at_generation(m);
		return;
	}
	snprintf(m->about, sizeof(m->about),
		 "quiesced for longer than quiesce-limit, and opened again");
	log_warning("%s", m->about);
	reopen(m, on_thawed);
}
