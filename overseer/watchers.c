// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "watchers.h"

/* Shared by the loop and the thread; who comes last frees it. */
struct watchers_wait {
	atomic_int references;
	int event;
	uint32_t generation;
	int64_t timeout_ns;
	int r;
	uint32_t outdated;
	struct loop_source *source;
	watchers_done_fn *done;
	void *user;
};

static void put(struct watchers_wait *w)
{
	if (atomic_fetch_sub(&w->references, 1) > 1)
		return;
	close(w->event);
	free(w);
}

static void *sleep_for_them(void *arg)
{
	struct watchers_wait *w = arg;
	uint32_t current;
	struct sysgenid *g;

	w->r = sysgenid_open(&g, 0);
	if (!w->r) {
		w->r = sysgenid_wait_watchers(g, w->generation, w->timeout_ns,
					      &current, &w->outdated);
		sysgenid_close(g);
	}
	/* Pairs with the read in on_done(): the results come before. */
	eventfd_write(w->event, 1);
	put(w);
	return NULL;
}

static void on_done(void *user, uint32_t events)
{
	struct watchers_wait *w = user;
	watchers_done_fn *done = w->done;
	void *owner = w->user;
	uint32_t outdated;
	eventfd_t unused;
	int r;

	(void)events;
	eventfd_read(w->event, &unused);
	r = w->r;
	outdated = w->outdated;
	loop_remove(w->source);
	put(w);
	done(owner, r, outdated);
}

struct watchers_wait *watchers_wait(struct loop *loop, uint32_t generation,
				    uint64_t timeout, watchers_done_fn *done,
				    void *user)
{
	struct watchers_wait *w = calloc(1, sizeof(*w));
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (!w)
		return NULL;
	w->references = 2;
	w->generation = generation;
	w->timeout_ns = (int64_t)timeout * 1000;
	w->done = done;
	w->user = user;
	w->event = eventfd(0, EFD_CLOEXEC);
	if (w->event >= 0)
		w->source = loop_add_io(loop, w->event, EPOLLIN, on_done, w);
	if (!w->source) {
		if (w->event >= 0)
			close(w->event);
		free(w);
		return NULL;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attributes, sleep_for_them, w);
	pthread_attr_destroy(&attributes);
	if (!r)
		return w;
	loop_remove(w->source);
	w->references = 1;
	put(w);
	return NULL;
}

void watchers_cancel(struct watchers_wait *w)
{
	if (!w)
		return;
	loop_remove(w->source);
	put(w);
}
