/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the gate share: gate.c, gate-hooks.c, gate-except.c. */
#ifndef SYSGENID_GATE_H
#define SYSGENID_GATE_H

#include <linux/rcupdate.h>
#include <linux/types.h>

#include <sysgenid/abi.h>

#include "sysgenid.h"

struct net;
struct net_device;
struct sk_buff;

/* gate-except.c: what passes while the gate is shut. Immutable; NULL: nothing. */
struct sysgenid_except;
int sysgenid_except_read(const struct sysgenid_gate_args *arg, struct sysgenid_except **except);
void sysgenid_except_free(struct sysgenid_except *except);
void sysgenid_except_count(const struct sysgenid_except *except, struct sysgenid_gate_args *arg);
bool sysgenid_except_device(const struct sysgenid_except *except, const struct net_device *dev);
bool sysgenid_except_packet(const struct sysgenid_except *except, struct sk_buff *skb,
			    const struct net *net);

/*
 * What the gate was opened for. Immutable.
 *
 * @published, @moves: those of the state. An id that comes back is not the one that
 *	the gate was opened for.
 */
struct sysgenid_opening {
	struct sysgenid_ids ids;
	u64 published;
	u64 moves;
	u32 generation;
	bool triggers_pass;
	struct rcu_head rcu;
};

/*
 * gate-hooks.c: the hooks, and what they look at.
 *
 * @opening: NULL: shut.
 * @devices: on how many there are hooks. Written under RTNL.
 * @dropped_in, @dropped_out: packets.
 */
struct sysgenid_hooks {
	struct sysgenid_opening __rcu *opening;
	struct sysgenid_except __rcu *except;
	unsigned int devices;
	atomic64_t dropped_in;
	atomic64_t dropped_out;
};

extern struct sysgenid_hooks sysgenid_hooks;

int sysgenid_hooks_start(void);
void sysgenid_hooks_stop(void);
bool sysgenid_hooks_open(void);

#endif /* SYSGENID_GATE_H */
