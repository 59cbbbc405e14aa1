// SPDX-License-Identifier: MIT
/* The calls, each one command of the driver. */
#define _GNU_SOURCE
#include <string.h>

#include "internal.h"

SYSGENID_PUBLIC uint32_t sysgenid_version(void)
{
	return LIBSYSGENID_VERSION;
}

SYSGENID_PUBLIC int sysgenid_get_fd(const struct sysgenid *g)
{
	if (!g)
		return -EINVAL;
	return g->soft ? -EOPNOTSUPP : g->file.fd;
}

SYSGENID_PUBLIC const struct sysgenid_view *
sysgenid_get_view(const struct sysgenid *g)
{
	return g ? &g->view : NULL;
}

SYSGENID_PUBLIC bool sysgenid_is_exact(const struct sysgenid *g)
{
	return g && g->hardware;
}

/* For the calls that an old driver does not have, nor a page file. */
static int new_call(const struct sysgenid *g, unsigned long command, void *arg)
{
	int r = sysgenid_usable(g);

	if (r)
		return r;
	if (g->old_driver || g->soft)
		return -EOPNOTSUPP;
	r = sysgenid_fd_check(&g->file);
	return r ? r : sysgenid_ioctl(g->file.fd, command, arg);
}

/*
 * One system call, as this is asked often: no other file knows the command. If
 * one says that it has been done all the same, it leaves features at 0.
 */
static int get(const struct sysgenid *g, struct sysgenid_get_args *args)
{
	int r;

	*args = (struct sysgenid_get_args){ .size = sizeof(*args) };
	r = sysgenid_ioctl(g->file.fd, SYSGENID_GET, args);
	if (!r && args->features & SYSGENID_FEATURE_CALLS)
		return 0;
	if (sysgenid_fd_check(&g->file) == -EBADF)
		return -EBADF;
	return r ? r : -ENODEV;
}

SYSGENID_PUBLIC int sysgenid_read(struct sysgenid *g, uint32_t *generation)
{
	struct sysgenid_get_args answer;
	uint32_t now;
	int r = sysgenid_usable(g);

	if (r)
		return r;
	if (!generation)
		return -EINVAL;
	if (g->soft) {
		now = sysgenid_load(g);
		/* Who lives now has kept it up to date until now. */
		r = sysgenid_publisher(g);
		if (!r)
			*generation = now;
		return r;
	}
	if (g->old_driver) {
		*generation = sysgenid_load(g);
		return 0;
	}
	r = get(g, &answer);
	if (r)
		return r;
	*generation = answer.generation;
	return 0;
}

static int confirm_by_write(const struct sysgenid_fd *file, uint32_t generation)
{
	ssize_t n = write(file->fd, &generation, sizeof(generation));

	if (n < 0)
		return errno == EINVAL ? -ESTALE : -errno;
	return n == sizeof(generation) ? 0 : -EIO;
}

/* A sandbox that allows no ioctl may well allow a write. */
static bool is_forbidden(int error)
{
	return error == -EPERM || error == -EACCES || error == -ENOSYS;
}

int sysgenid_confirm_fd(const struct sysgenid *g,
			const struct sysgenid_fd *file, uint32_t generation)
{
	struct sysgenid_confirm_args confirm = {
		.size = sizeof(confirm),
		.generation = generation,
	};
	int r = sysgenid_fd_check(file);

	if (r)
		return r;
	if (g->old_driver && !file->writable)
		return -EACCES;
	if (!g->old_driver) {
		r = sysgenid_ioctl(file->fd, SYSGENID_CONFIRM, &confirm);
		if (!is_forbidden(r) || !file->writable)
			return r;
	}
	return confirm_by_write(file, generation);
}

SYSGENID_PUBLIC int sysgenid_confirm(struct sysgenid *g, uint32_t generation)
{
	int r = sysgenid_usable(g);

	if (r)
		return r;
	if (g->soft)
		return -EOPNOTSUPP;
	return sysgenid_confirm_fd(g, &g->file, generation);
}

SYSGENID_PUBLIC int sysgenid_track(struct sysgenid *g, bool on)
{
	int r = sysgenid_usable(g);

	if (r)
		return r;
	if (g->soft)
		return -EOPNOTSUPP;
	/* Old drivers would track whom they do not let confirm. */
	if (!g->file.writable)
		return -EACCES;
	r = sysgenid_fd_check(&g->file);
	if (r)
		return r;
	return sysgenid_ioctl(g->file.fd, SYSGENID_SET_WATCHER_TRACKING,
			      (void *)(uintptr_t)on);
}

SYSGENID_PUBLIC int sysgenid_declare(struct sysgenid *g, uint32_t generation,
				     unsigned int flags)
{
	struct sysgenid_declare_args declare = {
		.size = sizeof(declare),
		.flags = flags,
		.generation = generation,
	};

	return new_call(g, SYSGENID_DECLARE, &declare);
}

