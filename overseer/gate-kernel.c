// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sysgenid.h>

#include "armed.h"
#include "gate-kernel.h"
#include "log.h"

#ifndef GATE_ATTRIBUTE
#define GATE_ATTRIBUTE "/sys/class/misc/sysgenid/gate"
#endif

struct gate_kernel {
	const struct config *config;
	struct sysgenid *g;
	/* Of the attribute; -1: nobody tells of changes. */
	int events;
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

/* The kernel tells of the next change when the text of now was read. */
static void drain(const struct gate_kernel *k)
{
	char text[256];

	if (k->events >= 0 && pread(k->events, text, sizeof(text), 0) < 0)
		log_error(GATE_ATTRIBUTE ": %s", strerror(errno));
}

static void open_events(struct gate_kernel *k)
{
	k->events = open(GATE_ATTRIBUTE, O_RDONLY | O_CLOEXEC);
	if (k->events < 0)
		log_notice(
			GATE_ATTRIBUTE
			": %s: that somebody else changes the gate is noticed late",
			strerror(errno));
	drain(k);
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
	k->events = -1;
	r = sysgenid_open(&k->g, 0);
	if (r) {
		k->g = NULL;
		log_error(
			"gate = kernel: " SYSGENID_DEVICE
			": %s; load the module sysgenid, or set gate = nftables",
			strerror(-r));
	} else if (has_gate(k)) {
		open_events(k);
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
	if (k->events >= 0)
		close(k->events);
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
	if (!k->armed && !armed_note(ARMED_KERNEL))
		return false;
	if (s->state != READY)
		return shut(k, &now);
	return (k->armed && now.state == SYSGENID_GATE_IS_OPEN &&
		now.opened == s->generation) ||
	       open_for(k, s->generation);
}

bool gate_kernel_dropped(const struct gate_kernel *k, uint64_t *in,
			 uint64_t *out)
{
	struct sysgenid_gate_args now;

	if (call(k, SYSGENID_GATE_GET, &now) ||
	    now.state == SYSGENID_GATE_DISARMED)
		return false;
	*in = now.dropped_in;
	*out = now.dropped_out;
	return true;
}

int gate_kernel_fd(const struct gate_kernel *k)
{
	return k->events;
}

/* Somebody else's: their numbers tell, as the kernel does not show them. */
static bool has_other_exceptions(const struct gate_kernel *k,
				 const struct sysgenid_gate_args *now)
{
	struct sysgenid_gate_args ours = { 0 };

	exceptions_put(&k->config->except, &ours);
	return now->device_count != ours.device_count ||
	       now->mark_count != ours.mark_count ||
	       now->filter_len != ours.filter_len;
}

/* Of a gate that is armed: what was done to it, but for what makes it shut; or NULL. */
static const char *find_change(const struct gate_kernel *k,
			       const struct sysgenid_gate_args *now,
			       const struct situation *s)
{
	if (now->state == SYSGENID_GATE_IS_OPEN && s->state != READY)
		return "opened the gate: shut";
	if (has_other_exceptions(k, now))
		return "gave the gate other exceptions: armed";
	return NULL;
}

bool gate_kernel_check(struct gate_kernel *k, const struct situation *s)
{
	struct sysgenid_gate_args now;
	const char *change;

	drain(k);
	if (!s)
		return true;
	if (!get(k, &now))
		return false;
	/* Before the first gate_kernel_set() it is not ours; a new generation is adjusted to in a moment. */
	if (!k->armed || (s->state == READY && now.generation != s->generation))
		return true;
	if (now.state == SYSGENID_GATE_DISARMED)
		return gate_kernel_set(k, s);
	change = find_change(k, &now, s);
	if (change) {
		log_warning("somebody %s again", change);
		k->armed = !has_other_exceptions(k, &now);
		return gate_kernel_set(k, s);
	}
	if (s->state == READY && now.reason == SYSGENID_GATE_WHY_CALL)
		log_warning(
			"somebody shut the gate: it stays shut until \"sysgenidctl gate open\", or a new generation");
	return true;
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
	return armed_forget(ARMED_KERNEL);
}
