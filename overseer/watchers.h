/* SPDX-License-Identifier: MIT */
#ifndef WATCHERS_H
#define WATCHERS_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>
#include <sysgenid.h>

#include "loop.h"

/*
 * Waiting for the watchers of a generation, in a thread: the call sleeps.
 * @r: what sysgenid_wait_watchers(3) returned.
 */
typedef void watchers_done_fn(void *user, int r, uint32_t outdated);

struct watchers_wait;

/* NULL: no memory, or no thread. */
struct watchers_wait *watchers_wait(struct loop *loop, uint32_t generation,
				    uint64_t timeout, watchers_done_fn *done,
				    void *user);
/* done is not called any more; the thread ends by itself. */
void watchers_cancel(struct watchers_wait *w);

/* "NAME (PID), NAME (PID) and 3 more", of those outdated; how many. */
unsigned int laggards_describe(struct sysgenid *g, char *text, size_t size);
/* The same, each a string of an array; to be put. */
struct json_object *laggards_list(struct sysgenid *g);
/*
 * To each that can be told for sure. @containers: one in a container is not
 * signalled, all of the container is killed. False, and why: not all could be.
 */
bool laggards_kill(struct sysgenid *g, int signal, bool containers, char *why,
		   size_t size);

#endif /* WATCHERS_H */
