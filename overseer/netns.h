/* SPDX-License-Identifier: MIT */
#ifndef NETNS_H
#define NETNS_H

#include <sys/types.h>

/* Called by a thread that is in the namespace; 0: go on. @id: as in "net:[4026531840]". */
typedef int netns_fn(void *user, ino_t id);

/*
 * Each network namespace that a thread is in, a mount holds, or a process has a
 * descriptor of. The others cannot be reached: those that only a socket keeps
 * alive, or a descriptor on its way between processes.
 *
 * The calling thread never comes back from where it gets to: give it up. 0, what
 * @fn returned if that is not 0, or -errno. @where: what could not be looked at.
 */
int netns_each(netns_fn *fn, void *user, char *where, size_t size);

#endif /* NETNS_H */
