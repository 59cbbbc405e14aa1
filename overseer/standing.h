/* SPDX-License-Identifier: MIT */
#ifndef STANDING_H
#define STANDING_H

#include "machine-inside.h"

/* What the machine is, and where each step leads that fails. */

/* From each time that somebody asks for it, or that an overseer finds it so. */
void start_lease(struct machine *m);
/*
 * Everybody is told, in order. That the machine adjusts can wait until it is ready:
 * log, host and systemd take longer than the way there. Whether the gate followed
 * is the matter of enter() and hold().
 */
void become(struct machine *m, enum state state, uint32_t generation,
	    bool until_resume);
enum state state_with(const struct machine *m, enum event event);
/* The gate first. False: nothing has changed but what the gate may have done; hold(). */
bool enter(struct machine *m, enum event event, uint32_t generation,
	   bool until_resume);
void stop_work(struct machine *m);
/*
 * Truthful. One that cannot be read leads to hold(), which asks again: until then its
 * descriptor would be ready for ever.
 */
bool read_generation(struct machine *m, uint32_t *generation);
/*
 * Where every step leads that failed. The machine is held even if the gate cannot
 * be closed: that is said, and tried again. @why is not m->about.
 */
void hold(struct machine *m, enum event event, const char *why);
bool read_or_hold(struct machine *m, uint32_t *generation);

#endif /* STANDING_H */
