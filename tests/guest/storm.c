// SPDX-License-Identifier: MIT
/*
 * storm SECONDS [SEED]: eight threads that open, track, confirm, trigger, wait
 * and close, on descriptors they take from each other. Then the counts of the
 * module are what the surviving descriptors imply, and 0 when these are closed.
 * All the while:
 *
 *  - a wait for a generation does not end before a tracked watcher, which says
 *    so before it confirms, has confirmed it;
 *  - an epoll set whose file is added, confirmed and triggered in a race never
 *    misses a generation.
 *
 * Ends with "operations N generations N waits N", or one line that says what is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid/abi.h>

enum { SLOTS = 64, WORKERS = 5 };

static atomic_int slots[SLOTS]; /* descriptors, -1 for none */
static atomic_bool over;
static atomic_bool calm; /* nobody begins to track: the overseer gets its turn */
static atomic_ulong operations, waits;
static atomic_uint confirming; /* the sentinel is about to confirm this one */

__attribute__((noreturn, format(printf, 1, 2))) static void
wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	puts("");
	fflush(stdout);
	_exit(1);
}

static int open_node(void)
{
	return open(SYSGENID_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

static int get(int fd, struct sysgenid_get_args *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->size = sizeof(*answer);
	return ioctl(fd, SYSGENID_GET, answer);
}

static uint32_t current_generation(int fd)
{
	struct sysgenid_get_args answer;

	if (get(fd, &answer))
		wrong("get: %s", strerror(errno));
	return answer.generation;
}

static void trigger(int fd)
{
	unsigned char entropy[16] = "storm";
	struct sysgenid_trigger_args arg = {
		.size = sizeof(arg),
		.expected = current_generation(fd),
		.entropy = (uintptr_t)entropy,
		.entropy_len = sizeof(entropy),
	};

	if (ioctl(fd, SYSGENID_TRIGGER, &arg))
		wrong("trigger: %s", strerror(errno));
}

static void pause_us(long us)
{
	nanosleep(&(struct timespec){ 0, us * 1000 }, NULL);
}

static void one_operation(unsigned int *seed)
{
	atomic_int *slot = &slots[rand_r(seed) % SLOTS];
	struct sysgenid_watcher entries[SLOTS];
	struct sysgenid_list_args list = {
		.size = sizeof(list),
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(entries[0]),
		.count = SLOTS,
		.flags = SYSGENID_LIST_ALL,
	};
	struct sysgenid_wait_args wait = {
		.size = sizeof(wait), .timeout_ns = rand_r(seed) % 100000
	};
	struct sysgenid_declare_args declare = { .size = sizeof(declare),
						 .flags = 1 };
	struct sysgenid_get_args answer;
	struct pollfd p = { .events = POLLIN };
	int fd = atomic_load(slot);
	uint32_t value, i;

	switch (rand_r(seed) % 16) {
	case 0:
	case 1:
		/* Whoever else uses the old one goes on with the new one, or with EBADF. */
		fd = atomic_exchange(slot, open_node());
		if (fd >= 0)
			close(fd);
		break;
	case 2:
		fd = atomic_exchange(slot, -1);
		if (fd >= 0)
			close(fd);
		break;
	case 3:
	case 4:
	case 5:
		ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, !atomic_load(&calm));
		break;
	case 6:
		ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 0);
		break;
	case 7:
	case 8:
	case 9:
		if (read(fd, &value, sizeof(value)) == sizeof(value) &&
		    write(fd, &value, sizeof(value)) < 0 && errno != EINVAL &&
		    errno != EBADF)
			wrong("confirm: %s", strerror(errno));
		break;
	case 10:
		if (fd >= 0 && !get(fd, &answer)) {
			wait.generation = answer.generation;
			ioctl(fd, SYSGENID_WAIT_GENERATION, &wait);
		}
		break;
	case 11:
		ioctl(fd, SYSGENID_WAIT_WATCHERS, 1);
		break;
	case 12:
		if (ioctl(fd, SYSGENID_LIST_WATCHERS, &list))
			break;
		for (i = 0; i < list.count; i++)
			if (!(entries[i].flags & SYSGENID_WATCHER_OUTDATED) &&
			    entries[i].confirmed != list.generation)
				wrong("a list for generation %u has a watcher of %u as adjusted",
				      list.generation, entries[i].confirmed);
		break;
	case 13:
		ioctl(fd, SYSGENID_DECLARE, &declare);
		break;
	case 14:
		p.fd = fd;
		poll(&p, 1, rand_r(seed) % 2);
		break;
	case 15:
		fd = open_node();
		trigger(fd);
		close(fd);
		break;
	}
}

static void *worker(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (!atomic_load(&over)) {
		one_operation(&seed);
		atomic_fetch_add(&operations, 1);
	}
	return NULL;
}

static int sentinel_fd; /* tracked before anybody else begins */

