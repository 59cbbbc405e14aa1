// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sysgenid.h>

#include "armed.h"
#include "gate-kernel.h"
#include "log.h"

struct gate_kernel {
	const struct config *config;
	struct sysgenid *g;
	/* The kernel has the exceptions of @config. */
	bool armed;
};

static const char *advice(int error)
{
	switch (error) {
	case -EACCES:
		return "not permitted: it takes CAP_NET_ADMIN, and CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE";
	case -EPERM:
		return "the module parameter gate=off forbids it: boot without sysgenid.gate=off, or set gate = none";
	case -EINVAL:
		return "the driver refuses the exceptions";
	default:
		return strerror(-error);
	}
}

static bool complain(const char *what, int error)
{
	log_error("gate = kernel: cannot %s: %s", what, advice(error));
	return false;
}

static bool has_gate(const struct gate_kernel *k)
{
	struct sysgenid_info info;
	int r = sysgenid_get_info(k->g, &info, sizeof(info));

	if (r)
		return complain("ask the driver", r);
	if (!(info.features & SYSGENID_FEATURE_GATE))
		log_error(
			"gate = kernel: this kernel or this driver has no gate: load a newer sysgenid on a kernel with CONFIG_NETFILTER_INGRESS, or set gate = nftables");
	return info.features & SYSGENID_FEATURE_GATE;
}

struct gate_kernel *gate_kernel_new(const struct config *c)
{
	struct gate_kernel *k = calloc(1, sizeof(*k));
	int r;

	if (!k) {
		log_error("no memory for the gate");
		return NULL;
	}
	k->config = c;
	r = sysgenid_open(&k->g, 0);
	if (r) {
		k->g = NULL;
		log_error(
			"gate = kernel: " SYSGENID_DEVICE
			": %s; load the module sysgenid, or set gate = nftables",
			strerror(-r));
	} else if (has_gate(k)) {
		return k;
	}
	gate_kernel_free(k);
	return NULL;
}

void gate_kernel_free(struct gate_kernel *k)
{
	if (!k)
		return;
	if (k->g)
		sysgenid_close(k->g);
	free(k);
}

static int call(const struct gate_kernel *k, uint32_t operation,
		struct sysgenid_gate_args *now)
{
	*now = (struct sysgenid_gate_args){ .operation = operation };
	return sysgenid_gate(k->g, now);
}

static bool get(const struct gate_kernel *k, struct sysgenid_gate_args *now)
{
	int r = call(k, SYSGENID_GATE_GET, now);

	return !r || complain("look at the gate", r);
}

enum recalled gate_kernel_recall(struct gate_kernel *k, struct situation *s)
{
	struct sysgenid_gate_args now;

	if (!get(k, &now))
		return CANNOT_LOOK;
	*s = (struct situation){ .generation = now.opened };
	/* A reason that a later driver may have is one to adjust. */
	s->state = now.reason == SYSGENID_GATE_WHY_GENERATION ? READY : HELD;
	return now.state == SYSGENID_GATE_IS_SHUT &&
			       now.reason != SYSGENID_GATE_WHY_ARMED ?
		       RECALLED :
		       NOTHING_THERE;
}

static void tell_limits(const struct sysgenid_gate_args *now)
{
	if (now->flags & SYSGENID_GATE_WITHOUT_ID)
		log_warning(
			"gate = kernel: this machine has no hardware id: packets pass in a clone until somebody triggers a generation");
	if (now->flags & SYSGENID_GATE_IP_ONLY)
		log_warning(
			"gate = kernel: this kernel has no netdev egress hook: packet sockets and ARP can send while the gate is shut");
}

/*
 * @flags: 0, which leaves it open or shut, or to open for @generation in the same
 * step. 0 or -errno.
 */
static int arm(struct gate_kernel *k, uint32_t flags, uint32_t generation,
	       struct sysgenid_gate_args *now)
{
	static const uint32_t tries[] = { 0, SYSGENID_GATE_WITHOUT_ID };
	int r = -EOPNOTSUPP;

	for (int i = 0; i < 2 && r == -EOPNOTSUPP; i++) {
		*now = (struct sysgenid_gate_args){
			.operation = SYSGENID_GATE_ARM,
			.flags = flags | tries[i],
			.generation = generation,
		};
		exceptions_put(&k->config->except, now);
		r = sysgenid_gate(k->g, now);
	}
	k->armed = !r;
	if (!r)
		tell_limits(now);
	return r;
}

static bool open_for(struct gate_kernel *k, uint32_t generation)
{
	struct sysgenid_gate_args now = {
		.operation = SYSGENID_GATE_OPEN,
		.generation = generation,
	};
	int r = k->armed ? sysgenid_gate(k->g, &now) :
			   arm(k, SYSGENID_GATE_AT_ONCE, generation, &now);

	if (r && r != -ESTALE)
		return complain("open the gate", r);
	if (!r && now.state == SYSGENID_GATE_IS_OPEN)
		return true;
	log_notice("gate = kernel: generation %" PRIu32
		   " is not the current one any more",
		   generation);
	return false;
}

/* Shut first: until then the exceptions are those of an older configuration. */
static bool shut(struct gate_kernel *k, struct sysgenid_gate_args *now)
{
	int r = 0;

	if (now->state == SYSGENID_GATE_IS_OPEN)
		r = call(k, SYSGENID_GATE_SHUT, now);
	if (!r && !k->armed)
		r = arm(k, 0, 0, now);
	if (r)
		return complain("shut the gate", r);
	if (now->state != SYSGENID_GATE_IS_SHUT)
		log_error("gate = kernel: somebody opens the gate");
	return now->state == SYSGENID_GATE_IS_SHUT;
}

bool gate_kernel_set(struct gate_kernel *k, const struct situation *s)
{
	struct sysgenid_gate_args now;

	if (!get(k, &now))
		return false;
	if (k->armed && now.state == SYSGENID_GATE_DISARMED) {
		log_warning("somebody disarmed the gate: armed again");
		k->armed = false;
	}
	if (!k->armed && !armed_note())
		return false;
	if (s->state != READY)
		return shut(k, &now);
	return (k->armed && now.state == SYSGENID_GATE_IS_OPEN &&
		now.opened == s->generation) ||
	       open_for(k, s->generation);
}

bool gate_kernel_close_on_top(struct gate_kernel *k)
{
	const struct situation held = { .state = HELD };
	struct sysgenid_gate_args now;
	int r = 0;

	if (!get(k, &now))
		return false;
	if (now.state == SYSGENID_GATE_DISARMED)
		return gate_kernel_set(k, &held);
	if (now.state == SYSGENID_GATE_IS_OPEN)
		r = call(k, SYSGENID_GATE_SHUT, &now);
	return !r || complain("shut the gate", r);
}

bool gate_kernel_remove(struct gate_kernel *k)
{
	struct sysgenid_gate_args now;
	int r = call(k, SYSGENID_GATE_DISARM, &now);

	if (r)
		return complain("disarm the gate", r);
	k->armed = false;
	return armed_forget();
}
