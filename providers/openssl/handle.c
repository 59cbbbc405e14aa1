// SPDX-License-Identifier: MIT
/*
 * This is a guest in programs that know nothing of it. They fork; they close
 * every descriptor from 3 on, and the numbers come to mean other files; they
 * shut themselves up in a chroot. So nothing is ever done to our descriptor that
 * would do harm to another file, and what was lost is opened again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid.h>

#include "handle.h"

/* A kernel that has not come to publish after so long will not. */
#define AWAIT_SECONDS 10

struct handle {
	struct sysgenid *g;
	const struct sysgenid_view *view;
	dev_t device;
	ino_t inode;
	unsigned int references;
	bool exact;
};

struct handles {
	pthread_mutex_t lock;
	struct handle *current;
};

static bool identify(const struct handle *h, struct stat *st)
{
	int fd = sysgenid_get_fd(h->g);

	return fd >= 0 && !fstat(fd, st);
}

/* A page file has no descriptor to be told apart by: it stays open instead. */
static bool is_still_ours(const struct handle *h)
{
	struct stat st;

	return identify(h, &st) && S_ISCHR(st.st_mode) &&
	       st.st_rdev == h->device && st.st_ino == h->inode;
}

static struct handle *open_handle(bool *absent)
{
	struct handle *h = calloc(1, sizeof(*h));
	struct stat st;
	int r;

	*absent = false;
	if (!h)
		return NULL;
	r = sysgenid_open(&h->g, SYSGENID_OPEN_SOFT);
	if (r) {
		*absent = r == -ENOENT || r == -ENODEV;
		free(h);
		return NULL;
	}
	if (identify(h, &st)) {
		h->device = st.st_rdev;
		h->inode = st.st_ino;
	}
	h->view = sysgenid_get_view(h->g);
	h->exact = sysgenid_is_exact(h->g);
	h->references = 1;
	return h;
}

/* With the lock held. */
static void put(struct handle *h)
{
	if (--h->references)
		return;
	if (is_still_ours(h))
		sysgenid_close(h->g);
	free(h);
}

struct handles *handles_new(void)
{
	struct handles *hs = calloc(1, sizeof(*hs));

	if (hs && pthread_mutex_init(&hs->lock, NULL)) {
		free(hs);
		return NULL;
	}
	return hs;
}

void handles_free(struct handles *hs)
{
	if (!hs)
		return;
	if (hs->current)
		put(hs->current);
	pthread_mutex_destroy(&hs->lock);
	free(hs);
}

struct handle *handle_get(struct handles *hs, bool *absent)
{
	struct handle *h;

	*absent = false;
	pthread_mutex_lock(&hs->lock);
	if (!hs->current)
		hs->current = open_handle(absent);
	h = hs->current;
	if (h)
		h->references++;
	pthread_mutex_unlock(&hs->lock);
	return h;
}

void handle_put(struct handles *hs, struct handle *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&hs->lock);
	put(h);
	pthread_mutex_unlock(&hs->lock);
}

/* Another thread may have been faster. */
static bool replace(struct handles *hs, struct handle **h)
{
	struct handle *fresh;
	bool absent;

	pthread_mutex_lock(&hs->lock);
	if (hs->current == *h) {
		fresh = open_handle(&absent);
		if (fresh) {
			put(hs->current);
			hs->current = fresh;
		}
	}
	fresh = hs->current != *h ? hs->current : NULL;
	if (fresh) {
		fresh->references++;
		put(*h);
		*h = fresh;
	}
	pthread_mutex_unlock(&hs->lock);
	return fresh;
}

bool handle_read(struct handles *hs, struct handle **h, uint32_t *generation)
{
	/* An ioctl that no other file knows: a foreign descriptor says so. */
	if (!sysgenid_read((*h)->g, generation))
		return true;
	return replace(hs, h) && !sysgenid_read((*h)->g, generation);
}

bool handle_changed(const struct handle *h, uint32_t seen)
{
	return sysgenid_changed(h->view, seen);
}

bool handle_is_exact(const struct handle *h)
{
	return h->exact;
}

bool handle_await(const struct handle *h, uint32_t *generation)
{
	static const struct timespec pause = { .tv_nsec = 200000 };
	struct timespec start, now;

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
