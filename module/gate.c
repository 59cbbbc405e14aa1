// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate: no packet leaves or enters the machine until the gate was opened for the
 * hardware id that the machine has now.
 *
 * Nothing has to be closed after a resume. Each packet has the id compared, so the
 * first one is dropped already.
 *
 * The state belongs to the kernel, not to who set it.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "gate.h"
#include "sysgenid.h"

static bool gate = true;
module_param(gate, bool, 0444);
MODULE_PARM_DESC(gate, "Let programs arm the gate; off: for who is locked out (default: on)");

#define GATE_ARM_FLAGS \
	(SYSGENID_GATE_WITHOUT_ID | SYSGENID_GATE_TRIGGERS_PASS | SYSGENID_GATE_AT_ONCE)

/* What the kernel cannot do, constant. */
#define GATE_KERNEL_FLAGS (IS_ENABLED(CONFIG_NETFILTER_EGRESS) ? 0 : SYSGENID_GATE_IP_ONLY)

/* Serializes the calls, and guards what follows. */
static DEFINE_MUTEX(gate_mutex);
static bool gate_armed;
static u32 gate_flags;	/* it was armed with */
static u32 gate_opened; /* generation, for which last */
static bool gate_was_open;

static struct sysgenid_opening *gate_opening(void)
{
	return rcu_dereference_protected(sysgenid_hooks.opening, lockdep_is_held(&gate_mutex));
}

static struct sysgenid_except *gate_except(void)
{
	return rcu_dereference_protected(sysgenid_hooks.except, lockdep_is_held(&gate_mutex));
}

/* Return: 0, or -ESTALE, also if the id has moved and is not published yet. */
static int gate_try_open(struct sysgenid_opening *new, u32 generation)
{
	int ret = -ESTALE;

	spin_lock_irq(&sysgenid.lock);
	if (!sysgenid_moved() && sysgenid.page->generation == generation) {
		/* As recorded: a fresh read could be of an id that has no generation yet. */
		new->ids = sysgenid.recorded;
		new->published = sysgenid.published;
		new->moves = sysgenid.moves;
		rcu_assign_pointer(sysgenid_hooks.opening, new);
		ret = 0;
	}
	spin_unlock_irq(&sysgenid.lock);
	return ret;
}

/* Opens if @generation is the current one, in one step. */
static int gate_open(u32 generation, u32 flags)
{
	struct sysgenid_opening *new, *old = gate_opening();
	int ret;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->generation = generation;
	new->triggers_pass = (flags & SYSGENID_GATE_TRIGGERS_PASS) != 0;
	/* Once: an id that changes on every read must hold nobody. */
	sysgenid_sync();
	ret = gate_try_open(new, generation);
	if (ret) {
		kfree(new);
		return ret;
	}
	if (old)
		kfree_rcu(old, rcu);
	gate_opened = generation;
	gate_was_open = true;
	return 0;
}

/* When this returns, no packet passes that was looked at before. */
static void gate_shut(void)
{
	struct sysgenid_opening *old = gate_opening();

	if (!old)
		return;
	RCU_INIT_POINTER(sysgenid_hooks.opening, NULL);
	synchronize_rcu();
	kfree(old);
}

static void gate_set_except(struct sysgenid_except *new)
{
	struct sysgenid_except *old = gate_except();

	rcu_assign_pointer(sysgenid_hooks.except, new);
	if (!old)
		return;
	synchronize_rcu();
	sysgenid_except_free(old);
}

static void gate_forget(void)
{
	gate_shut();
	gate_set_except(NULL);
	gate_was_open = false;
	gate_opened = 0;
	gate_flags = 0;
}

static int gate_start(void)
{
	int ret;

	atomic64_set(&sysgenid_hooks.dropped_in, 0);
	atomic64_set(&sysgenid_hooks.dropped_out, 0);
	ret = sysgenid_hooks_start();
	if (ret)
		return ret;
	/* An armed gate must not go away. The open file keeps the module until here. */
	__module_get(THIS_MODULE);
	gate_armed = true;
	pr_notice("gate: armed on %u devices\n", READ_ONCE(sysgenid_hooks.devices));
	if (GATE_KERNEL_FLAGS)
		pr_warn("gate: this kernel has no CONFIG_NETFILTER_EGRESS: packet sockets and ARP can send while it is shut\n");
	return 0;
}

/* @except is taken over if this returns 0. */
static int gate_arm_with(const struct sysgenid_gate_args *arg, struct sysgenid_except *except)
{
	bool at_once = arg->flags & SYSGENID_GATE_AT_ONCE;
	int ret = 0;

	if (!gate)
		return -EPERM;
	if (!sysgenid_id_present() && !(arg->flags & SYSGENID_GATE_WITHOUT_ID))
		return -EOPNOTSUPP;
	if (at_once)
		ret = gate_open(arg->generation, arg->flags);
	if (ret)
		return ret;
	if (!gate_armed) {
		/* Before the hooks: no packet is to meet half of it. */
		rcu_assign_pointer(sysgenid_hooks.except, except);
		ret = gate_start();
		if (ret) {
			RCU_INIT_POINTER(sysgenid_hooks.except, NULL);
			gate_forget();
			return ret;
		}
	} else {
		gate_set_except(except);
	}
	gate_flags = arg->flags & ~SYSGENID_GATE_AT_ONCE;
	return 0;
}

