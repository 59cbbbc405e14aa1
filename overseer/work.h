/* SPDX-License-Identifier: MIT */
#ifndef WORK_H
#define WORK_H

#include <stdbool.h>

#include "backend.h"
#include "commands.h"
#include "config.h"
#include "loop.h"
#include "state.h"

/* The commands of one step of the machine: hooks, and units that are frozen and thawed. */
struct work {
	struct loop *loop;
	const struct backend *backend;
	/* NULL: none run. */
	struct commands *commands;
	/* Commands were cut short, whose hooks may still run. */
	bool interrupted;
	commands_done_fn *done;
	void *user;
};

bool work_is_running(const struct work *w);
/* Nobody is told. */
void work_stop(struct work *w);

/*
 * Each ends what was cut short before. False: nothing was begun; a complaint said
 * why, or there is no memory. Else @done is called later, and never before this
 * returns.
 */

/* Hooks, then all is thawed that was frozen. @environment: as add_hook() of the backend. */
bool work_adjust(struct work *w, const struct config *c,
		 const struct situation *s, char *const environment[],
		 commands_done_fn *done, void *user);
bool work_thaw(struct work *w, const struct config *c, commands_done_fn *done,
	       void *user);
/* Freezes what the configuration says, lists what is to be wiped of it, and waits until no packet is on its way out. */
bool work_rest(struct work *w, const struct config *c, commands_done_fn *done,
	       void *user);

/* Whether all that is to be frozen can be thawed again; as freezing_is_safe() of the backend. */
int work_may_freeze(const struct backend *backend, const struct config *c,
		    pid_t client, char *why, size_t size);

/* The hooks of "quiesce", which are looked for before the gate is closed. NULL as above. */
struct commands *work_quiesce(const struct work *w, const struct config *c,
			      const struct situation *s);
void work_run(struct work *w, struct commands *cs, commands_done_fn *done,
	      void *user);

#endif /* WORK_H */
