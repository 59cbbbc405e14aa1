/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_CGROUPS_H
#define CONTAINERS_CGROUPS_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The line of /proc/PID/cgroup by which all processes of a container can be frozen
 * or killed: "0::/PATH". With cgroup v1, that of the freezer. Else "", and for our
 * own cgroup, too: the engine may be in there.
 */
void cgroups_find(pid_t pid, char *to, size_t size);

#endif /* CONTAINERS_CGROUPS_H */
