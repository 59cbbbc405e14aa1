/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the module share. Each part says what it is for itself. */
#ifndef SYSGENID_H
#define SYSGENID_H

#include <linux/cred.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/swait.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <sysgenid/abi.h>

/* The hardware ids. What a machine does not have is zero. */
struct sysgenid_ids {
	u64 guid[2];
	u64 counter;
};

/*
 * The state of the system. The counter page is the generation, not a copy of it.
 *
 * @lock: serializes all writers. Taken with interrupts off, as the guard takes it
 *	when an interrupt begins: nothing under it touches user memory, prints, or
 *	is more than O(1). The locks of the kernel RNG are of this kind, too, and
 *	are taken under it. On real-time kernels all of them sleep, with priority
 *	inheritance; there the guard does not take it.
 * @page: the counter page.
 * @record: the record page: the VM generation id that the generation belongs to.
 * @clock_record: likewise, the counter of vmclock.
 * @hardware_id, @hardware_counter: where the hypervisor changes them; zeros where
 *	there is none.
 * @recorded: what is in the records.
 * @mixed: the hardware ids that the kernel RNG was reseeded with last.
 * @queue: runs all work of ours.
 * @published: counts generations without wrapping; watchers compare this.
 * @moves: counts those that came of a hardware id.
 * @watchers, @outdated: tracked open files, and those that have not confirmed.
 * @settled: callers that wait for @outdated to reach 0. A simple wait queue:
 *	its wake-up opens the queue's lock between any two tasks, so that a crowd
 *	of waiters does not keep interrupts off.
 * @sources: mask of the live sources, constant after init.
 * @reseed_status: what the last forced reseed of the kernel RNG returned.
 */
struct sysgenid_state {
	spinlock_t lock; /* see above */
	struct sysgenid_page *page;
	struct sysgenid_record *record;
	struct sysgenid_record *clock_record;
	const u64 *hardware_id;
	const u64 *hardware_counter;
	struct sysgenid_ids recorded;
	struct sysgenid_ids mixed;
	struct workqueue_struct *queue;
	u64 published;
	u64 moves;
	unsigned int watchers;
	unsigned int outdated;
	struct swait_queue_head settled;
	u32 sources;
	int reseed_status;
};

extern struct sysgenid_state sysgenid;

struct sysgenid_identity;
struct sysgenid_place;
struct device;
struct sysgenid_user;

/*
 * An open file of /dev/sysgenid. All but @index and @queue is guarded by
 * sysgenid.lock; sysgenid_file_outdated() looks without it.
 *
 * @index: its place in the table of all open files: the cursor of lists.
 * @queue: which of the shared wait queues its readers and pollers sleep in.
 * @confirmed: the generation it confirmed or declared last.
 * @confirmed_at: sysgenid.published when it confirmed; U64_MAX: never did so.
 * @tracked: others wait for it.
 * @unknown: it declared an unknown generation.
 * @fresh: it may still declare.
 * @waited: somebody has slept by this file while it was fresh, or has waited for
 *	others by it.
 * @user: the account it is charged to, NULL if its user is not limited.
 * @identity: of who tracked or confirmed last; NULL: nobody did.
 */
struct sysgenid_file {
	u32 index;
	u32 confirmed;
	u64 confirmed_at;
	union {
		struct {
			struct sysgenid_user *user;
			struct sysgenid_identity *identity;
		};
		struct rcu_head rcu; /* when it is closed */
	};
	u8 queue;
	bool tracked;
	bool unknown;
	bool fresh;
	bool waited;
};

/* state.c */
int sysgenid_state_init(void);
void sysgenid_state_exit(void);
const char *sysgenid_source_name(u32 source);

static inline u32 sysgenid_generation(void)
{
	/* Pairs with the store-release in generation_store(). */
	return smp_load_acquire(&sysgenid.page->generation);
}

/* Caller holds the lock. */
static inline bool sysgenid_outdated(const struct sysgenid_file *f)
{
	return f->confirmed_at != sysgenid.published;
}

/*
 * Is the current generation, which comes back, one that @f has not confirmed?
 *
 * Without the lock. generation_store() counts a generation after it has stored it,
 * so who finds it counted gets no older one. A generation that is stored and not
 * yet counted is another one than @f confirmed.
 */
static inline bool sysgenid_file_outdated(const struct sysgenid_file *f, u32 *generation)
{
	u64 published = READ_ONCE(sysgenid.published);

	smp_rmb(); /* pairs with the smp_wmb() before the count in generation_store() */
	*generation = sysgenid_generation();
	return READ_ONCE(f->confirmed_at) != published || READ_ONCE(f->confirmed) != *generation;
}

/* id.c */
int sysgenid_id_init(const struct sysgenid_place *place, const char **why);
void sysgenid_id_exit(void);
const char *sysgenid_id_check_memory(u64 address, size_t size);
void *sysgenid_id_map(phys_addr_t from, size_t size);
bool sysgenid_id_present(void);
void sysgenid_id_read(struct sysgenid_ids *ids);
int sysgenid_id_check_page(void);
int sysgenid_id_page(unsigned long *pfn, u32 *offset);

/* vmclock.c */
int sysgenid_vmclock_init(const struct sysgenid_place *place, const char **why);
void sysgenid_vmclock_exit(void);
bool sysgenid_vmclock_notifies(void);
int sysgenid_vmclock_check_page(void);
int sysgenid_vmclock_page_error(void);
unsigned long sysgenid_vmclock_pfn(void);

/* instance.c */
void sysgenid_instance_make(u8 instance[SYSGENID_INSTANCE_SIZE], const struct sysgenid_ids *ids,
			    u32 generation);

/* announce.c: what is worth telling about a publish. */
struct sysgenid_news {
	u64 published;
	u32 generation;
	u32 source;
	bool entropy;
	int reseed_status;
};

