/* SPDX-License-Identifier: MIT */
#ifndef MACHINE_H
#define MACHINE_H

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "config.h"
#include "gate.h"

/*
 * The machine that is overseen: its state, and what leads from one to the next.
 *
 *	ready -> quiescing -> quiesced -> adjusting -> ready
 *	                                      |  ^
 *	                                      v  |
 *	                                      held
 *
 * A new generation leads to adjusting from everywhere, or to its start again.
 */
struct machine;

enum answer {
	ANSWER_DONE,
	/* Not now; try again. */
	ANSWER_NOT_READY,
	ANSWER_FAILED,
};

/* @why: one line, or NULL. Called once, perhaps before the request returns. */
typedef void answer_fn(void *user, enum answer answer, const char *why);

struct machine *machine_new(sd_event *event, const struct config *c,
			    struct gate *gate);
/* Leaves the gate as it is. */
void machine_free(struct machine *m);

/* Where the last one to run here left off. False after a complaint. */
bool machine_start(struct machine *m);

/* @until_resume: a new generation alone does not end it. */
void machine_quiesce(struct machine *m, bool until_resume, answer_fn *answer,
		     void *user);
/* @force: opens, whatever there is. */
void machine_resume(struct machine *m, bool force, answer_fn *answer,
		    void *user);
/*
 * A new generation, where "publisher =" has the overseer make them; @bytes differ
 * in each clone. False: it has not.
 */
bool machine_trigger(struct machine *m, const void *bytes, size_t len,
		     uint32_t *generation);
/* Nobody waits for this answer any more. */
void machine_forget(struct machine *m, void *user);
/* For "systemctl stop": thaws, opens, and ends the loop. */
void machine_release(struct machine *m);

/* {"state": ..., "generation": ...}; to be put. */
struct json_object *machine_status(const struct machine *m);

#endif /* MACHINE_H */
