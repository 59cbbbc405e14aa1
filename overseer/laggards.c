// SPDX-License-Identifier: MIT
/*
 * Who is outdated: said in words, or sent a signal. A pid may have come to be
 * another process's since it was noted, and a program may have handed its
 * descriptor on. So a signal goes only to a process that started when the module
 * says, and that has the device open now.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "containers.h"
#include "log.h"
#include "watchers.h"

#define BATCH	 64
#define LIST_MAX 128

typedef void each_fn(const struct sysgenid_watcher *w, void *arg);

/* 0, or -errno after a complaint: not all of them were listed. */
static int each_laggard(struct sysgenid *g, each_fn *call, void *arg)
{
	struct sysgenid_watcher list[BATCH];
	uint64_t cursor = 0;

	do {
		unsigned int count = BATCH;
		int r = sysgenid_list_watchers(g, 0, &cursor, list,
					       sizeof(list[0]), &count, NULL);

		if (r) {
			log_error("the watchers cannot be listed: %s",
				  strerror(-r));
			return r;
		}
		for (unsigned int i = 0; i < count; i++)
			call(&list[i], arg);
	} while (cursor);
	return 0;
}

struct description {
	char *text;
	size_t size, len;
	unsigned int count, named;
};

static void describe(const struct sysgenid_watcher *w, void *arg)
{
	struct description *d = arg;
	char one[64];
	int n = snprintf(one, sizeof(one), "%s%.16s (%" PRId32 ")",
			 d->count ? ", " : "", w->comm, w->pid);

	d->count++;
	/* Room for "and N more". */
	if (d->len + (size_t)n + 24 >= d->size)
		return;
	memcpy(d->text + d->len, one, (size_t)n + 1);
	d->len += (size_t)n;
	d->named++;
}

unsigned int laggards_describe(struct sysgenid *g, char *text, size_t size)
{
	struct description d = { .text = text, .size = size };

	text[0] = 0;
	if (each_laggard(g, describe, &d))
		snprintf(text + d.len, size - d.len, "%s",
			 d.count ? " and more" : "the list cannot be read");
	else if (d.named < d.count)
		snprintf(text + d.len, size - d.len, " and %u more",
			 d.count - d.named);
	return d.count;
}

static void add_to_list(const struct sysgenid_watcher *w, void *arg)
{
	struct json_object *list = arg;
	char one[64];

	snprintf(one, sizeof(one), "%.16s (%" PRId32 ")", w->comm, w->pid);
	/* Of a length that fits into an answer. */
	if (json_object_array_length(list) < LIST_MAX)
		json_object_array_add(list, json_object_new_string(one));
}

struct json_object *laggards_list(struct sysgenid *g)
{
	struct json_object *list = json_object_new_array();

	if (each_laggard(g, add_to_list, list))
		json_object_array_add(list, json_object_new_string(
						    "the list cannot be read"));
	return list;
}

/* Field 22 of /proc/PID/stat, in clock ticks; the name before may hold anything. */
static bool started_at(pid_t pid, uint64_t start_ns)
{
	uint64_t ticks, second = (uint64_t)sysconf(_SC_CLK_TCK);
	char path[32], text[1024], *after;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	after = strrchr(text, ')');
	if (!after ||
	    sscanf(after,
		   ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &ticks) != 1)
		return false;
	return start_ns / (1000000000 / second) == ticks;
}

static bool has_device_open(pid_t pid)
{
	struct stat device, st;
	char path[32];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d || stat(SYSGENID_DEVICE, &device)) {
		if (d)
			closedir(d);
		return false;
	}
	while (!found && (e = readdir(d))) {
		found = !fstatat(dirfd(d), e->d_name, &st, 0) &&
			S_ISCHR(st.st_mode) && st.st_rdev == device.st_rdev;
	}
	closedir(d);
	return found;
}

struct killing {
	int signal;
	bool containers, failed;
	char *why;
	size_t size;
};

/* Whether there is no more to do about it. */
static bool kill_container(struct killing *k, const struct sysgenid_watcher *w)
{
	char why[256];
	const int r = containers_kill(w->cgroup_id, why, sizeof(why));

	/* The first one is said. */
	if (r < 0 && !k->failed)
		snprintf(k->why, k->size, "%s", why);
	k->failed = k->failed || r < 0;
	return r;
}

static void kill_one(const struct sysgenid_watcher *w, void *arg)
{
	struct killing *k = arg;
	int fd;

	if (k->containers && kill_container(k, w))
		return;
	/* 1: without init there is no machine. */
	if (w->pid <= 1 || w->pid == getpid())
		return;
	/* From here on the process cannot become another one. */
	fd = (int)syscall(SYS_pidfd_open, w->pid, 0);
	if (fd < 0)
		return;
	if (started_at(w->pid, w->start_time) && has_device_open(w->pid) &&
	    !syscall(SYS_pidfd_send_signal, fd, k->signal, NULL, 0)) {
		log_warning("sent signal %d to %.16s (%" PRId32
			    "), which has not adjusted",
			    k->signal, w->comm, w->pid);
	}
	close(fd);
}

bool laggards_kill(struct sysgenid *g, int signal, bool containers, char *why,
		   size_t size)
{
	struct killing k = { signal, containers, false, why, size };
	const int r = each_laggard(g, kill_one, &k);

	if (r && !k.failed)
		snprintf(why, size, "they cannot be listed: %s", strerror(-r));
	return !r && !k.failed;
}