void sysgenid_announce_add(const struct sysgenid_news *news);
bool sysgenid_announce_tell(void);
void sysgenid_announce_gate(void);
void sysgenid_announce_by(struct device *device);

/* reseed.c */
int sysgenid_reseed_init(void);
void sysgenid_reseed_exit(void);
bool sysgenid_reseed_open(void);
void sysgenid_reseed_look(void);
void sysgenid_reseed_mix(const void *data, size_t len);
void sysgenid_reseed_draw(void *data, size_t len);
int sysgenid_reseed(void);
void sysgenid_reseed_now(void);
bool sysgenid_reseed_inside(void);

/* inflight.c */
void sysgenid_inflight_start(void);
void sysgenid_inflight_stop(void);
void sysgenid_inflight_mixed(void);
void sysgenid_inflight_again(void);
bool sysgenid_inflight_pending(void);
const char *sysgenid_inflight_why(void);

/* quota.c */
int sysgenid_quota_charge(struct sysgenid_user **charged);
void sysgenid_quota_uncharge(struct sysgenid_user *user);

/* watchers.c */
int sysgenid_watchers_init(void);
struct sysgenid_file *sysgenid_file_open(void);
wait_queue_head_t *sysgenid_file_queue(const struct sysgenid_file *f);
void sysgenid_file_release(struct sysgenid_file *f);
void sysgenid_file_sleeps(struct sysgenid_file *f);
void sysgenid_file_set_confirmed(struct sysgenid_file *f);
int sysgenid_file_confirm(struct sysgenid_file *f, u32 generation);
int sysgenid_file_declare(struct sysgenid_file *f, u32 generation, bool unknown);
int sysgenid_file_track(struct sysgenid_file *f);
void sysgenid_file_untrack(struct sysgenid_file *f);
void sysgenid_file_get(struct sysgenid_file *f, struct sysgenid_get_args *get);
int sysgenid_watchers_list(struct sysgenid_list_args *arg, struct sysgenid_watcher *entries);
void sysgenid_watchers_wake(void);
void sysgenid_watchers_exit(void);

/* generation.c */
int sysgenid_generation_init(void);
void sysgenid_generation_start(void);
void sysgenid_generation_stop(void);
void sysgenid_generation_exit(void);
bool sysgenid_publish_moved(void);
bool sysgenid_moved_whole(void);
bool sysgenid_unmixed(void);
void sysgenid_sync_at_once(void);
void sysgenid_compare_soon(void);
void sysgenid_compare_often(bool notified);
void sysgenid_trigger_min(u32 min);
int sysgenid_trigger_expected(struct sysgenid_file *f, struct sysgenid_trigger_args *arg,
			      const void *entropy);

/* Does any hardware id differ from @ids? Without a hardware id nothing does. */
static inline bool sysgenid_id_differs(const struct sysgenid_ids *ids)
{
	const u64 *hardware = sysgenid.hardware_id;

	return (READ_ONCE(hardware[0]) ^ ids->guid[0]) | (READ_ONCE(hardware[1]) ^ ids->guid[1]) |
	       (READ_ONCE(*sysgenid.hardware_counter) ^ ids->counter);
}

/*
 * sysgenid_moved - does any hardware id differ from the recorded one?
 *
 * Without the lock "yes" may be wrong (a publisher is between the halves of the
 * record). "No" is right: the generation of that id is then visible to loads
 * that follow.
 */
static inline bool sysgenid_moved(void)
{
	const struct sysgenid_ids recorded = {
		.guid[0] = READ_ONCE(sysgenid.recorded.guid[0]),
		.guid[1] = READ_ONCE(sysgenid.recorded.guid[1]),
		.counter = READ_ONCE(sysgenid.recorded.counter),
	};

	smp_rmb(); /* pairs with the smp_wmb() in generation_store() */
	return sysgenid_id_differs(&recorded);
}

/*
 * sysgenid_sync - compare the hardware id, and publish if it moved
 *
 * Every system call does so before it looks at the generation: the counter is
 * only a cache of what the hypervisor says. Takes the lock only if the id moved.
 * Return: whether this call published.
 */
static inline bool sysgenid_sync(void)
{
	if (likely(!sysgenid_moved()))
		return false;
	return sysgenid_publish_moved();
}

/*
 * sysgenid_stale - is an answer that was given for @generation out of date?
 *
 * Called after the answer was copied out: the snapshot may have been taken
 * since the call first looked.
 */
static inline bool sysgenid_stale(u32 generation)
{
	sysgenid_sync();
	return sysgenid_generation() != generation;
}

/* settle.c */
int sysgenid_settle_watchers(struct sysgenid_file *f, unsigned long timeout_ms);
int sysgenid_settle_generation(struct sysgenid_file *f, struct sysgenid_wait_args *arg);

/* guard.c */
void sysgenid_guard_start(bool on);
void sysgenid_guard_stop(void);
ssize_t sysgenid_guard_show(char *buf);

/* gate.c: not where a device has no hook on the way in. */
#ifdef CONFIG_NETFILTER_INGRESS
#define SYSGENID_GATE_FEATURE SYSGENID_FEATURE_GATE
int sysgenid_gate_call(struct sysgenid_gate_args *arg);
ssize_t sysgenid_gate_show(char *buf);
#else
#define SYSGENID_GATE_FEATURE 0
static inline int sysgenid_gate_call(struct sysgenid_gate_args *arg)
{
	return -EOPNOTSUPP;
}

static inline ssize_t sysgenid_gate_show(char *buf)
{
	return -EOPNOTSUPP;
}
#endif

/* chardev.c */
int sysgenid_chardev_init(void);
void sysgenid_chardev_exit(void);

#endif /* SYSGENID_H */
