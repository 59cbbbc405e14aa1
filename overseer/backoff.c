// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>

#include "backoff.h"

#define SHORTEST 100000ull
#define LONGEST	 60000000ull

struct backoff {
	struct loop_source *timer;
	uint64_t wait;
	bool armed;
	backoff_fn *call;
	void *user;
};

static void on_time(void *user)
{
	struct backoff *b = user;

	b->armed = false;
	b->call(b->user);
}

struct backoff *backoff_new(struct loop *loop, backoff_fn *call, void *user)
{
	struct backoff *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->wait = SHORTEST;
	b->call = call;
	b->user = user;
	b->timer = loop_add_timer(loop, on_time, b);
	if (b->timer)
		return b;
	free(b);
	return NULL;
}

void backoff_free(struct backoff *b)
{
	if (!b)
		return;
	loop_remove(b->timer);
	free(b);
}

void backoff_arm(struct backoff *b)
{
	loop_arm(b->timer, b->wait);
	b->armed = true;
	b->wait = b->wait * 2 < LONGEST ? b->wait * 2 : LONGEST;
}

bool backoff_is_armed(const struct backoff *b)
{
	return b->armed;
}

void backoff_disarm(struct backoff *b)
{
	loop_disarm(b->timer);
	b->armed = false;
}

void backoff_reset(struct backoff *b)
{
	backoff_disarm(b);
	b->wait = SHORTEST;
}
