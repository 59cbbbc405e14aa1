// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generation: where it is kept, how a new one is published, and when the
 * hardware id is looked at.
 */
#include <linux/atomic.h>
#include <linux/moduleparam.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "sysgenid.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* A hypervisor that keeps changing the id must not hold the lock for ever. */
#define ID_TRIES 8

static unsigned int compare_interval_ms = 2000;
module_param(compare_interval_ms, uint, 0444);
MODULE_PARM_DESC(
	compare_interval_ms,
	"Milliseconds between two looks at the hardware id, for hypervisors that send no notification; 0: never (default: 2000)");

struct sysgenid_state sysgenid = {
	.lock = __SPIN_LOCK_UNLOCKED(sysgenid.lock),
	.settled = __SWAIT_QUEUE_HEAD_INITIALIZER(sysgenid.settled),
};

static struct workqueue_struct *workqueue;
static atomic_t vmforks;

const char *sysgenid_source_name(u32 source)
{
	static const char *const names[] = {
		[SYSGENID_SOURCE_NONE] = "none",
		[SYSGENID_SOURCE_VMGENID] = "vmgenid",
		[SYSGENID_SOURCE_VMFORK] = "vmfork",
		[SYSGENID_SOURCE_SOFTWARE] = "software",
	};

	return source < ARRAY_SIZE(names) ? names[source] : "?";
}

static void wake_work_fn(struct work_struct *work)
{
	sysgenid_wake();
}

static DECLARE_WORK(wake_work, wake_work_fn);

/* Outside of a publish. */
void sysgenid_reseed_now(void)
{
	spin_lock(&sysgenid.lock);
	WRITE_ONCE(sysgenid.reseed_status, sysgenid_reseed());
	spin_unlock(&sysgenid.lock);
}

/*
 * A periodic reseed of the kernel RNG that was under way when the snapshot was
 * taken ends after the forced one, and undoes it: both clones then hold the
 * same key again. So reseed once more when it must be over.
 */
static void reseed_work_fn(struct work_struct *work)
{
	sysgenid_reseed_now();
}

static DECLARE_DELAYED_WORK(reseed_work, reseed_work_fn);

/* What is worth telling about a publish, outside of the lock. */
struct news {
	u32 generation;
	u32 source;
	bool entropy;
	int reseed_status;
};

/*
 * A line for each generation, but no flood: not of triggers, nor of an id that
 * never rests. One kind does not silence the other.
 */
static DEFINE_RATELIMIT_STATE(hardware_news, DEFAULT_RATELIMIT_INTERVAL, 50);
static DEFINE_RATELIMIT_STATE(software_news, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);

static void announce(const struct news *news)
{
	bool software = news->source == SYSGENID_SOURCE_SOFTWARE;

	queue_work(workqueue, &wake_work);
	mod_delayed_work(workqueue, &reseed_work, HZ);
	/* The kernel adds how many. */
	if (!___ratelimit(software ? &software_news : &hardware_news,
			  "sysgenid: generations too fast for the log"))
		return;

	if (news->reseed_status)
		pr_warn("generation %u (%s); the kernel RNG could not be reseeded (%d): clones may draw equal random bytes\n",
			news->generation, sysgenid_source_name(news->source), news->reseed_status);
	else if (software && !news->entropy)
		pr_warn("generation %u (software), without entropy: clones may draw equal random bytes\n",
			news->generation);
	else
		pr_notice("generation %u (%s)\n", news->generation,
			  sysgenid_source_name(news->source));
}

/*
 * The hardware id has moved: have the kernel RNG draw on the new one. If it
 * moves again meanwhile, so does the RNG; @id comes back as the last one mixed.
 */
static void adopt_id(u64 id[2])
{
	u64 now[2];
	int tries;

	for (tries = 1;; tries++) {
		sysgenid_reseed_mix(id, 2 * sizeof(*id));
		WRITE_ONCE(sysgenid.reseed_status, sysgenid_reseed());
		sysgenid_vmgenid_read(now);
		if ((now[0] == id[0] && now[1] == id[1]) || tries == ID_TRIES)
			return;
		id[0] = now[0];
		id[1] = now[1];
	}
}

