/* SPDX-License-Identifier: MIT */
#ifndef QUIESCING_H
#define QUIESCING_H

#include "machine-inside.h"

/* To rest before a snapshot, and back. */

void on_thawed(void *user, const char *failed);
/* Forced is what was asked for then: a generation that came since is adjusted to. */
void on_thawed_by_force(void *user, const char *failed);
/* Back, with nothing changed. */
void reopen(struct machine *m, commands_done_fn *done);
/* The gate may be open still: what was read is not left to its event. */
void leave_quiescing(struct machine *m, uint32_t generation);
/*
 * The clock may have jumped at a resume, before anything has told of it: the
 * generation counts, not the time.
 */
void on_lease(void *user);

#endif /* QUIESCING_H */
