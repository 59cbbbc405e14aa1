// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generation: how a new one is published, and when the hardware id is
 * compared.
 */
#include <linux/irq_work.h>
#include <linux/moduleparam.h>
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

static int compare_interval_ms = -1;
module_param(compare_interval_ms, int, 0444);
MODULE_PARM_DESC(compare_interval_ms,
		 "Milliseconds between looks at the id; -1: 0 where it is notified, else 2000");

static void generation_wake_fn(struct work_struct *work)
{
	sysgenid_watchers_wake();
}

static DECLARE_WORK(generation_wake_work, generation_wake_fn);

static void generation_announce_fn(struct work_struct *work)
{
	if (sysgenid_announce_tell())
		queue_delayed_work(sysgenid.queue, to_delayed_work(work), HZ);
}

static DECLARE_DELAYED_WORK(generation_announce_work, generation_announce_fn);

/* After a publish, outside of the lock. */
static void generation_published(void)
{
	queue_work(sysgenid.queue, &generation_wake_work);
	mod_delayed_work(sysgenid.queue, &generation_announce_work, 0);
	sysgenid_inflight_again();
}

/* From where the locks of work may be held already. */
static void generation_published_fn(struct irq_work *work)
{
	generation_published();
}

static struct irq_work generation_published_irq;

/* Have the kernel RNG draw on @data, if there is any. Caller holds the lock. */
static void generation_reseed(const void *data, size_t len)
{
	if (len)
		sysgenid_reseed_mix(data, len);
	sysgenid_inflight_mixed();
	WRITE_ONCE(sysgenid.reseed_status, sysgenid_reseed());
}

static void generation_set_ids(struct sysgenid_ids *to, const struct sysgenid_ids *ids)
{
	WRITE_ONCE(to->guid[0], ids->guid[0]);
	WRITE_ONCE(to->guid[1], ids->guid[1]);
	WRITE_ONCE(to->counter, ids->counter);
}

/*
 * A hardware id has moved: have the kernel RNG draw on the new ones. If they
 * move again meanwhile, so does the RNG; @ids come back as the last ones mixed.
 */
static void generation_adopt(struct sysgenid_ids *ids)
{
	struct sysgenid_ids now;
	int tries;

	for (tries = 1;; tries++) {
		generation_reseed(ids, sizeof(*ids));
		sysgenid_id_read(&now);
		if (!memcmp(&now, ids, sizeof(now)) || tries == ID_TRIES)
			break;
		*ids = now;
	}
	/* Pairs with sysgenid_unmixed(): who finds the ids there draws by the new key. */
	smp_wmb();
	generation_set_ids(&sysgenid.mixed, ids);
}

/* @instance: NULL: there is none. */
static void generation_set_instance(const u8 *instance)
{
	struct sysgenid_page *page = sysgenid.page;

	if (instance)
		memcpy(page->instance_id, instance, sizeof(page->instance_id));
	else
		memset(page->instance_id, 0, sizeof(page->instance_id));
	WRITE_ONCE(page->flags, instance ? SYSGENID_PAGE_INSTANCE : 0);
}

/* The records that programs map, and what is compared in here. */
static void generation_record(const struct sysgenid_ids *ids)
{
	WRITE_ONCE(sysgenid.record->id[0], ids->guid[0]);
	WRITE_ONCE(sysgenid.record->id[1], ids->guid[1]);
	WRITE_ONCE(sysgenid.clock_record->id[0], ids->counter);
	generation_set_ids(&sysgenid.recorded, ids);
}

/*
 * Makes @generation visible. The kernel RNG has been reseeded by now, or
 * clients that reseed on the new generation draw the same bytes in each clone.
 *
 * @ids: the hardware ids that were mixed, NULL to leave the records alone. A fresh
 *	read could be one that the RNG has not seen.
 * @instance: the instance id, NULL: none.
 */
static void generation_store(u32 generation, u32 source, const struct sysgenid_ids *ids,
			     const u8 *instance)
{
	struct sysgenid_page *page = sysgenid.page;

	WRITE_ONCE(sysgenid.outdated, sysgenid.watchers);

	/* Preemption off, also on real-time kernels: readers spin on an odd seq. */
	preempt_disable();
	WRITE_ONCE(page->seq, page->seq + 1);
	smp_wmb(); /* pairs with the readers of all that follows */
	WRITE_ONCE(page->source, source);
	WRITE_ONCE(page->time, ktime_get_boottime_ns());
	generation_set_instance(instance);
	/* Pairs with sysgenid_generation() and the mapped check. */
	smp_store_release(&page->generation, generation);
	smp_wmb(); /* pairs with the readers of all that precedes */
	WRITE_ONCE(page->seq, page->seq + 1);
	preempt_enable();
	smp_wmb(); /* pairs with sysgenid_file_outdated() */
	WRITE_ONCE(sysgenid.published, sysgenid.published + 1);

	if (ids) {
		WRITE_ONCE(sysgenid.moves, sysgenid.moves + 1);
		/*
		 * Pairs with the load-acquires of sysgenid_changed() and
		 * sysgenid_moved(): who finds the hardware id recorded
		 * must find the generation that belongs to it.
		 */
		smp_wmb();
		generation_record(ids);
	}
}

