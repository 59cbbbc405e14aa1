/* SPDX-License-Identifier: MIT */
#ifndef ADJUSTING_H
#define ADJUSTING_H

#include "machine-inside.h"

/* From a new generation to the open gate. */

void renew(const struct machine *m);
void forget_frozen(void);
/* Two looks at the generation: before the gate is opened, and before anybody is told. */
void open_up(struct machine *m, enum event event);
/* The kernel resets what it destroys; the peer must not get that, as it ends the connection of the sibling. */
bool destroys_connections(const struct config *c);
/* False: the machine is held. A new generation, or force, ends that. */
bool is_reseeded(struct machine *m, bool *outdated);
/* What it says of another generation does not matter: open_up() looks at that. */
void on_settling(void *user);
void open_when_settled(struct machine *m);
void adjust(struct machine *m, uint32_t generation);
void look_at_generation(struct machine *m);

#endif /* ADJUSTING_H */
