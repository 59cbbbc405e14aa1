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

#include <sysgenid/abi.h>

/*
 * The state of the system. The counter page is the generation, not a copy of it.
 *
 * @lock: serializes all writers. A spinlock, which real-time kernels turn into
 *	a lock with priority inheritance: a mutex would let an idle publisher
 *	that was preempted hold up a real-time caller. Taken in process context
 *	only; nothing under it touches user memory or is O(watchers).
 * @page: the counter page.
 * @record: the record page: the hardware id that the generation belongs to.
 * @published: counts generations without wrapping; watchers compare this.
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
	u64 published;
	unsigned int watchers;
	unsigned int outdated;
	struct swait_queue_head settled;
	u32 sources;
	int reseed_status;
};

extern struct sysgenid_state sysgenid;

/* Who a watcher is, noted when it is tracked or confirms. */
struct sysgenid_identity {
	struct pid *pid;
	kuid_t uid;
	u64 start_time;
	u64 cgroup_id;
	char comm[TASK_COMM_LEN];
};

struct sysgenid_user;

/*
 * An open file of /dev/sysgenid. All but @wait and @index is guarded by
 * sysgenid.lock.
 *
 * @wait: readers and pollers of this file; one queue each, so that waking does
 *	not hold one lock for the waiters of all files.
 * @index: its place in the table of all open files: the cursor of lists.
 * @confirmed: the generation it confirmed or declared last.
 * @confirmed_at: sysgenid.published when it confirmed; U64_MAX: never did so.
 * @tracked: others wait for it.
 * @unknown: it declared that nobody knows its generation.
 * @fresh: it may still declare.
 * @user: the account it is charged to, NULL if its user is not limited.
 * @identity: of who tracked or confirmed last; @identity.uid may see it listed.
 */
struct sysgenid_file {
	wait_queue_head_t wait;
	u32 index;
	u32 confirmed;
	u64 confirmed_at;
	bool tracked;
	bool unknown;
	bool fresh;
	struct sysgenid_user *user;
	struct sysgenid_identity identity;
	struct rcu_head rcu;
};

/* generation.c */
int sysgenid_generation_init(void);
void sysgenid_generation_start(void);
void sysgenid_generation_stop(void);
void sysgenid_generation_exit(void);
bool sysgenid_sync(void);
bool sysgenid_stale(u32 generation);
void sysgenid_compare_soon(void);
void sysgenid_vmforked(void);
void sysgenid_trigger_min(u32 min);
void sysgenid_trigger_expected(struct sysgenid_file *f, struct sysgenid_trigger_args *arg,
			       const void *entropy);
const char *sysgenid_source_name(u32 source);
void sysgenid_reseed_now(void);

static inline u32 sysgenid_generation(void)
{
	/* Pairs with the store-release in store(). */
	return smp_load_acquire(&sysgenid.page->generation);
}

/* watchers.c */
struct sysgenid_file *sysgenid_file_open(void);
void sysgenid_file_release(struct sysgenid_file *f);
bool sysgenid_file_outdated(struct sysgenid_file *f, u32 *generation);
void sysgenid_file_set_confirmed(struct sysgenid_file *f);
int sysgenid_file_confirm(struct sysgenid_file *f, u32 generation);
int sysgenid_file_declare(struct sysgenid_file *f, u32 generation, bool unknown);
int sysgenid_file_track(struct sysgenid_file *f);
void sysgenid_file_untrack(struct sysgenid_file *f);
void sysgenid_file_get(struct sysgenid_file *f, struct sysgenid_get_args *get);
int sysgenid_wait_watchers(struct sysgenid_file *f, unsigned long timeout_ms);
int sysgenid_wait_generation(struct sysgenid_file *f, struct sysgenid_wait_args *arg);
int sysgenid_list_watchers(struct sysgenid_list_args *arg, struct sysgenid_watcher *entries);
void sysgenid_wake(void);
void sysgenid_watchers_exit(void);

/* chardev.c */
int sysgenid_chardev_init(void);
void sysgenid_chardev_exit(void);

/* vmgenid.c */
int sysgenid_vmgenid_init(const char **why);
void sysgenid_vmgenid_start(void);
void sysgenid_vmgenid_stop(void);
void sysgenid_vmgenid_exit(void);
bool sysgenid_vmgenid_present(void);
bool sysgenid_vmgenid_moved(void);
bool sysgenid_vmgenid_read(u64 id[2]);
int sysgenid_vmgenid_page(unsigned long *pfn);

/* vmfork.c */
void sysgenid_vmfork_init(void);
void sysgenid_vmfork_exit(void);

/* reseed.c */
int sysgenid_reseed_init(void);
void sysgenid_reseed_exit(void);
bool sysgenid_reseed_open(void);
void sysgenid_reseed_mix(const void *data, size_t len);
int sysgenid_reseed(void);

#endif /* SYSGENID_H */
