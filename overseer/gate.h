/* SPDX-License-Identifier: MIT */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "state.h"

/*
 * What closes the network, and remembers why: in a file, and with nftables also
 * in the rules. Each changes in one step. "nft flush ruleset" takes the rules
 * away, together with what they remember, while no overseer may be running. The gate
 * in the kernel stays as it is, and shuts by itself at a new generation.
 */
struct gate;

/* NULL after a complaint. */
struct gate *gate_new(const struct config *c);
void gate_free(struct gate *gate);

/*
 * What the last one to run here left, under this kind of gate or under another.
 * If another: gate_set() takes that away, once its own is in place.
 */
enum recalled gate_recall(struct gate *gate, struct situation *s);
/*
 * Closed, unless READY. False after a complaint: it may be as it was. The gate in the
 * kernel is not opened for a generation that is not the current one.
 */
bool gate_set(struct gate *gate, const struct situation *s);
/* Closed, whatever is remembered, which stays as it is. False after a complaint. */
bool gate_close_on_top(struct gate *gate);
/* Takes all kinds away, with what they remember. False after a complaint. */
bool gate_remove(struct gate *gate);
/* Which kind an overseer has left here; what cannot be seen counts as left. */
enum gate_kind gate_left(void);
/* Whether one of any kind may be there. */
bool gate_is_there(void);

/* Packets that the gate in the kernel dropped since it was armed. False: that kind is not there, or does not tell. */
bool gate_dropped(const struct gate *gate, uint64_t *in, uint64_t *out);

/* Has these events when somebody changed the gate, or an interface came; -1: nobody tells. */
int gate_fd(const struct gate *gate);
uint32_t gate_events(const struct gate *gate);
/*
 * To be called then: puts back what is not there any more. False after a
 * complaint: it is not what @s asks for. NULL asks for nothing.
 */
bool gate_check(struct gate *gate, const struct situation *s);

#endif /* GATE_H */