/*
 * Makes @generation visible. The kernel RNG has been reseeded by now, or
 * clients that reseed on the new generation draw the same bytes in each clone.
 *
 * @id: the hardware id that was mixed, NULL to leave the record alone. A fresh
 *	read could be one that the RNG has not seen.
 */
static void store(u32 generation, u32 source, const u64 *id)
{
	struct sysgenid_page *page = sysgenid.page;

	sysgenid.published++;
	WRITE_ONCE(sysgenid.outdated, sysgenid.watchers);

	/* Preemption off, also on real-time kernels: readers spin on an odd seq. */
	preempt_disable();
	WRITE_ONCE(page->seq, page->seq + 1);
	smp_wmb(); /* pairs with the readers of @source and @time */
	WRITE_ONCE(page->source, source);
	WRITE_ONCE(page->time, ktime_get_boottime_ns());
	smp_wmb(); /* likewise */
	WRITE_ONCE(page->seq, page->seq + 1);
	preempt_enable();

	/* Pairs with sysgenid_generation() and the mapped check. */
	smp_store_release(&page->generation, generation);
	if (id) {
		/*
		 * Pairs with the load-acquires of sysgenid_changed() and
		 * sysgenid_vmgenid_moved(): who finds the hardware id recorded
		 * must find the generation that belongs to it.
		 */
		smp_wmb();
		WRITE_ONCE(sysgenid.record->id[0], id[0]);
		WRITE_ONCE(sysgenid.record->id[1], id[1]);
	}
}

/*
 * The one writer. Publishes if the hardware id moved, and whatever it did if
 * @source is another one; then @min is the least the generation may become.
 * Caller holds the lock.
 */
static bool publish(u32 source, u32 min, const void *entropy, size_t len, struct news *news)
{
	u32 now = sysgenid.page->generation, next = now + 1;
	u64 id[2];
	bool moved;

	lockdep_assert_held(&sysgenid.lock);

	moved = sysgenid_vmgenid_read(id) && memcmp(id, sysgenid.record->id, sizeof(id));
	if (!moved && source == SYSGENID_SOURCE_VMGENID)
		return false;

	/* After 0xffffffff comes 0, and never the same again. */
	if (min > next && min != now)
		next = min;
	if (len)
		sysgenid_reseed_mix(entropy, len);
	if (moved) {
		source = SYSGENID_SOURCE_VMGENID;
		adopt_id(id);
	} else {
		WRITE_ONCE(sysgenid.reseed_status, sysgenid_reseed());
	}

	store(next, source, moved ? id : NULL);
	trace_sysgenid_publish(next, source, sysgenid.outdated);

	news->generation = next;
	news->source = source;
	news->entropy = len;
	news->reseed_status = sysgenid.reseed_status;
	return true;
}

static bool publish_and_announce(u32 source, u32 min)
{
	struct news news;
	bool published;

	spin_lock(&sysgenid.lock);
	published = publish(source, min, NULL, 0, &news);
	spin_unlock(&sysgenid.lock);

	if (published)
		announce(&news);
	return published;
}

/*
 * sysgenid_sync - compare the hardware id, and publish if it moved
 *
 * Every system call does so before it looks at the generation: the counter is
 * only a cache of what the hypervisor says. Takes the lock only if the id moved.
 * Return: whether this call published.
 */
bool sysgenid_sync(void)
{
	if (likely(!sysgenid_vmgenid_moved()))
		return false;
	return publish_and_announce(SYSGENID_SOURCE_VMGENID, 0);
}

/*
 * sysgenid_stale - is an answer that was given for @generation out of date?
 *
 * Called after the answer was copied out: the snapshot may have been taken
 * since the call first looked.
 */
bool sysgenid_stale(u32 generation)
{
	sysgenid_sync();
	return sysgenid_generation() != generation;
}

void sysgenid_trigger_min(u32 min)
{
	publish_and_announce(SYSGENID_SOURCE_SOFTWARE, min);
}

