/* SPDX-License-Identifier: MIT */
#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdbool.h>

#include "loop.h"

/*
 * What failed is tried again: after 100 ms, then after twice as long each time,
 * up to a minute.
 */
struct backoff;

typedef void backoff_fn(void *user);

/* NULL: no memory. What is armed later cannot fail any more. */
struct backoff *backoff_new(struct loop *loop, backoff_fn *call, void *user);
void backoff_free(struct backoff *b);

/* Calls once, from the loop. */
void backoff_arm(struct backoff *b);
bool backoff_is_armed(const struct backoff *b);
/* Does not call; the next wait goes on from the length of the last one. */
void backoff_disarm(struct backoff *b);
/* Does not call; the next wait is a short one. */
void backoff_reset(struct backoff *b);

#endif /* BACKOFF_H */
