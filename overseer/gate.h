/* SPDX-License-Identifier: MIT */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>

#include "config.h"
#include "state.h"

/*
 * What closes the network, and remembers why. Both change in one step: with
 * nftables in one transaction, without a gate in a file that is renamed.
 */
struct gate;

/* NULL after a complaint. */
struct gate *gate_new(const struct config *c);
void gate_free(struct gate *gate);

/* What the last one to run here left; false if nobody did. */
bool gate_recall(struct gate *gate, struct situation *s);
/* Closed, unless READY. False after a complaint: it is then as it was. */
bool gate_set(struct gate *gate, const struct situation *s);
/* Takes it away, with what it remembers. */
bool gate_remove(struct gate *gate);

/* Readable when somebody changed the rules or an interface came; -1 if none can. */
int gate_fd(const struct gate *gate);
/* To be called then: puts back what is not there any more. */
void gate_check(struct gate *gate, const struct situation *s);

#endif /* GATE_H */