/* Confirms for @f only what this call published: see SYSGENID_TRIGGER. */
void sysgenid_trigger_expected(struct sysgenid_file *f, struct sysgenid_trigger_args *arg,
			       const void *entropy)
{
	struct news news;
	bool published = false;

	spin_lock(&sysgenid.lock);
	if (sysgenid.page->generation == arg->expected) {
		published = publish(SYSGENID_SOURCE_SOFTWARE, 0, entropy, arg->entropy_len, &news);
		sysgenid_file_set_confirmed(f);
	}
	arg->generation = sysgenid.page->generation;
	spin_unlock(&sysgenid.lock);

	arg->published = published;
	if (published)
		announce(&news);
}

/*
 * A vmfork tells nothing where the hardware id can be read: comparing that is
 * what makes one generation of two reports of one restore.
 */
static void compare_work_fn(struct work_struct *work)
{
	int forks = atomic_xchg(&vmforks, 0);

	if (sysgenid_vmgenid_present())
		sysgenid_sync();
	else if (forks)
		publish_and_announce(SYSGENID_SOURCE_VMFORK, 0);
}

static DECLARE_WORK(compare_work, compare_work_fn);

/* From any context: a source says that something may have happened. */
void sysgenid_compare_soon(void)
{
	queue_work(workqueue, &compare_work);
}

void sysgenid_vmforked(void)
{
	atomic_inc(&vmforks);
	sysgenid_compare_soon();
}

/* Xen changes the id and notifies nobody. */
static void slow_compare_fn(struct work_struct *work)
{
	sysgenid_sync();
	queue_delayed_work(workqueue, to_delayed_work(work), msecs_to_jiffies(compare_interval_ms));
}

static DECLARE_DELAYED_WORK(slow_compare, slow_compare_fn);

static int pm_notify(struct notifier_block *nb, unsigned long event, void *unused)
{
	if (event == PM_POST_SUSPEND || event == PM_POST_HIBERNATION || event == PM_POST_RESTORE)
		sysgenid_compare_soon();
	return NOTIFY_DONE;
}

static struct notifier_block pm_notifier = { .notifier_call = pm_notify };

int sysgenid_generation_init(void)
{
	sysgenid.page = (void *)get_zeroed_page(GFP_KERNEL);
	sysgenid.record = (void *)get_zeroed_page(GFP_KERNEL);
	/* Unbound: a CPU that a real-time task keeps busy must not hold it up. */
	workqueue = alloc_workqueue("sysgenid", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!sysgenid.page || !sysgenid.record || !workqueue) {
		sysgenid_generation_exit();
		return -ENOMEM;
	}
	sysgenid.page->magic = SYSGENID_PAGE_MAGIC;
	sysgenid.page->size = sizeof(*sysgenid.page);
	sysgenid.page->features = SYSGENID_FEATURE_CALLS;
	return 0;
}

void sysgenid_generation_start(void)
{
	unsigned long pfn;

	if (sysgenid_vmgenid_present())
		sysgenid.page->features |= SYSGENID_FEATURE_TRUTHFUL;
	if (!sysgenid_vmgenid_page(&pfn))
		sysgenid.page->features |= SYSGENID_FEATURE_EXACT;
	sysgenid_vmgenid_start();
	/* As after a publish: see reseed_work_fn(). */
	queue_delayed_work(workqueue, &reseed_work, HZ);
	if (register_pm_notifier(&pm_notifier))
		pr_warn("resume from suspend will be noticed late\n");
	if (sysgenid_vmgenid_present() && compare_interval_ms)
		queue_delayed_work(workqueue, &slow_compare, msecs_to_jiffies(compare_interval_ms));
}

/* All who schedule work but ourselves have stopped. */
void sysgenid_generation_stop(void)
{
	unregister_pm_notifier(&pm_notifier);
	cancel_delayed_work_sync(&slow_compare);
	cancel_work_sync(&compare_work);
	cancel_work_sync(&wake_work);
	cancel_delayed_work_sync(&reseed_work);
}

void sysgenid_generation_exit(void)
{
	if (workqueue)
		destroy_workqueue(workqueue);
	free_page((unsigned long)sysgenid.record);
	free_page((unsigned long)sysgenid.page);
}
