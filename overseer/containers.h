/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_H
#define CONTAINERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Containers, as far as sysgenid-runtime has noted them: with any engine, and with
 * any driver of cgroups. A container whose cgroup is not known is an error, and
 * never left out.
 */

/* Freezes and remembers each; as a call of commands.h. The journal says which one fails. */
int containers_freeze(char *const unused[], char *why, size_t size);
/*
 * No container holds the overseer, the first process, or the program that asks.
 * 1, or 0 or -errno and why.
 */
int containers_freezing_is_safe(pid_t client, char *why, size_t size);

/*
 * Kills the container that has this cgroup, or one below it, as a whole. 1: killed;
 * 0: no container has it; -errno and why.
 */
int containers_kill(uint64_t cgroup_id, char *why, size_t size);

#endif /* CONTAINERS_H */
