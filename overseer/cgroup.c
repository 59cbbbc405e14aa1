// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"

int cgroup_of(pid_t pid, char *path, size_t size)
{
	char file[64] = "/proc/self/cgroup", line[PATH_MAX];
	int r = -ENOENT;
	FILE *f;

	if (pid)
		snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	f = fopen(file, "re");
	if (!f)
		return -errno;
	while (r && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "0::/", 4))
			continue;
		/* The root has no name of its own. */
		r = snprintf(path, size, CGROUP_ROOT "%s",
			     line[4] ? line + 3 : "") < (int)size ?
			    0 :
			    -ENAMETOOLONG;
	}
	fclose(f);
	return r;
}

bool cgroup_make(const char *path)
{
	char procs[PATH_MAX];

	if (mkdir(path, 0755) && errno != EEXIST)
		return false;
	/* A directory, and of no cgroup. */
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	if (!access(procs, W_OK))
		return true;
	rmdir(path);
	return false;
}

static int write_file(const char *path, const char *name, const char *text)
{
	char file[PATH_MAX];
	int fd, r;

	snprintf(file, sizeof(file), "%s/%s", path, name);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* Before Linux 5.14 one after the other; who forks meanwhile may be missed. */
static void kill_each(const char *path)
{
	char file[PATH_MAX];
	FILE *f;
	int pid;

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	f = fopen(file, "re");
	if (!f)
		return;
	while (fscanf(f, "%d", &pid) == 1) {
		if (pid > 1 && pid != getpid())
			kill(pid, SIGKILL);
	}
	fclose(f);
}

int cgroup_kill(const char *path)
{
	return write_file(path, "cgroup.kill", "1");
}

bool cgroup_end(const char *path)
{
	if (cgroup_kill(path) == -ENOENT)
		kill_each(path);
	return !rmdir(path) || errno == ENOENT;
}

void cgroup_end_all(const char *path, const char *prefix)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char below[PATH_MAX];

		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		cgroup_end(below);
	}
	if (dir)
		closedir(dir);
}

/* Of cgroup.events: 1, 0 or -errno. */
static int read_event(const char *path, const char *name)
{
	char file[PATH_MAX], line[64];
	const size_t len = strlen(name);
	int r = -ENODATA, value;
	FILE *f;

	snprintf(file, sizeof(file), "%s/cgroup.events", path);
	f = fopen(file, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, len) &&
		    sscanf(line + len, " %d", &value) == 1)
			r = value;
	}
	fclose(f);
	return r;
}

int cgroup_is_populated(const char *path)
{
	return read_event(path, "populated");
}

int cgroup_is_frozen(const char *path)
{
	return read_event(path, "frozen");
}

int cgroup_move(pid_t pid, const char *path)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return write_file(path, "cgroup.procs", text);
}

int cgroup_freeze(const char *path)
{
	const int r = write_file(path, "cgroup.freeze", "1");

	return r ? r : read_event(path, "frozen");
}

int cgroup_thaw(const char *path)
{
	int r = write_file(path, "cgroup.freeze", "0");

	if (!r)
		r = read_event(path, "frozen");
	/* The cgroup is gone, and its processes with it. */
	if (r == -ENOENT || r == -ENODEV)
		return 1;
	return r < 0 ? r : !r;
}
