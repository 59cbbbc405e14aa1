// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is tracked, who is outdated, and waiting for them.
 */
#include <linux/capability.h>
#include <linux/hashtable.h>
#include <linux/hrtimer.h>
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>

#include "compat.h"
#include "sysgenid.h"
#include "trace.h"

/* sysgenid_file.confirmed_at: confirmed no generation of ours. */
#define NEVER U64_MAX
/* Open files that a walk looks at before it lets others run. */
#define WALK_BATCH 64

static unsigned int max_watchers_per_user = 1024;
module_param(max_watchers_per_user, uint, 0644);
MODULE_PARM_DESC(max_watchers_per_user,
		 "Most tracked watchers of one user without CAP_SYS_RESOURCE (default: 1024)");

static unsigned int max_watchers_unprivileged = 16384;
module_param(max_watchers_unprivileged, uint, 0644);
MODULE_PARM_DESC(
	max_watchers_unprivileged,
	"Most tracked watchers of all users without CAP_SYS_RESOURCE together (default: 16384)");

/* All open files, also those that are not tracked. */
static DEFINE_XARRAY_FLAGS(files, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
static u32 next_index = 1;

/* A user who tracks watchers and is limited. Guarded by sysgenid.lock. */
struct sysgenid_user {
	struct hlist_node node;
	kuid_t uid;
	unsigned int tracked;
};

static DEFINE_HASHTABLE(users, 6);
static unsigned int unprivileged_watchers;

/*
 * Whom the caller's watchers are charged to. Who made a user namespace has many
 * uids in it: they all are charged to that user's uid in the initial one. But
 * the namespaces that root makes are containers: each has an account of its own,
 * that of its own root.
 */
static kuid_t charged_uid(void)
{
	struct user_namespace *ns = current_user_ns();
	kuid_t own;

	if (ns == &init_user_ns)
		return current_uid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
		return ns->owner;
	own = make_kuid(ns, 0);
	return uid_valid(own) ? own : ns->owner;
}

static struct sysgenid_user *find_account(kuid_t uid)
{
	struct sysgenid_user *user;

	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

static void identify(struct sysgenid_identity *identity)
{
	struct task_struct *leader = current->group_leader;

	identity->pid = get_pid(task_tgid(current));
	identity->uid = current_uid();
	identity->start_time = leader->start_boottime;
	identity->cgroup_id = sysgenid_cgroup_id();
	get_task_comm(identity->comm, leader);
}

static bool outdated(const struct sysgenid_file *f)
{
	return f->confirmed_at != sysgenid.published;
}

struct sysgenid_file *sysgenid_file_open(void)
{
	struct sysgenid_file *f;
	int ret;

	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return ERR_PTR(-ENOMEM);
	init_waitqueue_head(&f->wait);
	f->fresh = true;

	spin_lock(&sysgenid.lock);
	f->confirmed_at = sysgenid.published;
	f->confirmed = sysgenid.page->generation;
	spin_unlock(&sysgenid.lock);

	ret = xa_alloc_cyclic(&files, &f->index, f, xa_limit_31b, &next_index, GFP_KERNEL_ACCOUNT);
	if (ret < 0) {
		kfree(f);
		return ERR_PTR(ret == -EBUSY ? -ENOMEM : ret);
	}
	return f;
}

/* Who waits for all to confirm is woken when the last one has. */
static void wake_settled(void)
{
	if (!READ_ONCE(sysgenid.outdated) && swq_has_sleeper(&sysgenid.settled))
		swake_up_all(&sysgenid.settled);
}

static struct sysgenid_user *uncharge(struct sysgenid_file *f)
{
	struct sysgenid_user *user = f->user;

	f->user = NULL;
	if (!user)
		return NULL;
	unprivileged_watchers--;
	if (--user->tracked)
		return NULL;
	hash_del(&user->node);
	return user;
}

void sysgenid_file_untrack(struct sysgenid_file *f)
{
	struct sysgenid_user *unused = NULL;
	bool was;

	spin_lock(&sysgenid.lock);
	was = f->tracked;
	if (was) {
		f->tracked = false;
		WRITE_ONCE(sysgenid.watchers, sysgenid.watchers - 1);
		if (outdated(f))
			WRITE_ONCE(sysgenid.outdated, sysgenid.outdated - 1);
		unused = uncharge(f);
		trace_sysgenid_track(f);
	}
	spin_unlock(&sysgenid.lock);

	kfree(unused);
	if (was)
		wake_settled();
}

void sysgenid_file_release(struct sysgenid_file *f)
{
	sysgenid_file_untrack(f);
	xa_erase(&files, f->index);
	put_pid(f->identity.pid);
	/* Walks of the table may still look at it. */
	kfree_rcu(f, rcu);
}

/* Caller holds the lock. Return: 0 or -EDQUOT. */
static int charge(struct sysgenid_file *f, kuid_t uid, struct sysgenid_user **new)
{
	struct sysgenid_user *user = find_account(uid);

	if (unprivileged_watchers >= READ_ONCE(max_watchers_unprivileged) ||
	    (user ? user->tracked : 0) >= READ_ONCE(max_watchers_per_user))
		return -EDQUOT;
	if (!user) {
		user = *new;
		*new = NULL;
		user->uid = uid;
		hash_add(users, &user->node, __kuid_val(user->uid));
	}
	user->tracked++;
	unprivileged_watchers++;
	f->user = user;
	return 0;
}

/* Return: 0, -EDQUOT or -ENOMEM. */
int sysgenid_file_track(struct sysgenid_file *f)
{
	bool limited = !ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	struct sysgenid_user *user = NULL;
	struct sysgenid_identity identity;
	kuid_t uid = charged_uid();
	int ret = 0;

	if (limited) {
		user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
		if (!user)
			return -ENOMEM;
	}
	identify(&identity);

	spin_lock(&sysgenid.lock);
	if (!f->tracked) {
		if (limited)
			ret = charge(f, uid, &user);
		if (!ret) {
			f->tracked = true;
			f->fresh = false;
			WRITE_ONCE(sysgenid.watchers, sysgenid.watchers + 1);
			if (outdated(f))
				WRITE_ONCE(sysgenid.outdated, sysgenid.outdated + 1);
			trace_sysgenid_track(f);
		}
	}
	if (f->tracked)
		swap(f->identity, identity);
	spin_unlock(&sysgenid.lock);

	if (ret)
		trace_sysgenid_refuse(SYSGENID_SET_WATCHER_TRACKING, ret);
	put_pid(identity.pid);
	kfree(user);
	return ret;
}

/* Is the current generation, which comes back, one that @f has not confirmed? */
bool sysgenid_file_outdated(struct sysgenid_file *f, u32 *generation)
{
	bool ret;

	spin_lock(&sysgenid.lock);
	*generation = sysgenid.page->generation;
	ret = outdated(f);
	spin_unlock(&sysgenid.lock);
	return ret;
}

/* Caller holds the lock. */
void sysgenid_file_set_confirmed(struct sysgenid_file *f)
{
	if (f->tracked && outdated(f))
		WRITE_ONCE(sysgenid.outdated, sysgenid.outdated - 1);
	f->confirmed_at = sysgenid.published;
	f->confirmed = sysgenid.page->generation;
	f->unknown = false;
	f->fresh = false;
	trace_sysgenid_confirm(f);
}

/* Return: 0, or -ESTALE if @generation is not the current one. */
int sysgenid_file_confirm(struct sysgenid_file *f, u32 generation)
{
	struct sysgenid_identity identity;
	int ret = -ESTALE;

	identify(&identity);
	spin_lock(&sysgenid.lock);
	if (generation == sysgenid.page->generation) {
		sysgenid_file_set_confirmed(f);
		swap(f->identity, identity);
		ret = 0;
	}
	spin_unlock(&sysgenid.lock);

	put_pid(identity.pid);
	if (!ret)
		wake_settled();
	return ret;
}

/* Return: 0 or -EBUSY. */
int sysgenid_file_declare(struct sysgenid_file *f, u32 generation, bool unknown)
{
	int ret = -EBUSY;

	spin_lock(&sysgenid.lock);
	if (f->fresh) {
		f->fresh = false;
		f->unknown = unknown;
		if (!unknown)
			f->confirmed = generation;
		if (unknown || generation != sysgenid.page->generation)
			f->confirmed_at = NEVER;
		else
			f->confirmed_at = sysgenid.published;
		ret = 0;
	}
	spin_unlock(&sysgenid.lock);

	/* It may be outdated now, and others asleep on it. */
	if (!ret) {
		wake_up_poll(&f->wait, EPOLLIN | EPOLLRDNORM);
		swake_up_all(&sysgenid.settled);
	}
	return ret;
}

void sysgenid_file_get(struct sysgenid_file *f, struct sysgenid_get_args *get)
{
	spin_lock(&sysgenid.lock);
	get->generation = sysgenid.page->generation;
	get->source = sysgenid.page->source;
	get->time = sysgenid.page->time;
	get->confirmed = f->confirmed;
	get->watchers = sysgenid.watchers;
	get->outdated = sysgenid.outdated;
	get->flags = (f->tracked ? SYSGENID_GET_TRACKED : 0) |
		     (outdated(f) ? SYSGENID_GET_OUTDATED : 0) |
		     (f->unknown ? SYSGENID_GET_UNKNOWN : 0) |
		     (sysgenid.reseed_status ? SYSGENID_GET_RESEED_FAILED : 0);
	spin_unlock(&sysgenid.lock);

	get->sources = sysgenid.sources;
	get->features = sysgenid.page->features;
}

/* Whose watchers somebody waits for, and what came of it. */
struct wait_args {
	struct sysgenid_file *file;
	struct sysgenid_wait_args *named; /* NULL: SYSGENID_WAIT_WATCHERS */
	u32 generation;			  /* that the last check was about */
};

/* Return: 0 when all have confirmed, -EAGAIN to go on waiting, or an error. */
static int check_settled(struct wait_args *args)
{
	struct sysgenid_wait_args *named = args->named;
	int ret = 0;

	spin_lock(&sysgenid.lock);
	args->generation = sysgenid.page->generation;
	if (!named) {
		if (outdated(args->file))
			ret = -EINTR;
		else if (sysgenid.outdated)
			ret = -EAGAIN;
	} else {
		named->current_generation = args->generation;
		named->outdated = sysgenid.outdated;
		if (named->generation != args->generation)
			ret = -ESTALE;
		else if (args->file->tracked && outdated(args->file))
			ret = -EDEADLK;
		else if (sysgenid.outdated)
			ret = -EAGAIN;
	}
	spin_unlock(&sysgenid.lock);
	return ret;
}

/*
 * Sleeps until check_settled() has an answer, and that answer is not older than
 * the hardware id.
 *
 * @expires: CLOCK_MONOTONIC; NULL: never.
 * @interrupted: what to return on a signal.
 */
static int wait_settled(struct wait_args *args, ktime_t *expires, int interrupted)
{
	DECLARE_SWAITQUEUE(wait);
	bool expired = false;
	int ret;

	for (;;) {
		bool signal;

		sysgenid_sync();
		signal = prepare_to_swait_event(&sysgenid.settled, &wait, TASK_INTERRUPTIBLE);
		ret = check_settled(args);
		if (ret == -EAGAIN && !expired && !signal) {
			expired = !schedule_hrtimeout_range(expires, 0, HRTIMER_MODE_ABS);
			continue;
		}
		/* Another processor may have published since the check. */
		if ((sysgenid_vmgenid_moved() || sysgenid_generation() != args->generation) &&
		    !fatal_signal_pending(current)) {
			__set_current_state(TASK_RUNNING);
			cond_resched();
			continue;
		}
		if (ret == -EAGAIN)
			ret = expired ? -ETIME : interrupted;
		break;
	}
	finish_swait(&sysgenid.settled, &wait);
	return ret;
}

/*
 * SYSGENID_WAIT_WATCHERS. With a timeout a signal ends it for good: a restarted
 * call would begin to count anew.
 */
int sysgenid_wait_watchers(struct sysgenid_file *f, unsigned long timeout_ms)
{
	struct wait_args args = { .file = f };
	ktime_t expires;

	if (!timeout_ms)
		return wait_settled(&args, NULL, -ERESTARTSYS);
	expires = ktime_add_safe(ktime_get(), timeout_ms > KTIME_MAX / NSEC_PER_MSEC ?
						      KTIME_MAX :
						      ms_to_ktime(timeout_ms));
	return wait_settled(&args, &expires, -EINTR);
}

int sysgenid_wait_generation(struct sysgenid_file *f, struct sysgenid_wait_args *arg)
{
	struct wait_args args = { .file = f, .named = arg };
	ktime_t expires;

	if (arg->timeout_ns < 0)
		return wait_settled(&args, NULL, -EINTR);
	expires = ktime_add_safe(ktime_get(), arg->timeout_ns);
	return wait_settled(&args, &expires, -EINTR);
}

/* What a caller may see of others. */
struct viewer {
	struct pid_namespace *pid_ns;
	kuid_t uid;
	bool all;
	bool outdated_only;
};

/* Return: whether @entry was filled in. Caller holds rcu_read_lock(). */
static bool describe(struct sysgenid_file *f, const struct viewer *viewer,
		     struct sysgenid_watcher *entry)
{
	const struct sysgenid_identity *identity = &f->identity;
	bool shown;

	spin_lock(&sysgenid.lock);
	shown = f->tracked && (viewer->all || uid_eq(identity->uid, viewer->uid)) &&
		(outdated(f) || !viewer->outdated_only);
	if (shown) {
		memset(entry, 0, sizeof(*entry));
		if (pid_task(identity->pid, PIDTYPE_TGID))
			entry->pid = pid_nr_ns(identity->pid, viewer->pid_ns);
		entry->confirmed = f->confirmed;
		entry->start_time = identity->start_time;
		entry->cgroup_id = identity->cgroup_id;
		entry->flags = (outdated(f) ? SYSGENID_WATCHER_OUTDATED : 0) |
			       (f->unknown ? SYSGENID_WATCHER_UNKNOWN : 0);
		memcpy(entry->comm, identity->comm, sizeof(entry->comm));
	}
	spin_unlock(&sysgenid.lock);
	return shown;
}

/* Return: the number of @entries filled in, or -EINTR. */
int sysgenid_list_watchers(struct sysgenid_list_args *arg, struct sysgenid_watcher *entries)
{
	struct viewer viewer = {
		.pid_ns = task_active_pid_ns(current),
		.uid = current_uid(),
		.all = ns_capable_noaudit(&init_user_ns, CAP_SYS_PTRACE) ||
		       ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN),
		.outdated_only = !(arg->flags & SYSGENID_LIST_ALL),
	};
	unsigned long index = arg->cursor;
	struct sysgenid_file *f = NULL;
	u32 count = 0;
	int batch;

	/* First: the caller repeats it all if there is another one by the end. */
	arg->generation = sysgenid_generation();
	do {
		rcu_read_lock();
		for (batch = 0; batch < WALK_BATCH && count < arg->count; batch++) {
			f = xa_find(&files, &index, ULONG_MAX, XA_PRESENT);
			if (!f)
				break;
			count += describe(f, &viewer, &entries[count]);
			index++;
		}
		rcu_read_unlock();
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (f && count < arg->count);

	arg->outdated = READ_ONCE(sysgenid.outdated);
	arg->cursor = f ? index : 0;
	return count;
}

/*
 * sysgenid_wake - wake all who wait for a new generation
 *
 * From work, after a publish and apart from it. O(open files), but only one
 * file's queue is locked at a time. A waiter that is not yet queued sees the
 * generation itself: it queues, then looks (wq_has_sleeper() has the barrier).
 */
void sysgenid_wake(void)
{
	struct sysgenid_file *f;
	unsigned long index = 0;
	int batch;

	swake_up_all(&sysgenid.settled);
	do {
		rcu_read_lock();
		for (batch = 0; batch < WALK_BATCH; batch++) {
			f = xa_find(&files, &index, ULONG_MAX, XA_PRESENT);
			if (!f)
				break;
			if (wq_has_sleeper(&f->wait))
				wake_up_poll(&f->wait, EPOLLIN | EPOLLRDNORM);
			index++;
		}
		rcu_read_unlock();
		cond_resched();
	} while (f);
}

void sysgenid_watchers_exit(void)
{
	xa_destroy(&files);
}