/*
 * The one writer. Publishes if a hardware id moved, and whatever they did if @source
 * is not SYSGENID_SOURCE_NONE. All ids that moved are one generation. The counter of
 * vmclock is the same in all clones: alone it is no entropy. Caller holds the lock.
 *
 * @ahead: how far the generation goes, 1 or more. After 0xffffffff comes 0.
 */
static bool generation_publish(u32 source, u32 ahead, const void *entropy, size_t len)
{
	u32 next = sysgenid.page->generation + ahead;
	u8 instance[SYSGENID_INSTANCE_SIZE];
	struct sysgenid_ids ids;
	struct sysgenid_news news;
	bool moved, fresh = len, differs;

	lockdep_assert_held(&sysgenid.lock);

	sysgenid_id_read(&ids);
	moved = memcmp(&ids, &sysgenid.recorded, sizeof(ids));
	if (!moved && source == SYSGENID_SOURCE_NONE)
		return false;

	if (len || !moved)
		generation_reseed(entropy, len);
	if (moved) {
		generation_adopt(&ids);
		source = SYSGENID_SOURCE_VMCLOCK;
		if (memcmp(ids.guid, sysgenid.recorded.guid, sizeof(ids.guid))) {
			source = SYSGENID_SOURCE_VMGENID;
			fresh = true;
		}
	}

	differs = fresh && !sysgenid.reseed_status;
	if (differs)
		sysgenid_instance_make(instance, &ids, next);
	generation_store(next, source, moved ? &ids : NULL, differs ? instance : NULL);
	trace_sysgenid_publish(next, source, sysgenid.outdated);

	news.published = sysgenid.published;
	news.generation = next;
	news.source = source;
	news.entropy = fresh;
	news.reseed_status = sysgenid.reseed_status;
	sysgenid_announce_add(&news);
	return true;
}

/* How far it is to max(@min, current + 1). Caller holds the lock. */
static u32 generation_ahead(u32 min)
{
	u32 now = sysgenid.page->generation;

	return min > now + 1 && min != now ? min - now : 1;
}

static bool generation_new(u32 source, u32 min)
{
	bool published;

	spin_lock_irq(&sysgenid.lock);
	published = generation_publish(source, generation_ahead(min), NULL, 0);
	spin_unlock_irq(&sysgenid.lock);

	if (published)
		generation_published();
	return published;
}

/* A hardware id has moved, or so it seems. Return: whether this call published. */
bool sysgenid_publish_moved(void)
{
	return generation_new(SYSGENID_SOURCE_NONE, 0);
}

/*
 * sysgenid_moved_whole - has a hardware id moved, and not just one half of one?
 *
 * Otherwise the hypervisor may be between the two: a publish would make two
 * generations of one restore. A VM generation id of random bytes moves in both.
 */
bool sysgenid_moved_whole(void)
{
	const u64 *hardware = sysgenid.hardware_id;
	u64 first, second, counter;

	first = READ_ONCE(hardware[0]) ^ READ_ONCE(sysgenid.recorded.guid[0]);
	second = READ_ONCE(hardware[1]) ^ READ_ONCE(sysgenid.recorded.guid[1]);
	counter = READ_ONCE(*sysgenid.hardware_counter) ^ READ_ONCE(sysgenid.recorded.counter);
	return (first | second | counter) && !first == !second;
}

/* sysgenid_unmixed - does a hardware id differ from the one that was mixed last? */
bool sysgenid_unmixed(void)
{
	struct sysgenid_ids mixed;

	mixed.guid[0] = READ_ONCE(sysgenid.mixed.guid[0]);
	mixed.guid[1] = READ_ONCE(sysgenid.mixed.guid[1]);
	mixed.counter = READ_ONCE(sysgenid.mixed.counter);
	smp_rmb(); /* pairs with the smp_wmb() in generation_adopt() */
	return sysgenid_id_differs(&mixed);
}

/*
 * sysgenid_sync_at_once - publish where nothing else can be done first
 *
 * Interrupts are off, and this processor is not in the kernel RNG on our behalf. An
 * id of which one half has moved is mixed, and no more.
 */
void sysgenid_sync_at_once(void)
{
	struct sysgenid_ids ids;
	bool again = true;

	lockdep_assert_irqs_disabled();

	spin_lock(&sysgenid.lock);
	if (sysgenid_moved_whole()) {
		generation_publish(SYSGENID_SOURCE_NONE, 1, NULL, 0);
	} else if (sysgenid_unmixed()) {
		sysgenid_id_read(&ids);
		generation_adopt(&ids);
	} else {
		again = false;
	}
	spin_unlock(&sysgenid.lock);

	if (again)
		irq_work_queue(&generation_published_irq);
}

void sysgenid_trigger_min(u32 min)
{
	generation_new(SYSGENID_SOURCE_SOFTWARE, min);
}

/*
 * How far it is to @least, counted around the end of a u32. A machine near the end must
 * not come to the small number of an image soon. Half of the way round counts as past.
 * Caller holds the lock. Return: 0: the number is not to be trusted.
 */
