// SPDX-License-Identifier: MIT
/* The calls, each one command of the driver. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

int sysgenid_ioctl(int fd, unsigned long command, void *arg)
{
	int r = ioctl(fd, command, arg);

	if (r < 0)
		return -errno;
	return r > 0 ? -ENODEV : 0;
}

/* For the calls that an old driver does not have, nor a page file. */
static int new_call(const struct sysgenid *g, unsigned long command, void *arg)
{
	int r = sysgenid_usable(g);

	if (r)
		return r;
	if (g->old_driver || g->soft)
		return -EOPNOTSUPP;
	return sysgenid_ioctl(g->fd, command, arg);
}

SYSGENID_PUBLIC int sysgenid_read(struct sysgenid *g, uint32_t *generation)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };
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
	r = sysgenid_ioctl(g->fd, SYSGENID_GET, &get);
	if (r)
		return r;
	*generation = get.generation;
	return 0;
}

int sysgenid_confirm_fd(const struct sysgenid *g, int fd, bool writable,
			uint32_t generation)
{
	struct sysgenid_confirm_args confirm = {
		.size = sizeof(confirm),
		.generation = generation,
	};
	ssize_t n;

	/* A sandbox that allows no ioctl may well allow this. */
	if (writable) {
		n = write(fd, &generation, sizeof(generation));
		if (n < 0)
			return errno == EINVAL ? -ESTALE : -errno;
		return n == sizeof(generation) ? 0 : -EIO;
	}
	if (g->old_driver)
		return -EACCES;
	return sysgenid_ioctl(fd, SYSGENID_CONFIRM, &confirm);
}

SYSGENID_PUBLIC int sysgenid_confirm(struct sysgenid *g, uint32_t generation)
{
	int r = sysgenid_usable(g);

	if (r)
		return r;
	if (g->soft)
		return -EOPNOTSUPP;
	return sysgenid_confirm_fd(g, g->fd, g->writable, generation);
}

SYSGENID_PUBLIC int sysgenid_track(struct sysgenid *g, bool on)
{
	int r = sysgenid_usable(g);

	if (r)
		return r;
	if (g->soft)
		return -EOPNOTSUPP;
	/* Old drivers would track whom they do not let confirm. */
	if (!g->writable)
		return -EACCES;
	return sysgenid_ioctl(g->fd, SYSGENID_SET_WATCHER_TRACKING,
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

SYSGENID_PUBLIC int sysgenid_trigger(struct sysgenid *g, uint32_t expected,
				     const void *entropy, size_t entropy_len,
				     uint32_t *generation)
{
	struct sysgenid_trigger_args trigger = {
		.size = sizeof(trigger),
		.expected = expected,
		.entropy = (uintptr_t)entropy,
		.entropy_len = (uint32_t)entropy_len,
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
	struct sysgenid_get_args get = { .size = sizeof(get) };
	int r = sysgenid_ioctl(g->fd, SYSGENID_GET, &get);

	if (r)
		return r;
	info->features = get.features;
	info->time = get.time;
	info->generation = get.generation;
	info->flags = get.flags;
	info->source = get.source;
	info->sources = get.sources;
	info->confirmed = get.confirmed;
	info->watchers = get.watchers;
	info->outdated = get.outdated;
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
	if (g->writable)
		known.handle |= SYSGENID_HANDLE_WRITABLE;
	/* A program built with a later header has a larger struct. */
	memset(info, 0, size);
	memcpy(info, &known, size < sizeof(known) ? size : sizeof(known));
	return 0;
}
