// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the machine of new generations: a line in the log, a wake-up for who polls
 * the attribute, and a uevent. From work: who publishes may be any caller. And of
 * calls that change the gate: a wake-up.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/sysfs.h>

#include "sysgenid.h"

/* More than a burst that the log may have. */
#define ANNOUNCE_ROOM 64

/*
 * Generations of one kind that are to be told. Guarded by sysgenid.lock, but @limit.
 *
 * A line in the log for each, but no flood: not of triggers, nor of an id that
 * changes all the time. One kind does not silence the other.
 */
struct announce_ring {
	struct sysgenid_news news[ANNOUNCE_ROOM];
	unsigned int added;
	unsigned int taken;
	struct ratelimit_state limit;
};

static struct announce_ring announce_hardware = {
	.limit = RATELIMIT_STATE_INIT(announce_hardware.limit, DEFAULT_RATELIMIT_INTERVAL, 50),
};

static struct announce_ring announce_software = {
	.limit = RATELIMIT_STATE_INIT(announce_software.limit, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST),
};

/* Of the work alone. */
static struct sysgenid_news announce_last;
static bool announce_unsent;

static DEFINE_MUTEX(announce_mutex);
static struct device *announce_device; /* guarded by the mutex; NULL: none */

static DEFINE_RATELIMIT_STATE(announce_uevents, DEFAULT_RATELIMIT_INTERVAL,
			      DEFAULT_RATELIMIT_BURST);

static struct announce_ring *announce_ring_of(u32 source)
{
	return source == SYSGENID_SOURCE_SOFTWARE ? &announce_software : &announce_hardware;
}

static void announce_log(const struct sysgenid_news *news)
{
	/* The kernel adds how many. */
	if (!___ratelimit(&announce_ring_of(news->source)->limit,
			  "sysgenid: generations too fast for the log"))
		return;

	if (news->reseed_status)
		pr_warn("generation %u (%s); the kernel RNG could not be reseeded (%d): clones may draw equal random bytes\n",
			news->generation, sysgenid_source_name(news->source), news->reseed_status);
	else if (!news->entropy)
		pr_warn("generation %u (%s), without entropy: clones may draw equal random bytes\n",
			news->generation, sysgenid_source_name(news->source));
	else
		pr_notice("generation %u (%s)\n", news->generation,
			  sysgenid_source_name(news->source));
}

/* Return: whether no more is to be done. */
static bool announce_send(const struct sysgenid_news *news)
{
	char generation[40], source[40];
	char *environment[3] = { generation, source };

	if (!announce_device)
		return true;
	if (!___ratelimit(&announce_uevents, "sysgenid"))
		return false;
	snprintf(generation, sizeof(generation), "SYSGENID_GENERATION=%u", news->generation);
	snprintf(source, sizeof(source), "SYSGENID_SOURCE=%s", sysgenid_source_name(news->source));
	kobject_uevent_env(&announce_device->kobj, KOBJ_CHANGE, environment);
	return true;
}

/* The oldest one, or NULL. Caller holds the lock. */
static const struct sysgenid_news *announce_oldest(struct announce_ring *ring)
{
	if (ring->added - ring->taken > ANNOUNCE_ROOM)
		ring->taken = ring->added - ANNOUNCE_ROOM;
	return ring->added == ring->taken ? NULL : &ring->news[ring->taken % ANNOUNCE_ROOM];
}

/* In the order of the generations. */
static bool announce_take(struct sysgenid_news *news)
{
	const struct sysgenid_news *next, *other;

	spin_lock_irq(&sysgenid.lock);
	next = announce_oldest(&announce_hardware);
	other = announce_oldest(&announce_software);
	if (!next || (other && other->published < next->published))
		next = other;
	if (next) {
		*news = *next;
		announce_ring_of(news->source)->taken++;
	}
	spin_unlock_irq(&sysgenid.lock);
	return next;
}

/* Caller holds the lock. If there are too many, the last ones stay. */
void sysgenid_announce_add(const struct sysgenid_news *news)
{
	struct announce_ring *ring = announce_ring_of(news->source);

	ring->news[ring->added++ % ANNOUNCE_ROOM] = *news;
}

/*
 * sysgenid_announce_tell - tell of all that was added
 *
 * From one work item. Return: whether the last uevent is still to be sent: come
 * again in a while.
 */
bool sysgenid_announce_tell(void)
{
	bool any = false;

	mutex_lock(&announce_mutex);
	while (announce_take(&announce_last)) {
		announce_log(&announce_last);
		announce_unsent = !announce_send(&announce_last);
		any = true;
		cond_resched();
	}
	if (any && announce_device)
		sysfs_notify(&announce_device->kobj, NULL, "generation");
	if (!any && announce_unsent)
		announce_unsent = !announce_send(&announce_last);
	mutex_unlock(&announce_mutex);
	return announce_unsent;
}

/* A call has changed the gate. What shuts it without a call is a generation, and told as one. */
void sysgenid_announce_gate(void)
{
	mutex_lock(&announce_mutex);
	if (announce_device)
		sysfs_notify(&announce_device->kobj, NULL, "gate");
	mutex_unlock(&announce_mutex);
}

/* What has uevents and the attributes "generation" and "gate"; NULL: it goes away. */
void sysgenid_announce_by(struct device *device)
{
	/* What the limit holds back is no line in the log. */
	ratelimit_set_flags(&announce_uevents, RATELIMIT_MSG_ON_RELEASE);
	mutex_lock(&announce_mutex);
	announce_device = device;
	mutex_unlock(&announce_mutex);
}
