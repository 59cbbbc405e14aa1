/* SPDX-License-Identifier: MIT */
#ifndef GATE_NFTABLES_H
#define GATE_NFTABLES_H

#include <stdbool.h>

#include "config.h"
#include "state.h"

/* "gate = nftables": rules that close the network, and remember why. gate.h says more of each function. */
struct gate_nftables;

/* @watches: somebody else's changes are noticed. NULL after a complaint. */
struct gate_nftables *gate_nftables_new(const struct config *c, bool watches);
void gate_nftables_free(struct gate_nftables *gate);

/* Whether there are rules of ours, whoever left them: 1, 0 or -errno. */
int gate_nftables_is_there(void);
enum recalled gate_nftables_recall(struct gate_nftables *gate,
				   struct situation *s);
/* NULL: the rules are removed. */
bool gate_nftables_set(struct gate_nftables *gate, const struct situation *s);
bool gate_nftables_close_on_top(struct gate_nftables *gate);

int gate_nftables_fd(const struct gate_nftables *gate);
/* Whether somebody changed the rules, or an interface came; each is told once. */
bool gate_nftables_changed(struct gate_nftables *gate, bool *rules);
/* False: the next gate_nftables_set() writes all of it. */
bool gate_nftables_is_in_place(struct gate_nftables *gate,
			       const struct situation *s);

#endif /* GATE_NFTABLES_H */