SYSGENID_PUBLIC int sysgenid_trigger_least(struct sysgenid *g,
					   uint32_t expected, uint32_t least,
					   const void *entropy,
					   size_t entropy_len,
					   uint32_t *generation)
{
	struct sysgenid_trigger_args trigger = {
		.size = sizeof(trigger),
		.expected = expected,
		.entropy = (uintptr_t)entropy,
		.entropy_len = (uint32_t)entropy_len,
		.least = least,
	};
	int r;

	if (!generation || (!entropy && entropy_len) ||
	    entropy_len > SYSGENID_ENTROPY_MAX)
		return -EINVAL;
	r = new_call(g, SYSGENID_TRIGGER, &trigger);
	if (r)
		return r;
	*generation = trigger.generation;
	return trigger.published ? 0 : -ESTALE;
}

SYSGENID_PUBLIC int sysgenid_trigger(struct sysgenid *g, uint32_t expected,
				     const void *entropy, size_t entropy_len,
				     uint32_t *generation)
{
	return sysgenid_trigger_least(g, expected, 0, entropy, entropy_len,
				      generation);
}

SYSGENID_PUBLIC int sysgenid_wait_watchers(struct sysgenid *g,
					   uint32_t generation,
					   int64_t timeout_ns,
					   uint32_t *current,
					   uint32_t *outdated)
{
	struct sysgenid_wait_args wait = {
		.size = sizeof(wait),
		.generation = generation,
		.timeout_ns = timeout_ns,
	};
	int r = new_call(g, SYSGENID_WAIT_GENERATION, &wait);

	if (r == -ETIME)
		r = -ETIMEDOUT;
	if (r && r != -ESTALE && r != -EDEADLK && r != -ETIMEDOUT)
		return r;
	if (current)
		*current = wait.current_generation;
	if (outdated)
		*outdated = wait.outdated;
	return r;
}

SYSGENID_PUBLIC int sysgenid_gate(struct sysgenid *g,
				  struct sysgenid_gate_args *gate)
{
	if (!gate)
		return -EINVAL;
	gate->size = sizeof(*gate);
	return new_call(g, SYSGENID_GATE, gate);
}

/* Whatever a driver answers: nobody is to read past an entry or a name. */
static bool entries_make_sense(struct sysgenid_watcher *entries, size_t size,
			       unsigned int came, unsigned int asked)
{
	struct sysgenid_watcher *w;

	if (came > asked || size < sizeof(*w))
		return false;
	for (unsigned int i = 0; i < came; i++) {
		w = (void *)((char *)entries + i * size);
		w->comm[sizeof(w->comm) - 1] = 0;
	}
	return true;
}

SYSGENID_PUBLIC int
sysgenid_list_watchers(struct sysgenid *g, unsigned int flags, uint64_t *cursor,
		       struct sysgenid_watcher *entries, size_t entry_size,
		       unsigned int *count, uint32_t *generation)
{
	struct sysgenid_list_args list = { .size = sizeof(list),
					   .flags = flags };
	unsigned int asked;
	int r;

	if (!cursor || !entries || !count || entry_size > UINT32_MAX)
		return -EINVAL;
	list.cursor = *cursor;
	list.entries = (uintptr_t)entries;
	list.entry_size = (uint32_t)entry_size;
	list.count = *count;
	if (list.count > SYSGENID_LIST_MAX)
		list.count = SYSGENID_LIST_MAX;
	asked = list.count;
	r = new_call(g, SYSGENID_LIST_WATCHERS, &list);
	if (r)
		return r;
	if (!entries_make_sense(entries, entry_size, list.count, asked))
		return -EIO;
	*cursor = list.cursor;
	*count = list.count;
	if (generation)
		*generation = list.generation;
	return 0;
}

static int get_from_driver(const struct sysgenid *g, struct sysgenid_info *info)
{
	struct sysgenid_get_args answer;
	int r = get(g, &answer);

	if (r)
		return r;
	info->features = answer.features;
	info->time = answer.time;
	info->generation = answer.generation;
	info->flags = answer.flags;
	info->source = answer.source;
	info->sources = answer.sources;
	info->confirmed = answer.confirmed;
	info->watchers = answer.watchers;
	info->outdated = answer.outdated;
	memcpy(info->instance_id, answer.instance_id,
	       sizeof(info->instance_id));
	return 0;
}

SYSGENID_PUBLIC int sysgenid_get_info(struct sysgenid *g,
				      struct sysgenid_info *info, size_t size)
{
	struct sysgenid_info known = { .features = 0 };
	int r = sysgenid_usable(g);

	if (r)
		return r;
	if (!info)
		return -EINVAL;
	if (g->old_driver) {
		known.generation = sysgenid_load(g);
		known.handle = SYSGENID_HANDLE_OLD_DRIVER;
	} else if (g->soft) {
		r = sysgenid_soft_info(g, &known);
	} else {
		r = get_from_driver(g, &known);
	}
	if (r)
		return r;
	if (sysgenid_is_exact(g))
		known.handle |= SYSGENID_HANDLE_EXACT;
	if (g->vmclock)
		known.handle |= SYSGENID_HANDLE_VMCLOCK;
	if (g->file.writable)
		known.handle |= SYSGENID_HANDLE_WRITABLE;
	/* A program built with a later header has a larger struct. */
	memset(info, 0, size);
	memcpy(info, &known, size < sizeof(known) ? size : sizeof(known));
	return 0;
}
