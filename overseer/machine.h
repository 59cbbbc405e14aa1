/* SPDX-License-Identifier: MIT */
#ifndef MACHINE_H
#define MACHINE_H

#include <json-c/json.h>
#include <sys/types.h>

#include "backend.h"
#include "config.h"
#include "gate.h"
#include "loop.h"
#include "request.h"
#include "waiters.h"

/*
 * The machine that is overseen, and what is done on the way from one state to the
 * next; state.c has the table. Every step that can fail leads to held. What may work a
 * moment later is tried again, with back-off; "resume" tries at once.
 *
 *	ready -> quiescing -> quiesced -> adjusting -> ready
 *	                                      |  ^
 *	                                      v  |
 *	                                      held
 *
 * A new generation leads to adjusting from everywhere, or to its start again.
 */
struct machine;

/* @path: of the configuration. NULL: no memory. */
struct machine *machine_new(struct loop *loop, const struct backend *backend,
			    const char *path);
/* Leaves the gate as it is. */
void machine_free(struct machine *m);

/*
 * Reads the configuration and goes on where the last one to run here left off. If it
 * cannot, the machine is held, and it is tried again.
 */
void machine_start(struct machine *m);
/*
 * Reads the configuration again, whole or not at all, and goes on as after a
 * restart. False: it goes on with the old one, and status says what is wrong.
 */
bool machine_reload(struct machine *m);

/*
 * @until_resume: a new generation alone does not end it. @client: the process that
 * asks, which may not be frozen itself.
 */
void machine_quiesce(struct machine *m, bool until_resume, pid_t client,
		     answer_fn *answer, void *user);
/* @force: opens, whatever there is. */
void machine_resume(struct machine *m, bool force, answer_fn *answer,
		    void *user);
/*
 * Makes a new generation, where "publisher =" has the overseer do so. The bytes
 * differ in each clone. The caller gets @error: NULL, or why clones may draw equal
 * bytes all the same. False: the overseer makes no generations.
 */
bool machine_trigger(struct machine *m, const void *bytes, size_t len,
		     uint32_t *generation, const char **error);
/*
 * A valid request of the host. One answer comes when the machine is ready or held,
 * and has the text for the host.
 */
void machine_restore(struct machine *m, const struct request *r,
		     answer_fn *answer, void *user);
/*
 * @renewed: is called with each new generation, and each configuration: connections are
 * as old as the snapshot. NULL: nobody.
 */
typedef void machine_renewed_fn(void *user, const struct config *c);
void machine_on_renewal(struct machine *m, machine_renewed_fn *renewed,
			void *user);
/* Nobody waits for this answer any more. */
void machine_forget(struct machine *m, const void *user);
/* For "systemctl stop": thaws, opens, and ends the loop, with 1 if either failed. */
void machine_release(struct machine *m);

/*
 * Reads the generation, and goes on from there: until the event came, the state would
 * be that of the snapshot.
 */
void machine_look(struct machine *m);
/* {"state": ..., "generation": ...}; to be put. */
struct json_object *machine_status(const struct machine *m);
/* What metrics.h has; to be put. */
struct json_object *machine_metrics(struct machine *m);

#endif /* MACHINE_H */