static u32 generation_ahead_of_image(u32 least)
{
	u32 now = sysgenid.page->generation, ahead = least - now;

	if (!least)
		return 1;
	if (least == U32_MAX || (least > now && ahead >= BIT(31)))
		return 0;
	return ahead && ahead < BIT(31) ? ahead : 1;
}

/*
 * Confirms for @f only what this call published: see SYSGENID_TRIGGER. Return: 0 or
 * -ERANGE.
 */
int sysgenid_trigger_expected(struct sysgenid_file *f, struct sysgenid_trigger_args *arg,
			      const void *entropy)
{
	bool published = false;
	int ret = 0;
	u32 ahead;

	spin_lock_irq(&sysgenid.lock);
	ahead = generation_ahead_of_image(arg->least);
	if (!ahead) {
		ret = -ERANGE;
	} else if (sysgenid.page->generation == arg->expected) {
		published = generation_publish(SYSGENID_SOURCE_SOFTWARE, ahead, entropy,
					       arg->entropy_len);
		sysgenid_file_set_confirmed(f);
	}
	arg->generation = sysgenid.page->generation;
	spin_unlock_irq(&sysgenid.lock);

	arg->published = published;
	if (published)
		generation_published();
	return ret;
}

static void generation_compare_fn(struct work_struct *work)
{
	sysgenid_sync();
}

static DECLARE_WORK(generation_compare_work, generation_compare_fn);

/* From any context: a source says that something may have happened. */
void sysgenid_compare_soon(void)
{
	queue_work(sysgenid.queue, &generation_compare_work);
}

static void generation_slow_fn(struct work_struct *work)
{
	sysgenid_sync();
	queue_delayed_work(sysgenid.queue, to_delayed_work(work),
			   msecs_to_jiffies(compare_interval_ms));
}

static DECLARE_DELAYED_WORK(generation_slow_work, generation_slow_fn);

/*
 * sysgenid_compare_often - compare the hardware id now and then
 *
 * Xen changes the id and notifies nobody.
 * @notified: this hypervisor is known to notify.
 */
void sysgenid_compare_often(bool notified)
{
	if (compare_interval_ms < 0)
		compare_interval_ms = notified ? 0 : 2000;
	if (compare_interval_ms)
		queue_delayed_work(sysgenid.queue, &generation_slow_work,
				   msecs_to_jiffies(compare_interval_ms));
}

static int generation_pm_notify(struct notifier_block *nb, unsigned long event, void *unused)
{
	if (event == PM_POST_SUSPEND || event == PM_POST_HIBERNATION || event == PM_POST_RESTORE)
		sysgenid_compare_soon();
	return NOTIFY_DONE;
}

static struct notifier_block generation_pm_notifier = { .notifier_call = generation_pm_notify };

int sysgenid_generation_init(void)
{
	init_irq_work(&generation_published_irq, generation_published_fn);
	/* Unbound: a CPU that a real-time task keeps busy must not hold it up. */
	sysgenid.queue = alloc_workqueue("sysgenid", WQ_UNBOUND | WQ_HIGHPRI, 0);
	return sysgenid.queue ? 0 : -ENOMEM;
}

/* The records and the kernel RNG begin with the ids that the machine has now. */
static void generation_begin(void)
{
	struct sysgenid_record *record = sysgenid.record;
	u8 instance[SYSGENID_INSTANCE_SIZE];
	struct sysgenid_ids ids;
	unsigned long pfn;

	sysgenid.page->features |= SYSGENID_FEATURE_TRUTHFUL;
	if (!sysgenid_id_page(&pfn, &record->hw_offset))
		sysgenid.page->features |= SYSGENID_FEATURE_EXACT;
	record->size = sizeof(*record);
	/* The snapshot may be older than the module: generation 0 is a promise, too. */
	spin_lock_irq(&sysgenid.lock);
	sysgenid_id_read(&ids);
	generation_adopt(&ids);
	generation_record(&ids);
	if (sysgenid.sources & BIT(SYSGENID_SOURCE_VMGENID) && !sysgenid.reseed_status) {
		sysgenid_instance_make(instance, &ids, 0);
		generation_set_instance(instance);
	}
	spin_unlock_irq(&sysgenid.lock);
}

void sysgenid_generation_start(void)
{
	if (sysgenid_id_present())
		generation_begin();
	sysgenid_inflight_again();
	if (register_pm_notifier(&generation_pm_notifier))
		pr_warn("resume from suspend will be noticed late\n");
}

/* All who schedule work but ourselves have stopped. */
void sysgenid_generation_stop(void)
{
	unregister_pm_notifier(&generation_pm_notifier);
	cancel_delayed_work_sync(&generation_slow_work);
	cancel_work_sync(&generation_compare_work);
	irq_work_sync(&generation_published_irq);
	cancel_work_sync(&generation_wake_work);
	cancel_delayed_work_sync(&generation_announce_work);
}

void sysgenid_generation_exit(void)
{
	destroy_workqueue(sysgenid.queue);
}
