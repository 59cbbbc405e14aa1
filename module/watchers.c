// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open files: who is tracked, who is outdated, who has confirmed.
 */
#include <linux/capability.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>

#include "compat.h"
#include "sysgenid.h"
#include "trace.h"

/* sysgenid_file.confirmed_at: confirmed no generation of ours. */
#define NEVER U64_MAX
/* Open files that a list looks at before it lets others run. */
#define WATCHERS_BATCH	64
#define WATCHERS_QUEUES 256
/* Queues that are woken before others may run. */
#define WATCHERS_QUEUES_BATCH 8

/* All open files, also those that are not tracked. */
static DEFINE_XARRAY_FLAGS(watchers, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
static struct kmem_cache *watchers_cache;

/*
 * Readers and pollers of all files. Few queues: waking all walks no table. Many
 * queues: the lock of one is not held for a crowd. A file gets one by chance, or
 * one user could fill one queue.
 */
static wait_queue_head_t watchers_queues[WATCHERS_QUEUES];

/*
 * Who a watcher is, noted when it is tracked or confirms. Files that one process
 * opens one after another share it. Guarded by sysgenid.lock; only @refs and
 * @unlimited change.
 */
struct sysgenid_identity {
	unsigned int refs;
	bool unlimited; /* it was found to be so, see sysgenid_quota_charge() */
	const struct cred *cred;
	struct pid *pid;
	u64 start_time;
	u64 cgroup_id;
	char comm[TASK_COMM_LEN];
};

/* The one that was noted last, if there still is a file with it. */
static struct sysgenid_identity *identity_last;

static struct sysgenid_identity *identity_new(void)
{
	struct task_struct *leader = current->group_leader;
	struct sysgenid_identity *identity;

	/* Few bytes for an open file that is charged: no reason to refuse a confirmation. */
	identity = kzalloc(sizeof(*identity), GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	identity->pid = get_pid(task_tgid(current));
	identity->cred = get_current_cred();
	identity->start_time = leader->start_boottime;
	identity->cgroup_id = sysgenid_cgroup_id();
	get_task_comm(identity->comm, leader);
	return identity;
}

static inline void identity_free(struct sysgenid_identity *identity)
{
	if (likely(!identity))
		return;
	put_pid(identity->pid);
	put_cred(identity->cred);
	kfree(identity);
}

/*
 * Is it what identity_new() would make? But for the name: a list shows the present
 * one of a process that lives, and execve(2) makes new credentials.
 */
static inline bool identity_is_current(const struct sysgenid_identity *identity)
{
	return identity && identity->pid == task_tgid(current) &&
	       identity->cred == current_cred() && identity->cgroup_id == sysgenid_cgroup_id();
}

/* Return: @identity if nobody has it any more: to be freed without the lock. */
static struct sysgenid_identity *identity_put(struct sysgenid_identity *identity)
{
	if (!identity || --identity->refs)
		return NULL;
	if (identity_last == identity)
		identity_last = NULL;
	return identity;
}

/*
 * Notes for @f that the caller is another one. Caller holds the lock.
 *
 * @new: of identity_new(), or NULL. Comes back as NULL if it is in use.
 * @old: comes back as one to be freed, or NULL.
 * Return: false: it takes a new one.
 */
static noinline bool watchers_note_other(struct sysgenid_file *f, struct sysgenid_identity **new,
					 struct sysgenid_identity **old)
{
	struct sysgenid_identity *identity = identity_last;

	if (!identity_is_current(identity)) {
		if (!*new)
			return false;
		identity = *new;
		*new = NULL;
	}
	identity->refs++;
	identity_last = identity;
	*old = identity_put(f->identity);
	f->identity = identity;
	return true;
}

/* Notes for @f who the caller is: as above. */
static inline bool watchers_note(struct sysgenid_file *f, struct sysgenid_identity **new,
				 struct sysgenid_identity **old)
{
	return likely(identity_is_current(f->identity)) || watchers_note_other(f, new, old);
}

int sysgenid_watchers_init(void)
{
	int i;

	for (i = 0; i < WATCHERS_QUEUES; i++)
		init_waitqueue_head(&watchers_queues[i]);
	watchers_cache = KMEM_CACHE(sysgenid_file, SLAB_ACCOUNT);
	return watchers_cache ? 0 : -ENOMEM;
}

/* No file is open. */
void sysgenid_watchers_exit(void)
{
	/* The last of them may wait to be freed. */
	rcu_barrier();
	kmem_cache_destroy(watchers_cache);
	xa_destroy(&watchers);
}

struct sysgenid_file *sysgenid_file_open(void)
{
	struct sysgenid_file *f;
	int ret;

	f = kmem_cache_zalloc(watchers_cache, GFP_KERNEL);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->queue = get_random_u32() % WATCHERS_QUEUES;
	f->fresh = true;

	spin_lock_irq(&sysgenid.lock);
	f->confirmed_at = sysgenid.published;
	f->confirmed = sysgenid.page->generation;
	spin_unlock_irq(&sysgenid.lock);

	/* The lowest free index: the table stays dense. */
	ret = xa_alloc(&watchers, &f->index, f, xa_limit_31b, GFP_KERNEL_ACCOUNT);
	if (ret < 0) {
		kmem_cache_free(watchers_cache, f);
		return ERR_PTR(ret == -EBUSY ? -ENOMEM : ret);
	}
	return f;
}

wait_queue_head_t *sysgenid_file_queue(const struct sysgenid_file *f)
{
	return &watchers_queues[f->queue];
}

/* Who waits for all to confirm is woken when the last one has. */
static void watchers_wake_settled(void)
{
	if (!READ_ONCE(sysgenid.outdated) && swq_has_sleeper(&sysgenid.settled))
		swake_up_all(&sysgenid.settled);
}

void sysgenid_file_untrack(struct sysgenid_file *f)
{
	struct sysgenid_user *user = NULL;
	bool was;

	spin_lock_irq(&sysgenid.lock);
	was = f->tracked;
	if (was) {
		WRITE_ONCE(f->tracked, false);
		WRITE_ONCE(sysgenid.watchers, sysgenid.watchers - 1);
		if (sysgenid_outdated(f))
			WRITE_ONCE(sysgenid.outdated, sysgenid.outdated - 1);
		swap(user, f->user);
		trace_sysgenid_track(f);
	}
	spin_unlock_irq(&sysgenid.lock);

	sysgenid_quota_uncharge(user);
	if (was)
		watchers_wake_settled();
}

static void watchers_free_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(watchers_cache, container_of(rcu, struct sysgenid_file, rcu));
}

void sysgenid_file_release(struct sysgenid_file *f)
{
	struct sysgenid_identity *identity;

	sysgenid_file_untrack(f);
	xa_erase(&watchers, f->index);
	spin_lock_irq(&sysgenid.lock);
	identity = identity_put(f->identity);
	spin_unlock_irq(&sysgenid.lock);
	identity_free(identity);
	/* Lists may still look at it: as it is not tracked, not at what @rcu overwrites. */
	call_rcu(&f->rcu, watchers_free_rcu);
}

/*
 * Tracks @f if it is not yet. Takes over the account in @charged; does without one
 * if the caller is known not to be limited.
 * Return: 0, -EAGAIN if it takes a new identity, -ENOENT if an account.
 */
static inline int watchers_track(struct sysgenid_file *f, struct sysgenid_user **charged,
				 struct sysgenid_identity **new, struct sysgenid_identity **old)
{
	int ret = 0;

	spin_lock_irq(&sysgenid.lock);
	if (!watchers_note(f, new, old)) {
		ret = -EAGAIN;
	} else if (!f->tracked && !charged && !f->identity->unlimited) {
		ret = -ENOENT;
	} else if (!f->tracked) {
		WRITE_ONCE(f->tracked, true);
		WRITE_ONCE(f->fresh, false);
		if (charged) {
			swap(f->user, *charged);
			f->identity->unlimited = !f->user;
		}
		WRITE_ONCE(sysgenid.watchers, sysgenid.watchers + 1);
		if (sysgenid_outdated(f))
			WRITE_ONCE(sysgenid.outdated, sysgenid.outdated + 1);
		trace_sysgenid_track(f);
	}
	spin_unlock_irq(&sysgenid.lock);
	return ret;
}

/* Return: 0, -EDQUOT or -ENOMEM. */
int sysgenid_file_track(struct sysgenid_file *f)
{
	struct sysgenid_identity *new = NULL, *old = NULL;
	struct sysgenid_user *user = NULL;
	bool charged = false;
	int ret = 0;

	while (!ret) {
		ret = watchers_track(f, charged ? &user : NULL, &new, &old);
		if (ret == -EAGAIN) {
			new = identity_new();
			ret = 0;
		} else if (ret == -ENOENT) {
			ret = sysgenid_quota_charge(&user);
			charged = true;
		} else {
			break;
		}
	}
	if (ret == -EDQUOT)
		trace_sysgenid_refuse(SYSGENID_SET_WATCHER_TRACKING, ret);
	/* Another thread was faster. */
	if (unlikely(user))
		sysgenid_quota_uncharge(user);
	identity_free(new);
	identity_free(old);
	return ret;
}

/*
 * Somebody is about to sleep by @f, and looks once more after this: then a
 * declaration has others woken. All other files are outdated by a publish alone.
 */
void sysgenid_file_sleeps(struct sysgenid_file *f)
{
	if (!READ_ONCE(f->fresh))
		return;
	spin_lock_irq(&sysgenid.lock);
	f->waited = true;
	spin_unlock_irq(&sysgenid.lock);
}

/* Caller holds the lock. */
void sysgenid_file_set_confirmed(struct sysgenid_file *f)
{
	if (f->tracked && sysgenid_outdated(f))
		WRITE_ONCE(sysgenid.outdated, sysgenid.outdated - 1);
	WRITE_ONCE(f->confirmed_at, sysgenid.published);
	WRITE_ONCE(f->confirmed, sysgenid.page->generation);
	f->unknown = false;
	WRITE_ONCE(f->fresh, false);
	trace_sysgenid_confirm(f);
}

/* Return: 0, or -ESTALE if @generation is not the current one. */
int sysgenid_file_confirm(struct sysgenid_file *f, u32 generation)
{
	struct sysgenid_identity *new = NULL, *old = NULL;
	int ret;

	for (;;) {
		spin_lock_irq(&sysgenid.lock);
		ret = -ESTALE;
		if (generation == sysgenid.page->generation) {
			ret = -EAGAIN;
			if (watchers_note(f, &new, &old)) {
				sysgenid_file_set_confirmed(f);
				ret = 0;
			}
		}
		spin_unlock_irq(&sysgenid.lock);
		if (ret != -EAGAIN)
			break;
		new = identity_new();
	}
	identity_free(new);
	identity_free(old);
	if (!ret)
		watchers_wake_settled();
	return ret;
}

/* Return: 0 or -EBUSY. */
int sysgenid_file_declare(struct sysgenid_file *f, u32 generation, bool unknown)
{
	int ret = -EBUSY;
	bool waited;

	spin_lock_irq(&sysgenid.lock);
	if (f->fresh) {
		WRITE_ONCE(f->fresh, false);
		f->unknown = unknown;
		if (!unknown)
			WRITE_ONCE(f->confirmed, generation);
		if (unknown || generation != sysgenid.page->generation)
			WRITE_ONCE(f->confirmed_at, NEVER);
		else
			WRITE_ONCE(f->confirmed_at, sysgenid.published);
		ret = 0;
	}
	waited = f->waited;
	spin_unlock_irq(&sysgenid.lock);

	/* Only who sleeps by this file may have to be told. */
	if (!ret && waited) {
		wake_up_poll(sysgenid_file_queue(f), EPOLLIN | EPOLLRDNORM);
		swake_up_all(&sysgenid.settled);
	}
	return ret;
}

void sysgenid_file_get(struct sysgenid_file *f, struct sysgenid_get_args *get)
{
	spin_lock_irq(&sysgenid.lock);
	get->generation = sysgenid.page->generation;
	get->source = sysgenid.page->source;
	get->time = sysgenid.page->time;
	get->confirmed = f->confirmed;
	get->watchers = sysgenid.watchers;
	get->outdated = sysgenid.outdated;
	get->flags = (f->tracked ? SYSGENID_GET_TRACKED : 0) |
		     (sysgenid_outdated(f) ? SYSGENID_GET_OUTDATED : 0) |
		     (f->unknown ? SYSGENID_GET_UNKNOWN : 0) |
		     (sysgenid.reseed_status ? SYSGENID_GET_RESEED_FAILED : 0) |
		     (sysgenid_inflight_pending() ? SYSGENID_GET_RESEED_PENDING : 0) |
		     (sysgenid.page->flags & SYSGENID_PAGE_INSTANCE ? SYSGENID_GET_INSTANCE : 0);
	memcpy(get->instance_id, sysgenid.page->instance_id, sizeof(get->instance_id));
	spin_unlock_irq(&sysgenid.lock);

	get->sources = sysgenid.sources;
	get->features = sysgenid.page->features;
}

/*
 * What a caller may see of others.
 *
 * @all: may see everybody. Else only processes that are visible in @pid_ns, as
 *	in /proc: who has one uid may sit in many containers.
 * @any_uid: of these, those of other users, too.
 */
struct viewer {
	struct pid_namespace *pid_ns;
	kuid_t uid;
	bool all;
	bool any_uid;
	bool outdated_only;
};

/* Caller holds the lock. */
static bool watchers_visible(const struct viewer *viewer, const struct sysgenid_identity *identity)
{
	if (viewer->all)
		return true;
	/* A number outlives its process: an open file may have been left to others. */
	return pid_nr_ns(identity->pid, viewer->pid_ns) &&
	       (viewer->any_uid || uid_eq(identity->cred->uid, viewer->uid));
}

/* Return: whether @entry was filled in. Caller holds rcu_read_lock(). */
static bool watchers_describe(struct sysgenid_file *f, const struct viewer *viewer,
			      struct sysgenid_watcher *entry)
{
	const struct sysgenid_identity *identity;
	struct task_struct *task;
	bool shown;

	spin_lock_irq(&sysgenid.lock);
	shown = f->tracked && watchers_visible(viewer, f->identity) &&
		(sysgenid_outdated(f) || !viewer->outdated_only);
	if (shown) {
		identity = f->identity;
		memset(entry, 0, sizeof(*entry));
		task = pid_task(identity->pid, PIDTYPE_TGID);
		if (task)
			entry->pid = pid_nr_ns(identity->pid, viewer->pid_ns);
		entry->confirmed = f->confirmed;
		entry->start_time = identity->start_time;
		entry->cgroup_id = identity->cgroup_id;
		entry->flags = (sysgenid_outdated(f) ? SYSGENID_WATCHER_OUTDATED : 0) |
			       (f->unknown ? SYSGENID_WATCHER_UNKNOWN : 0);
		/* The present name: a process that CRIU restored was noted as criu(8). */
		if (task && task->start_boottime == identity->start_time)
			/* A mixture of two names, if it changes now, is harmless. */
			data_race(strscpy(entry->comm, task->comm, sizeof(entry->comm)));
		else
			memcpy(entry->comm, identity->comm, sizeof(entry->comm));
	}
	spin_unlock_irq(&sysgenid.lock);
	return shown;
}

/* Return: the number of @entries filled in, or -ERESTARTNOHAND. */
int sysgenid_watchers_list(struct sysgenid_list_args *arg, struct sysgenid_watcher *entries)
{
	struct viewer viewer = {
		.pid_ns = task_active_pid_ns(current),
		.uid = current_uid(),
		.all = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN),
		.any_uid = ns_capable_noaudit(&init_user_ns, CAP_SYS_PTRACE),
		.outdated_only = !(arg->flags & SYSGENID_LIST_ALL),
	};
	unsigned long index = arg->cursor;
	struct sysgenid_file *f;
	u32 count = 0;
	int batch;
	bool more;

	/* First: the caller repeats it all if there is another one by the end. */
	arg->generation = sysgenid_generation();
	do {
		rcu_read_lock();
		f = xa_find(&watchers, &index, ULONG_MAX, XA_PRESENT);
		for (batch = 0; f && batch < WATCHERS_BATCH && count < arg->count; batch++) {
			count += watchers_describe(f, &viewer, &entries[count]);
			index++;
			f = xa_find(&watchers, &index, ULONG_MAX, XA_PRESENT);
		}
		rcu_read_unlock();
		more = f && count < arg->count;
		if (more && signal_pending(current))
			return -ERESTARTNOHAND;
		cond_resched();
	} while (more);

	arg->outdated = READ_ONCE(sysgenid.outdated);
	arg->cursor = f ? index : 0;
	return count;
}

/*
 * sysgenid_watchers_wake - wake all who wait for a new generation
 *
 * From work, after a publish and apart from it. Only one queue is locked at a time.
 */
void sysgenid_watchers_wake(void)
{
	int i;

	swake_up_all(&sysgenid.settled);
	/*
	 * Pairs with the smp_mb() of chardev_poll(), and with that of
	 * wait_event_interruptible(): who is not seen in a queue sees the generation.
	 */
	smp_mb();
	for (i = 0; i < WATCHERS_QUEUES; i++) {
		/* waitqueue_active() comes after the smp_mb() above. */
		if (waitqueue_active(&watchers_queues[i]))
			wake_up_poll(&watchers_queues[i], EPOLLIN | EPOLLRDNORM);
		/* Not after each: a task with files in many queues would run for each. */
		if (i % WATCHERS_QUEUES_BATCH == WATCHERS_QUEUES_BATCH - 1)
			cond_resched();
	}
}
