// SPDX-License-Identifier: MIT
/*
 * A provider runs in programs that were not written for one. Such programs fork,
 * enter a chroot, or close every descriptor from 3 on, and the numbers come to
 * mean other files. The library and attribute.c do nothing to a
 * descriptor that has become somebody else's; what was lost is opened again here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <sysgenid.h>

#include "attribute.h"
#include "handle.h"

/* A kernel that has not come to publish after so long will not. */
#define AWAIT_SECONDS 10

struct handle {
	/* All that there have been: the memory stays, so that who comes too late may look. */
	struct handle *older;
	/* NULL: the attribute in /sys is asked. */
	struct sysgenid *g;
	const struct sysgenid_view *view;
	struct attribute attribute;
	bool exact;
	/* 0: given back, for good. */
	unsigned int references;
};

struct handles {
	/* Holds a reference. */
	struct handle *current;
	struct handle *all;
	bool absent;
};

static void give_back(const struct handle *h)
{
	if (h->g)
		sysgenid_close(h->g);
	else
		attribute_close(&h->attribute);
}

static bool open_attribute(struct handle *h, bool *absent)
{
	enum attribute_found found = attribute_open(&h->attribute);

	*absent = *absent && found == ATTRIBUTE_ABSENT;
	return found == ATTRIBUTE_OPEN;
}

static struct handle *open_handle(bool *absent)
{
	struct handle *h = calloc(1, sizeof(*h));
	int r;

	*absent = false;
	if (!h)
		return NULL;
	r = sysgenid_open(&h->g, SYSGENID_OPEN_SOFT);
	if (r) {
		*absent = r == -ENOENT || r == -ENODEV;
		if (!open_attribute(h, absent)) {
			free(h);
			return NULL;
		}
	} else {
		h->view = sysgenid_get_view(h->g);
		h->exact = sysgenid_is_exact(h->g);
	}
	/* One is that of handles.current. */
	h->references = 2;
	return h;
}

void handle_put(struct handle *h)
{
	/* Release: our loads from the pages are over; acquire: all others' are. */
	if (h && !__atomic_sub_fetch(&h->references, 1, __ATOMIC_ACQ_REL))
		give_back(h);
}

/* False if it has been given back meanwhile. */
static bool take_reference(struct handle *h)
{
	unsigned int n = __atomic_load_n(&h->references, __ATOMIC_RELAXED);

	while (n) {
		if (__atomic_compare_exchange_n(&h->references, &n, n + 1, true,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static struct handle *take_current(struct handles *hs)
{
	struct handle *h;

	do {
		/* Pairs with the release in put_in_place(). */
		h = __atomic_load_n(&hs->current, __ATOMIC_ACQUIRE);
	} while (h && !take_reference(h));
	return h;
}

/* False if another thread has been faster. */
static bool put_in_place(struct handles *hs, struct handle *old,
			 struct handle *fresh)
{
	if (!__atomic_compare_exchange_n(&hs->current, &old, fresh, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return false;
	fresh->older = __atomic_load_n(&hs->all, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&hs->all, &fresh->older, fresh,
					    true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	handle_put(old);
	return true;
}

struct handles *handles_new(void)
{
	return calloc(1, sizeof(struct handles));
}

void handles_free(struct handles *hs)
{
	struct handle *h;

	if (!hs)
		return;
	handle_put(hs->current);
	while ((h = hs->all)) {
		hs->all = h->older;
		free(h);
	}
	free(hs);
}

struct handle *handle_get(struct handles *hs, bool *absent)
{
	struct handle *h, *fresh;

	*absent = __atomic_load_n(&hs->absent, __ATOMIC_RELAXED);
	if (*absent)
		return NULL;
	for (;;) {
		h = take_current(hs);
		if (h)
			return h;
		fresh = open_handle(absent);
		if (!fresh) {
			if (*absent)
				__atomic_store_n(&hs->absent, true,
						 __ATOMIC_RELAXED);
			return NULL;
		}
		if (put_in_place(hs, NULL, fresh))
			return fresh;
		give_back(fresh);
		free(fresh);
	}
}

/* False if there is nothing that could take its place. */
static bool replace(struct handles *hs, struct handle **h)
{
	struct handle *other = take_current(hs), *fresh;
	bool absent;

	if (other == *h) {
		handle_put(other);
		fresh = open_handle(&absent);
		if (!fresh)
			return false;
		if (put_in_place(hs, *h, fresh)) {
			other = fresh;
		} else {
			give_back(fresh);
			free(fresh);
			other = take_current(hs);
		}
	}
	handle_put(*h);
	*h = other;
	return true;
}

static bool ask(const struct handle *h, uint32_t *generation)
{
	if (!h->g)
		return attribute_read(&h->attribute, generation);
	/* An ioctl that no other file knows: a foreign descriptor says so. */
	return !sysgenid_read(h->g, generation);
}

bool handle_read(struct handles *hs, struct handle **h, uint32_t *generation)
{
	return ask(*h, generation) || (replace(hs, h) && ask(*h, generation));
}

bool handle_changed(const struct handle *h, uint32_t seen)
{
	return h->view && sysgenid_changed(h->view, seen);
}

bool handle_is_exact(const struct handle *h)
{
	return h->exact;
}

bool handle_await(const struct handle *h, uint32_t *generation)
{
	static const struct timespec pause = { .tv_nsec = 200000 };
	struct timespec start, now;

	/* Nothing is mapped: there is no change that could be seen. */
	if (!h->view)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		*generation =
			__atomic_load_n(h->view->generation, __ATOMIC_ACQUIRE);
		if (!handle_changed(h, *generation))
			return true;
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < AWAIT_SECONDS);
	return false;
}
