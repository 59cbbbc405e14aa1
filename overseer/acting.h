/* SPDX-License-Identifier: MIT */
#ifndef ACTING_H
#define ACTING_H

#include <stdbool.h>

#include "loop.h"
#include "machine.h"

/* Does what comes through a channel, and answers; see channel.h. */
struct acting;

/* The other end is gone, malformed or full: it is to be replaced. May free what it came from. */
typedef void acting_lost_fn(void *user);

/* Takes @channel, if it succeeds. NULL: no memory. */
struct acting *acting_new(struct loop *loop, struct machine *m, int channel,
			  acting_lost_fn *lost, void *user);
void acting_free(struct acting *a);
/*
 * Hands a descriptor of the host's to who reads requests; it stays open here. -1: all of
 * them are hung up. False: nobody took it.
 */
bool acting_pass(struct acting *a, int fd, bool is_port);
/* False: the last ping has no answer. */
bool acting_ping(struct acting *a);

#endif /* ACTING_H */
