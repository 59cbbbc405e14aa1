// SPDX-License-Identifier: MIT
/* What a host asks for; answering.c has what it is told. */
#define _GNU_SOURCE
#include <string.h>

#include "adjusting.h"
#include "answering.h"
#include "machine-inside.h"
#include "machine.h"
#include "publishing.h"
#include "restore.h"
#include "standing.h"
#include "steps.h"
#include "waiters.h"

/*
 * Without an id that differs in each clone: the request is the trigger, and its entropy
 * what differs. 0 or -errno.
 */
static int trigger_for(struct machine *m, const struct request *r,
		       uint32_t *generation)
{
	const uint32_t before = *generation;
	int failed;

	/* Who publishes has the machine adjusted at once. */
	restore_begin(&m->restore, r, before + 1);
	request_wipe_entropy(&m->restore.request);
	if (m->publishing) {
		*generation = publishing_trigger(m->publishing, r->entropy,
						 r->entropy_len);
		return 0;
	}
	failed = sysgenid_trigger(m->g, before, r->entropy, r->entropy_len,
				  generation);
	if (failed)
		restore_forget(&m->restore);
	return failed;
}

/* NULL, or a word for what forbids it now; @why says more. */
static const char *obstacle(const struct machine *m,
			    const struct sysgenid_info *info, bool has_id,
			    const char **why)
{
	const bool is_new = info->generation != m->now.generation;

	if (restore_is_of(&m->restore, info->generation) &&
	    restore_is_under_way(&m->restore)) {
		*why = "another request of this generation is under way";
		return "busy";
	}
	if (!has_id)
		return NULL;
	*why = "the hardware id has not changed: no restore was seen since the last answer, or since the machine started";
	if (info->source == SYSGENID_SOURCE_NONE ||
	    (restore_is_of(&m->restore, info->generation) &&
	     m->restore.was_ready))
		return "not-restored";
	if (!is_new &&
	    (m->now.state == QUIESCING || m->stored.state == QUIESCED)) {
		*why = "the hardware id has not changed since the machine was quiesced; resume opens it";
		return "not-restored";
	}
	return NULL;
}

/* The answer is waited for from here on. */
static void adjust_for_host(struct machine *m, uint32_t generation,
			    answer_fn *answer, void *user)
{
	if (m->restore.answer) {
		answer(user, ANSWER_DONE, m->restore.answer);
		return;
	}
	if (!waiters_add(&m->restore.waiters, answer, user)) {
		restore_forget(&m->restore);
		return;
	}
	if (m->now.state == QUIESCING)
		waiters_answer(&m->waiters, ANSWER_FAILED,
			       "the host restored the machine");
	if (m->now.generation != generation || !m->publishing ||
	    m->now.state != ADJUSTING)
		adjust(m, generation);
}

static void restore_with_entropy(struct machine *m, const struct request *r,
				 uint32_t generation, answer_fn *answer,
				 void *user)
{
	int failed;

	if (!r->entropy_len) {
		hold(m, ENTROPY_MISSING,
		     "there is no hardware id that differs in each clone, and the host sent no entropy");
		refuse(m, r, "entropy-required", m->about, answer, user);
		return;
	}
	failed = trigger_for(m, r, &generation);
	if (failed) {
		hold(m, NOT_RESEEDED,
		     "the entropy of the host could not be mixed");
		refuse(m, r, "held", strerror(-failed), answer, user);
		return;
	}
	adjust_for_host(m, generation, answer, user);
}

void machine_restore(struct machine *m, const struct request *r,
		     answer_fn *answer, void *user)
{
	struct sysgenid_info info = { 0 };
	const char *error, *why = NULL;
	char refused[256];
	bool has_id;

	if (m->ending || (!m->started && !machine_begin(m))) {
		refuse(m, r, "not-ready",
		       m->ending ? "the overseer ends" : m->about, answer,
		       user);
		return;
	}
	if (!steps_accept(m->config, r, refused, sizeof(refused))) {
		refuse(m, r, "not-configured", refused, answer, user);
		return;
	}
	if (m->publishing)
		publishing_look(m->publishing);
	if (!read_or_hold(m, &info.generation) ||
	    sysgenid_get_info(m->g, &info, sizeof(info))) {
		refuse(m, r, "held", "the generation cannot be read", answer,
		       user);
		return;
	}
	if (restore_is_of(&m->restore, info.generation) &&
	    request_has_nonce(&m->restore.request, r->nonce, r->nonce_len)) {
		if (m->restore.answer)
			answer(user, ANSWER_DONE, m->restore.answer);
		else
			waiters_add(&m->restore.waiters, answer, user);
		return;
	}
	has_id = !m->publishing && info.sources & 1u << SYSGENID_SOURCE_VMGENID;
	error = obstacle(m, &info, has_id, &why);
	if (error) {
		refuse(m, r, error, why, answer, user);
		return;
	}
	if (!has_id) {
		restore_with_entropy(m, r, info.generation, answer, user);
		return;
	}
	restore_begin(&m->restore, r, info.generation);
	adjust_for_host(m, info.generation, answer, user);
}