/* Confirms every generation that it finds, some time late. */
static void *sentinel(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	int fd = sentinel_fd;
	uint32_t value;

	while (!atomic_load(&over)) {
		if (read(fd, &value, sizeof(value)) != sizeof(value)) {
			pause_us(100);
			continue;
		}
		pause_us(rand_r(&seed) % 300);
		atomic_store(&confirming, value);
		if (write(fd, &value, sizeof(value)) < 0 && errno != EINVAL)
			wrong("sentinel: %s", strerror(errno));
	}
	close(fd);
	return NULL;
}

/* Trusts a wait that says that all have confirmed. */
static void *overseer(void *unused)
{
	struct sysgenid_wait_args wait;
	int fd = open_node(), ret;

	(void)unused;
	while (!atomic_load(&over)) {
		wait = (struct sysgenid_wait_args){
			.size = sizeof(wait),
			.generation = current_generation(fd),
			.timeout_ns = 2000000,
		};
		ret = ioctl(fd, SYSGENID_WAIT_GENERATION, &wait);
		if (!ret) {
			atomic_fetch_add(&waits, 1);
			if ((int32_t)(atomic_load(&confirming) -
				      wait.generation) < 0 &&
			    !atomic_load(&over))
				wrong("the wait for generation %u ended, the sentinel is at %u",
				      wait.generation,
				      atomic_load(&confirming));
		} else if (errno != ETIME && errno != ESTALE &&
			   errno != EINTR) {
			wrong("wait: %s", strerror(errno));
		}
	}
	close(fd);
	return NULL;
}

static void *epoller(void *arg)
{
	struct epoll_event event = { .events = EPOLLIN }, got;
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	int ep = epoll_create1(EPOLL_CLOEXEC), trig = open_node();

	while (!atomic_load(&over)) {
		int fd = open_node();
		uint32_t value;

		event.events = EPOLLIN | (rand_r(&seed) % 2 ? EPOLLET : 0);
		if (rand_r(&seed) % 2)
			trigger(trig);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event))
			wrong("epoll: %s", strerror(errno));
		if (rand_r(&seed) % 2 &&
		    read(fd, &value, sizeof(value)) == sizeof(value) &&
		    write(fd, &value, sizeof(value)) < 0 && errno != EINVAL)
			wrong("epoller: %s", strerror(errno));
		trigger(trig);
		if (epoll_wait(ep, &got, 1, 10000) != 1)
			wrong("epoll lost a generation");
		close(fd);
	}
	close(trig);
	close(ep);
	return NULL;
}

static void check_counts(int fd)
{
	struct sysgenid_get_args all, one;
	unsigned int watchers = 0, outdated = 0;
	int i;

	for (i = 0; i < SLOTS; i++) {
		if (slots[i] < 0)
			continue;
		if (get(slots[i], &one))
			wrong("get: %s", strerror(errno));
		if (one.flags & SYSGENID_GET_TRACKED) {
			watchers++;
			outdated += !!(one.flags & SYSGENID_GET_OUTDATED);
		}
	}
	get(fd, &all);
	if (all.watchers != watchers || all.outdated != outdated)
		wrong("%u watchers, %u outdated; the module counts %u and %u",
		      watchers, outdated, all.watchers, all.outdated);
	for (i = 0; i < SLOTS; i++)
		if (slots[i] >= 0)
			close(slots[i]);
	get(fd, &all);
	if (all.watchers || all.outdated)
		wrong("all are closed; the module counts %u watchers, %u outdated",
		      all.watchers, all.outdated);
}

int main(int argc, char **argv)
{
	static void *(*const runs[])(void *) = { sentinel, overseer, epoller };
	pthread_t threads[WORKERS + 3];
	uintptr_t seed = argc > 2 ? strtoul(argv[2], NULL, 0) :
				    (uintptr_t)time(NULL);
	int i, count = 0, fd = open_node();
	uint32_t first;

	if (fd < 0)
		wrong("%s: %s", SYSGENID_DEVICE, strerror(errno));
	printf("seed %lu\n", (unsigned long)seed);
	fflush(stdout);
	first = current_generation(fd);
	atomic_store(&confirming, first);
	sentinel_fd = open_node();
	if (ioctl(sentinel_fd, SYSGENID_SET_WATCHER_TRACKING, 1))
		wrong("track: %s", strerror(errno));
	for (i = 0; i < SLOTS; i++)
		slots[i] = -1;
	for (i = 0; i < 3; i++)
		pthread_create(&threads[count++], NULL, runs[i],
			       (void *)(seed + 100 + (uintptr_t)i));
	for (i = 0; i < WORKERS; i++)
		pthread_create(&threads[count++], NULL, worker,
			       (void *)(seed + (uintptr_t)i));
	for (i = argc > 1 ? 10 * atoi(argv[1]) : 10; i; i--) {
		pause_us(100000);
		atomic_store(&calm, i % 2);
	}
	atomic_store(&over, true);
	while (count)
		pthread_join(threads[--count], NULL);
	check_counts(fd);
	if (!atomic_load(&waits))
		wrong("no wait ever ended: nothing was tested");
	printf("operations %lu generations %u waits %lu\n",
	       atomic_load(&operations), current_generation(fd) - first,
	       atomic_load(&waits));
	return 0;
}
