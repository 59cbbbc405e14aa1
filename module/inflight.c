// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reseeds of the kernel's own that are in flight.
 *
 * crng_reseed() takes a key from the pool, and stores it later. If an id is mixed
 * and the RNG reseeded between the two, the store puts the key from before back,
 * which all clones share. So a probe at its return reseeds again if anything was
 * mixed since its entry. And work reseeds again, when each task that was in the
 * kernel has left it: that is the last word. Where a kernel cannot tell, and in any
 * case, work does so after 1 s and 10 s, too. Without the probe it does so each 25 ms
 * instead of after 1 s, until all tasks have left, or 10 s are over.
 */
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "sysgenid.h"

#define INFLIGHT_FUNCTION "crng_reseed"
/* Calls of it that are under way at once; those beyond are left to work. */
#define INFLIGHT_MOST 64

#define INFLIGHT_SOON HZ
/* Where there is no probe: how long one that ends meanwhile may give the key from before. */
#define INFLIGHT_OFTEN (HZ / 40)
#define INFLIGHT_LATE  (10 * HZ)

/* How often anything was mixed. Written under the lock. */
static unsigned int inflight_mixed;
static unsigned long inflight_mixed_at;
/* Up to which of these the RNG was reseeded after all tasks had left, and 10 s later. */
static unsigned int inflight_left;
static unsigned int inflight_waited;

/* Has the probe seen the last reseed of ours? kernel.ftrace_enabled=0 may silently end it. */
static bool inflight_seen;

/* Of the one grace period that runs: what it is for, and whether it is over. */
static struct rcu_head inflight_head;
static unsigned int inflight_asked;
static bool inflight_asking;
static bool inflight_over;
static bool inflight_stopped;

/*
 * sysgenid_inflight_mixed - something was mixed
 *
 * Before the reseed. Who took a key earlier, and stores it after that reseed, has
 * read the count before it took the lock of the pool. And whoever does so reads the
 * count again after it had the lock of the key. The two locks order these reads and this store.
 */
void sysgenid_inflight_mixed(void)
{
	inflight_mixed_at = jiffies;
	WRITE_ONCE(inflight_mixed, inflight_mixed + 1);
	WRITE_ONCE(inflight_seen, false);
}

/* May a reseed that was in flight still come to its end? */
bool sysgenid_inflight_pending(void)
{
	unsigned int final = SYSGENID_TASKS_LEAVE ? READ_ONCE(inflight_left) :
						    READ_ONCE(inflight_waited);

	return final != READ_ONCE(inflight_mixed);
}

static void inflight_fn(struct work_struct *work);
static DECLARE_WORK(inflight_work, inflight_fn);

static void inflight_over_fn(struct rcu_head *head)
{
	WRITE_ONCE(inflight_over, true);
	queue_work(sysgenid.queue, &inflight_work);
}

static void inflight_fn(struct work_struct *work)
{
	if (inflight_asking && READ_ONCE(inflight_over)) {
		sysgenid_reseed_now();
		WRITE_ONCE(inflight_left, inflight_asked);
		inflight_asking = false;
	}
	if (inflight_asking || READ_ONCE(inflight_stopped) ||
	    inflight_left == READ_ONCE(inflight_mixed))
		return;
	inflight_asking = true;
	inflight_asked = READ_ONCE(inflight_mixed);
	WRITE_ONCE(inflight_over, false);
	/* Not the synchronous one: it may take minutes. */
	call_rcu_tasks(&inflight_head, inflight_over_fn);
}

static void inflight_soon_fn(struct work_struct *work)
{
	sysgenid_reseed_look();
	sysgenid_reseed_now();
	/* A grace period notices late that all tasks have left. */
	if (sysgenid_inflight_why() && sysgenid_inflight_pending() &&
	    READ_ONCE(inflight_waited) != READ_ONCE(inflight_mixed))
		queue_delayed_work(sysgenid.queue, to_delayed_work(work), INFLIGHT_OFTEN);
}

static DECLARE_DELAYED_WORK(inflight_soon_work, inflight_soon_fn);

static void inflight_late_fn(struct work_struct *work)
{
	sysgenid_reseed_look();
	sysgenid_reseed_now();

	spin_lock_irq(&sysgenid.lock);
	if (time_after_eq(jiffies, inflight_mixed_at + INFLIGHT_LATE))
		WRITE_ONCE(inflight_waited, inflight_mixed);
	spin_unlock_irq(&sysgenid.lock);
}

static DECLARE_DELAYED_WORK(inflight_late_work, inflight_late_fn);

/* sysgenid_inflight_again - have work reseed again, since something was mixed */
void sysgenid_inflight_again(void)
{
	queue_work(sysgenid.queue, &inflight_work);
	mod_delayed_work(sysgenid.queue, &inflight_soon_work,
			 sysgenid_inflight_why() ? INFLIGHT_OFTEN : INFLIGHT_SOON);
	mod_delayed_work(sysgenid.queue, &inflight_late_work, INFLIGHT_LATE);
}

static const char *inflight_why = "guard=0"; /* there is no probe; NULL: there is one */

/* Why reseeds in flight are left to work; NULL: they are not. */
const char *sysgenid_inflight_why(void)
{
	if (!inflight_why && !READ_ONCE(inflight_seen))
		return "the last reseed did not get to the probe of " INFLIGHT_FUNCTION;
	return inflight_why;
}

#ifdef CONFIG_KRETPROBES
static int inflight_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	WRITE_ONCE(inflight_seen, true);
	*(unsigned int *)instance->data = READ_ONCE(inflight_mixed);
	return 0;
}

/*
 * A reseed from here is not probed itself: hence the loop. A reseed under the lock
 * finds the count as it was, so that this never takes the lock twice.
 */
static int inflight_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	unsigned int mixed, *seen = (unsigned int *)instance->data;

	while ((mixed = READ_ONCE(inflight_mixed)) != *seen) {
		*seen = mixed;
		sysgenid_reseed_now();
	}
	return 0;
}

static struct kretprobe inflight_probe = {
	.kp.symbol_name = INFLIGHT_FUNCTION,
	.entry_handler = inflight_entry,
	.handler = inflight_return,
	.data_size = sizeof(unsigned int),
	.maxactive = INFLIGHT_MOST,
};

void sysgenid_inflight_start(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		inflight_why = "PREEMPT_RT: the lock of the kernel RNG sleeps";
	else if (register_kretprobe(&inflight_probe))
		inflight_why = "this kernel lets nobody probe " INFLIGHT_FUNCTION;
	else
		inflight_why = NULL;
}

static void inflight_stop_probe(void)
{
	if (!inflight_why)
		unregister_kretprobe(&inflight_probe);
}
#else
void sysgenid_inflight_start(void)
{
	inflight_why = "no CONFIG_KRETPROBES";
}

static void inflight_stop_probe(void)
{
}
#endif

/* Nobody mixes any more. */
void sysgenid_inflight_stop(void)
{
	inflight_stop_probe();
	cancel_delayed_work_sync(&inflight_soon_work);
	cancel_delayed_work_sync(&inflight_late_work);
	WRITE_ONCE(inflight_stopped, true);
	cancel_work_sync(&inflight_work);
	if (inflight_asking)
		sysgenid_rcu_barrier_tasks();
	cancel_work_sync(&inflight_work);
}
