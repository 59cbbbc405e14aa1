// SPDX-License-Identifier: MIT
/*
 * Processes that criu(8) dumps, and what they have open: attributes are regular files,
 * for which it calls no plugin.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "nodes.h"
#include "tracees.h"

/* In /proc, by its number. A process that ended meanwhile is none. */
static bool is_traced(int proc, const char *pid)
{
	char path[64], *line = NULL;
	int fd, tracer = 0;
	size_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%.20s/status", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (!file) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (getline(&line, &size, file) > 0)
		if (sscanf(line, "TracerPid: %d", &tracer) == 1)
			break;
	free(line);
	fclose(file);
	return tracer == getpid();
}

static bool is_attribute(int dir, const char *name)
{
	char path[64];
	struct statfs fs;
	struct stat st;

	if (fstatat(dir, name, &st, 0) || !node_has_attribute(&st))
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%.20s", dir, name);
	return !statfs(path, &fs) && fs.f_type == SYSFS_MAGIC;
}

static int has_attribute(int proc, const char *pid)
{
	struct dirent *entry;
	char path[64];
	int fd, r = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%.20s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			r = -errno;
			break;
		}
		if (is_attribute(dirfd(dir), entry->d_name)) {
			r = 1;
			break;
		}
	}
	closedir(dir);
	return r;
}

int tracees_have_attribute(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int r = 0, seen = 0;

	if (!proc)
		return -errno;
	while (!r) {
		errno = 0;
		entry = readdir(proc);
		if (!entry) {
			r = -errno;
			break;
		}
		if (entry->d_name[strspn(entry->d_name, "0123456789")] ||
		    !is_traced(dirfd(proc), entry->d_name))
			continue;
		seen++;
		r = has_attribute(dirfd(proc), entry->d_name);
	}
	closedir(proc);
	/* A tree has one process at least: then this /proc is another one. */
	return !r && !seen ? -ESRCH : r;
}
