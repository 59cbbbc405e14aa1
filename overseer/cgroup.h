/* SPDX-License-Identifier: MIT */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Directories of cgroup v2, by their full paths; cgroups(7). */
#ifndef CGROUP_ROOT
#define CGROUP_ROOT "/sys/fs/cgroup"
#endif

/* That of a process; 0 is this one. 0 or -errno: -ENOENT without cgroup v2. */
int cgroup_of(pid_t pid, char *path, size_t size);
/* False: there is none; errno. */
bool cgroup_make(const char *path);
/* Kills what runs there and removes the directory. False: not empty yet; to be called again. */
bool cgroup_end(const char *path);
/* The same for all below @path whose names begin like this. */
void cgroup_end_all(const char *path, const char *prefix);
/* Whether a process is in it or below: 1, 0 or -errno. */
int cgroup_is_populated(const char *path);
/* Whether all in it and below have stopped: the same. */
int cgroup_is_frozen(const char *path);
/* 0 or -errno; -ESRCH: it has ended. */
int cgroup_move(pid_t pid, const char *path);
/* All that runs there and below. 0 or -errno: -ENOENT before Linux 5.14. */
int cgroup_kill(const char *path);
/* 1: all processes have stopped, or all go on; 0: not yet; or -errno. */
int cgroup_freeze(const char *path);
int cgroup_thaw(const char *path);

#endif /* CGROUP_H */
