// SPDX-License-Identifier: MIT
/*
 * clients [KIND...]: one process with a client of each kind, or of these. Each
 * says on a line of its own what it has learned: "KIND GENERATION". Says "ready"
 * when all wait.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>

#include <sysgenid.h>

#include "hw.h"

static pthread_barrier_t barrier;

static void say(const char *kind, uint32_t generation)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s %u\n", kind, generation);

	/* One write, so that lines of several do not mix. */
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(2);
}

static int client(int flags)
{
	int fd = open(SYSGENID_DEVICE, flags | O_CLOEXEC);

	if (fd < 0) {
		perror(SYSGENID_DEVICE);
		_exit(2);
	}
	return fd;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ 0, ms * 1000000 }, NULL);
}

/* EINVAL is another generation by now. */
static uint32_t read_and_confirm(int fd)
{
	uint32_t generation;

	do {
		if (read(fd, &generation, sizeof(generation)) !=
		    sizeof(generation)) {
			perror("read");
			_exit(2);
		}
		if (write(fd, &generation, sizeof(generation)) ==
		    sizeof(generation))
			return generation;
	} while (errno == EINVAL);
	perror("confirm");
	_exit(2);
}

static void *reader(void *kind)
{
	int fd = client(O_RDWR);

	pthread_barrier_wait(&barrier);
	for (;;)
		say(kind, read_and_confirm(fd));
	return NULL;
}

static void *tracked_reader(void *kind)
{
	int fd = client(O_RDWR);

	if (ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 1))
		_exit(2);
	pthread_barrier_wait(&barrier);
	for (;;)
		say(kind, read_and_confirm(fd));
	return NULL;
}

static void *epoll_client(const char *kind, uint32_t events)
{
	struct epoll_event event = { .events = EPOLLIN | events };
	int fd = client(O_RDWR | O_NONBLOCK), ep = epoll_create1(0);

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
	pthread_barrier_wait(&barrier);
	for (;;)
		if (epoll_wait(ep, &event, 1, -1) == 1)
			say(kind, read_and_confirm(fd));
	return NULL;
}

static void *epoll_level(void *kind)
{
	return epoll_client(kind, 0);
}

static void *epoll_edge(void *kind)
{
	return epoll_client(kind, EPOLLET);
}

static void *poller(void *kind)
{
	struct pollfd p = { .fd = client(O_RDWR | O_NONBLOCK),
			    .events = POLLIN };

	pthread_barrier_wait(&barrier);
	for (;;)
		if (poll(&p, 1, -1) == 1)
			say(kind, read_and_confirm(p.fd));
	return NULL;
}

static void *selector(void *kind)
{
	int fd = client(O_RDWR | O_NONBLOCK);
	fd_set set;

	pthread_barrier_wait(&barrier);
	FD_ZERO(&set);
	for (;;) {
		FD_SET(fd, &set);
		if (select(fd + 1, &set, NULL, NULL, NULL) == 1)
			say(kind, read_and_confirm(fd));
	}
	return NULL;
}

static void watch_page(const volatile uint32_t *page, const char *kind)
{
	uint32_t seen = *page;

	for (;;) {
		uint32_t now = *page;

		if (now != seen)
			say(kind, now);
		seen = now;
		pause_ms(2);
	}
}

static void *mapped(void *kind)
{
	const volatile uint32_t *page = hw_map(SYSGENID_DEVICE, 0);

	pthread_barrier_wait(&barrier);
	watch_page(page, kind);
	return NULL;
}

static void *exact(void *kind)
{
	struct sysgenid *g;
	uint32_t seen;

	if (sysgenid_open(&g, 0) || !sysgenid_is_exact(g) ||
	    sysgenid_read(g, &seen)) {
		fputs("no exact check\n", stderr);
		_exit(2);
	}
	pthread_barrier_wait(&barrier);
	for (;;) {
		while (!sysgenid_changed(sysgenid_get_view(g), seen))
			pause_ms(2);
		if (sysgenid_read(g, &seen))
			_exit(2);
		say(kind, seen);
	}
	return NULL;
}

static void *forked_child(void *kind)
{
	const volatile uint32_t *page = hw_map(SYSGENID_DEVICE, 0);

	if (!fork())
		watch_page(page, kind);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static const struct {
	const char *kind;
	void *(*run)(void *);
} clients[] = {
	{ "reader", reader },
	{ "tracked", tracked_reader },
	{ "epoll-level", epoll_level },
	{ "epoll-edge", epoll_edge },
	{ "poll", poller },
	{ "select", selector },
	{ "mapped", mapped },
	{ "exact", exact },
	{ "forked", forked_child },
};

static bool wanted(const char *kind, char **kinds)
{
	if (!*kinds)
		return true;
	for (; *kinds; kinds++)
		if (!strcmp(kind, *kinds))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	enum { COUNT = sizeof(clients) / sizeof(*clients) };
	unsigned int count = 0;
	pthread_t thread;
	size_t i;

	for (i = 0; i < COUNT; i++)
		count += wanted(clients[i].kind, argv + 1);
	if (!count || (argc > 1 && count != (unsigned int)argc - 1))
		return 2;
	pthread_barrier_init(&barrier, NULL, count + 1);
	for (i = 0; i < COUNT; i++)
		if (wanted(clients[i].kind, argv + 1))
			pthread_create(&thread, NULL, clients[i].run,
				       (void *)clients[i].kind);
	pthread_barrier_wait(&barrier);
	/* Past the barrier is not yet asleep. */
	pause_ms(100);
	say("ready", count);
	for (;;)
		pause();
}