static void gate_disarm(void)
{
	if (!gate_armed)
		return;
	sysgenid_hooks_stop();
	gate_forget();
	gate_armed = false;
	pr_notice("gate: disarmed\n");
	/* The open file of the caller keeps the module. */
	module_put(THIS_MODULE);
}

static int gate_do(const struct sysgenid_gate_args *arg, struct sysgenid_except *except)
{
	switch (arg->operation) {
	case SYSGENID_GATE_GET:
		return 0;
	case SYSGENID_GATE_ARM:
		return gate_arm_with(arg, except);
	case SYSGENID_GATE_DISARM:
		gate_disarm();
		return 0;
	}
	if (!gate_armed)
		return -ENOTCONN;
	if (arg->operation == SYSGENID_GATE_OPEN)
		return gate_open(arg->generation, gate_flags);
	gate_shut();
	return 0;
}

/* Caller holds the mutex. */
static void gate_tell(struct sysgenid_gate_args *arg)
{
	const struct sysgenid_opening *opening = gate_opening();
	bool open;

	rcu_read_lock();
	open = sysgenid_hooks_open();
	rcu_read_unlock();

	arg->flags = gate_flags | GATE_KERNEL_FLAGS | (gate ? 0 : SYSGENID_GATE_OFF);
	arg->generation = sysgenid_generation();
	arg->opened = gate_opened;
	sysgenid_except_count(gate_except(), arg);
	arg->hooked = READ_ONCE(sysgenid_hooks.devices);
	arg->dropped_in = atomic64_read(&sysgenid_hooks.dropped_in);
	arg->dropped_out = atomic64_read(&sysgenid_hooks.dropped_out);
	arg->state = SYSGENID_GATE_IS_SHUT;
	arg->reason = SYSGENID_GATE_WHY_NONE;
	if (!gate_armed)
		arg->state = SYSGENID_GATE_DISARMED;
	else if (open)
		arg->state = SYSGENID_GATE_IS_OPEN;
	else if (opening)
		arg->reason = SYSGENID_GATE_WHY_GENERATION;
	else
		arg->reason = gate_was_open ? SYSGENID_GATE_WHY_CALL : SYSGENID_GATE_WHY_ARMED;
}

static bool gate_is_valid(const struct sysgenid_gate_args *arg)
{
	if (arg->operation > SYSGENID_GATE_OPEN || arg->reserved)
		return false;
	if (arg->operation == SYSGENID_GATE_ARM)
		return !(arg->flags & ~GATE_ARM_FLAGS);
	return !arg->flags && !arg->device_count && !arg->mark_count && !arg->filter_len;
}

/*
 * SYSGENID_GATE, by who may. What the gate is after the call comes back with every
 * error but -EINVAL and those of reading the exceptions.
 */
int sysgenid_gate_call(struct sysgenid_gate_args *arg)
{
	struct sysgenid_except *except = NULL;
	int ret;

	if (!gate_is_valid(arg))
		return -EINVAL;
	if (arg->operation == SYSGENID_GATE_ARM) {
		ret = sysgenid_except_read(arg, &except);
		if (ret)
			return ret;
	}
	mutex_lock(&gate_mutex);
	ret = gate_do(arg, except);
	gate_tell(arg);
	mutex_unlock(&gate_mutex);
	if (ret)
		sysgenid_except_free(except);
	else if (arg->operation != SYSGENID_GATE_GET)
		sysgenid_announce_gate();
	return ret;
}

/* What of that which leaves is dropped. */
static const char *gate_scope(const struct sysgenid_gate_args *now)
{
	return now->flags & SYSGENID_GATE_IP_ONLY ? "IP only (no CONFIG_NETFILTER_EGRESS)" : "all";
}

/* One line; sysgenid(4) has its form. */
ssize_t sysgenid_gate_show(char *buf)
{
	static const char *const states[] = {
		[SYSGENID_GATE_DISARMED] = "disarmed",
		[SYSGENID_GATE_IS_SHUT] = "shut",
		[SYSGENID_GATE_IS_OPEN] = "open",
	};
	struct sysgenid_gate_args now;

	mutex_lock(&gate_mutex);
	gate_tell(&now);
	mutex_unlock(&gate_mutex);
	return sysfs_emit(buf, "%s; devices: %u; dropped: in %llu, out %llu; out: %s%s\n",
			  states[now.state], now.hooked, now.dropped_in, now.dropped_out,
			  gate_scope(&now), now.flags & SYSGENID_GATE_OFF ? "; gate=off" : "");
}
