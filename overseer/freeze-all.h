/* SPDX-License-Identifier: MIT */
#ifndef FREEZE_ALL_H
#define FREEZE_ALL_H

#include <stddef.h>
#include <sys/types.h>

/*
 * "freeze = all": every program is frozen but the overseer, its parents, its children,
 * and what is in the exempt cgroups. These are paths like /agents, NULL behind the last.
 */

/* 1: all is frozen; 0 and @why: not yet, call again; or -errno and @why. */
int freeze_all(char *const exempt[], char *why, size_t size);
/* Whether a process would be frozen, too: 1, 0 or -errno. */
int freeze_all_reaches(pid_t pid, char *const exempt[]);

/*
 * A cgroup below which the overseer has its own stays as it is, and so does the root.
 * What else runs right in there is frozen in a cgroup made for that. From @cgroup, if it
 * is such a one and thawed, all move back. 1: all have, or there is none; 0: call again;
 * or -errno.
 */
int freeze_all_move_back(const char *cgroup);

#endif /* FREEZE_ALL_H */
