// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mounts.h"
#include "netns.h"
#include "numbers.h"
#include "seen.h"

/* Of a list of processes that is read while it changes; and for a mount that may just have gone. */
#define PASSES 20
#define TRIES  3

struct walk {
	struct seen seen;
	netns_fn *fn;
	void *user;
	/* In this pass: some are new, or are there and cannot be reached. */
	bool found, unreached;
	/* Of the process at hand: its descriptors were looked at. */
	bool listed;
	char *where;
	size_t size;
};

/* Takes @fd over. */
static int walk_enter(struct walk *w, int fd)
{
	struct stat st;
	int r = fstat(fd, &st) ? -errno : 0;

	if (!r && !seen_has(&w->seen, st.st_dev, st.st_ino)) {
		w->found = true;
		r = seen_add(&w->seen, st.st_dev, st.st_ino);
		if (!r && setns(fd, CLONE_NEWNET))
			r = -errno;
		if (r)
			snprintf(w->where, w->size, "net:[%ju]",
				 (uintmax_t)st.st_ino);
		else
			r = w->fn(w->user, st.st_ino);
	}
	close(fd);
	return r;
}

/* A file that stands for a namespace, or for one of a process that has ended. */
static int look_at(struct walk *w, int at, const char *path)
{
	struct stat st;
	int fd;

	if (!fstatat(at, path, &st, 0)) {
		if (seen_has(&w->seen, st.st_dev, st.st_ino))
			return 0;
		fd = openat(at, path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return walk_enter(w, fd);
	}
	if (numbers_ended(errno))
		return 0;
	snprintf(w->where, w->size, "/proc: %s", path);
	return -errno;
}

static int look_at_descriptor(void *user, int folder, const char *number)
{
	struct walk *w = user;
	char target[8];

	w->listed = true;
	if (readlinkat(folder, number, target, sizeof(target)) < 5 ||
	    memcmp(target, "net:[", 5))
		return 0;
	return look_at(w, folder, number);
}

static int look_at_thread(void *user, int folder, const char *tid)
{
	struct walk *w = user;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "%s/ns/net", tid);
	r = look_at(w, folder, path);
	/* Threads share them; the first may have ended. */
	if (r || w->listed)
		return r;
	snprintf(path, sizeof(path), "%s/fd", tid);
	r = numbers_each(folder, path, look_at_descriptor, w);
	if (r && !numbers_ended(-r) && !w->where[0])
		snprintf(w->where, w->size, "/proc: %s", path);
	return numbers_ended(-r) ? 0 : r;
}

static int look_at_process(void *user, int proc, const char *pid)
{
	struct walk *w = user;
	char path[32];
	int r;

	w->listed = false;
	snprintf(path, sizeof(path), "%s/task", pid);
	r = numbers_each(proc, path, look_at_thread, w);
	return numbers_ended(-r) ? 0 : r;
}

/* Within the root directory of the process, whatever links there are; not opened for real. */
static int find_point(const char *pid, const char *point)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	char path[64], *name = strdup(point);
	int root, fd = -1;

	snprintf(path, sizeof(path), "/proc/%s/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0 && name) {
		mounts_unescape(name);
		fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	}
	if (root >= 0)
		close(root);
	free(name);
	return fd;
}

/* "ip netns add" makes such mounts in /run/netns, and so do container engines. */
static int look_at_mount(void *user, const struct mount *m)
{
	struct walk *w = user;
	unsigned int major, minor;
	char path[64];
	struct stat st;
	uintmax_t inode;
	int fd, r = 0;

	if (strcmp(m->type, "nsfs") ||
	    sscanf(m->root, "net:[%ju]", &inode) != 1 ||
	    sscanf(m->device, "%u:%u", &major, &minor) != 2 ||
	    seen_has(&w->seen, makedev(major, minor), (ino_t)inode))
		return 0;
	fd = find_point(m->pid, m->point);
	if (fd >= 0 && !fstat(fd, &st) && st.st_ino == inode &&
	    st.st_dev == makedev(major, minor)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		r = look_at(w, AT_FDCWD, path);
	} else {
		/* Gone, or behind another mount: then it is there the next time, too. */
		w->unreached = true;
		snprintf(w->where, w->size,
			 "/proc/%s/root%s, behind another mount", m->pid,
			 m->point);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static int walk_pass(struct walk *w)
{
	int r;

	w->found = w->unreached = false;
	w->where[0] = 0;
	r = numbers_each(AT_FDCWD, "/proc", look_at_process, w);
	return r ? r : mounts_each(look_at_mount, w);
}

int netns_each(netns_fn *fn, void *user, char *where, size_t size)
{
	struct walk w = { .fn = fn, .user = user, .where = where, .size = size };
	int r, tries = 0, passes = 0;

	/* The last pass finds nothing new. */
	do {
		r = passes < PASSES ? walk_pass(&w) : -EAGAIN;
		passes++;
	} while (!r && (w.found || (w.unreached && ++tries < TRIES)));
	if (!r && w.unreached)
		r = -ENXIO;
	seen_free(&w.seen);
	return r;
}
