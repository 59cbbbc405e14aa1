// SPDX-License-Identifier: MIT
/*
 * What calls of /dev/sysgenid cost, in instructions. Speaks only the interface of
 * the SysGenID patches v6 to v8, so that it runs on any driver that has it. For a
 * machine whose time stamp counter counts instructions: benchmarks/calls.
 *
 *	calls each ROUNDS		each call by itself
 *	calls crowd COUNT SHORT		one generation told to COUNT tracked watchers, in
 *					one epoll set; SHORT other opens, closed
 *					since, lie between each two of them
 *	calls sleepers COUNT		a trigger while COUNT threads sleep in read(2)
 *
 * Prints "NAME VALUE" lines; each is a median.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <x86intrin.h>

#define DEVICE	      "/dev/sysgenid"
#define SET_TRACKING  _IO(0xE4, 1)
#define WAIT_WATCHERS _IO(0xE4, 2)
#define TRIGGER	      _IO(0xE4, 3)

enum { CROWD_ROUNDS = 3, STACK = 64 * 1024 };

/* The one that the calls go to, and another one, of which the generation is read. */
static int device, reader;
static const volatile uint32_t *page;
static uint64_t nothing;

static void must(bool good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static int device_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	must(fd >= 0, DEVICE);
	return fd;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t median(uint64_t *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* Also lets the driver do what it put off. */
static void trigger(void)
{
	must(!ioctl(reader, TRIGGER, 0), "trigger");
	usleep(2000);
}

/* What a call wakes up must not run before the call has been counted. */
static void be_first(void)
{
	struct sched_param first = { .sched_priority = 1 };

	must(!sched_setscheduler(0, SCHED_FIFO, &first), "SCHED_FIFO");
}

static void confirm(int fd)
{
	uint32_t generation = *page;

	must(write(fd, &generation, sizeof(generation)) == sizeof(generation),
	     "confirm");
}

static void nap(void)
{
	usleep(2000);
}

static void make_current(void)
{
	confirm(device);
}

static void make_outdated(void)
{
	make_current();
	trigger();
}

static void make_tracked(void)
{
	make_current();
	must(!ioctl(device, SET_TRACKING, 1), "track");
}

static void make_untracked(void)
{
	make_current();
	must(!ioctl(device, SET_TRACKING, 0), "untrack");
}

static void make_tracked_and_outdated(void)
{
	make_tracked();
	trigger();
}

static long call_nothing(void)
{
	return 0;
}

static long call_load(void)
{
	return *page == 0xffffffff;
}

static long call_read(void)
{
	uint32_t value;

	return read(device, &value, sizeof(value));
}

static long call_poll(void)
{
	struct pollfd p = { .fd = device, .events = POLLIN };

	return poll(&p, 1, 0);
}

static long call_confirm(void)
{
	uint32_t generation = *page;

	return write(device, &generation, sizeof(generation));
}

static long call_track(void)
{
	return ioctl(device, SET_TRACKING, 1);
}

static long call_untrack(void)
{
	return ioctl(device, SET_TRACKING, 0);
}

static long call_wait(void)
{
	return ioctl(device, WAIT_WATCHERS, 1000);
}

static long call_open_close(void)
{
	return close(open(DEVICE, O_RDWR | O_CLOEXEC));
}

static long call_map_unmap(void)
{
	void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, device, 0);

	return munmap(map, 4096);
}

static long call_trigger(void)
{
	return ioctl(device, TRIGGER, 0);
}

/* prepare: done before each call, and not counted. answer: of each call. */
static const struct subject {
	const char *name;
	void (*prepare)(void);
	long (*call)(void);
	long answer;
} subjects[] = {
	{ "nothing", NULL, call_nothing, 0 },
	{ "load", NULL, call_load, 0 },
	{ "read-current", make_current, call_read, -1 },
	{ "read-outdated", make_outdated, call_read, 4 },
	{ "poll-current", make_current, call_poll, 0 },
	{ "poll-outdated", make_outdated, call_poll, 1 },
	{ "confirm-current", make_tracked, call_confirm, 4 },
	{ "confirm-outdated", make_tracked_and_outdated, call_confirm, 4 },
	{ "track", make_untracked, call_track, 0 },
	{ "untrack", make_tracked, call_untrack, 0 },
	{ "wait", make_tracked, call_wait, 0 },
	{ "open-close", NULL, call_open_close, 0 },
	{ "map-unmap", NULL, call_map_unmap, 0 },
	{ "trigger", nap, call_trigger, 0 },
};

static void each(size_t rounds)
{
	uint64_t *spent = calloc(rounds, sizeof(*spent)), found;
	const struct subject *s;
	size_t i;

	must(spent, "memory");
	be_first();
	for (s = subjects; s < subjects + sizeof(subjects) / sizeof(*s); s++) {
		for (i = 0; i < rounds; i++) {
			uint64_t start;
			long answer;

			if (s->prepare)
				s->prepare();
			start = __rdtsc();
			answer = s->call();
			spent[i] = __rdtsc() - start;
			must(answer == s->answer, s->name);
		}
		found = median(spent, rounds);
		if (s->call == call_nothing)
			nothing = found;
		printf("%s %" PRIu64 "\n", s->name, found - nothing);
	}
	free(spent);
}

/* Objects that the kernel holds, in bytes; frees are done after some time. */
static uint64_t kernel_memory(void)
{
	unsigned long active, size, kilobytes;
	uint64_t sum = 0;
	char line[512];
	FILE *file;

	sleep(1);
	file = fopen("/proc/slabinfo", "r");
	must(file, "/proc/slabinfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %lu %*u %lu", &active, &size) == 2)
			sum += (uint64_t)active * size;
	fclose(file);
	file = fopen("/proc/meminfo", "r");
	must(file, "/proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmallocUsed: %lu", &kilobytes) == 1)
			sum += (uint64_t)kilobytes * 1024;
	fclose(file);
	return sum;
}

/* The table of descriptors is nobody's business here: it is large before we begin. */
static void allow_descriptors(int most)
{
	struct rlimit limit = { (rlim_t)most, (rlim_t)most };

	must(!setrlimit(RLIMIT_NOFILE, &limit), "RLIMIT_NOFILE");
	must(dup2(0, most - 1) == most - 1 && !close(most - 1), "descriptors");
}

static void crowd(int count, int others)
{
	uint64_t told[CROWD_ROUNDS], confirmed[CROWD_ROUNDS], before;
	struct epoll_event event,
		*events = calloc((size_t)count, sizeof(*events));
	int *fds = calloc((size_t)count, sizeof(*fds));
	int *other = calloc((size_t)others + 1, sizeof(*other));
	int ep = epoll_create1(EPOLL_CLOEXEC), i, k, round, seen;

	must(events && fds && other && ep >= 0, "memory");
	memset(events, 1, (size_t)count * sizeof(*events));
	memset(fds, 1, (size_t)count * sizeof(*fds));
	allow_descriptors(count + others + 64);
	before = kernel_memory();
	for (i = 0; i < count; i++) {
		for (k = 0; k < others; k++)
			other[k] = device_open();
		fds[i] = device_open();
		must(!ioctl(fds[i], SET_TRACKING, 1), "track");
		for (k = 0; k < others; k++)
			close(other[k]);
	}
	printf("memory %" PRIu64 "\n",
	       (kernel_memory() - before) / (uint64_t)count);
	for (i = 0; i < count; i++) {
		event = (struct epoll_event){ .events = EPOLLIN | EPOLLET,
					      .data.fd = fds[i] };
		must(!epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event), "epoll");
	}
	for (round = 0; round < CROWD_ROUNDS; round++) {
		uint64_t start = __rdtsc();

		must(!ioctl(reader, TRIGGER, 0), "trigger");
		for (seen = 0; seen < count; seen += k) {
			k = epoll_wait(ep, events, count, 60000);
			must(k > 0, "epoll_wait");
		}
		told[round] = __rdtsc() - start;
		for (i = 0; i < count; i++)
			confirm(fds[i]);
		confirm(reader);
		must(!ioctl(reader, WAIT_WATCHERS, 60000), "wait");
		confirmed[round] = __rdtsc() - start;
	}
	printf("told %" PRIu64 "\nconfirmed %" PRIu64 "\n",
	       median(told, CROWD_ROUNDS), median(confirmed, CROWD_ROUNDS));
}

static atomic_int sleepers_at_work;

static void *sleeper(void *unused)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	uint32_t generation;

	(void)unused;
	must(fd >= 0, DEVICE);
	for (;;) {
		atomic_fetch_add(&sleepers_at_work, 1);
		must(read(fd, &generation, sizeof(generation)) ==
			     sizeof(generation),
		     "read");
		must(write(fd, &generation, sizeof(generation)) ==
			     sizeof(generation),
		     "write");
	}
	return NULL;
}

/* On one processor they sleep in read(2) once each has come so far and we get to run after a nap. */
static void wait_for_sleepers(int count)
{
	while (atomic_load(&sleepers_at_work) < count)
		nap();
	nap();
}

static void sleepers(int count)
{
	uint64_t spent[CROWD_ROUNDS], start;
	pthread_attr_t attributes;
	pthread_t thread;
	int i;

	allow_descriptors(count + 64);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	for (i = 0; i < count; i++)
		must(!pthread_create(&thread, &attributes, sleeper, NULL),
		     "thread");
	be_first();
	for (i = 0; i < CROWD_ROUNDS; i++) {
		wait_for_sleepers(count * (i + 1));
		start = __rdtsc();
		must(!ioctl(reader, TRIGGER, 0), "trigger");
		spent[i] = __rdtsc() - start;
	}
	printf("trigger-asleep %" PRIu64 "\n", median(spent, CROWD_ROUNDS));
}

int main(int argc, char **argv)
{
	device = device_open();
	reader = device_open();
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0);
	must(page != MAP_FAILED, "mmap");
	if (argc == 3 && !strcmp(argv[1], "each"))
		each((size_t)atoi(argv[2]));
	else if (argc == 4 && !strcmp(argv[1], "crowd"))
		crowd(atoi(argv[2]), atoi(argv[3]));
	else if (argc == 3 && !strcmp(argv[1], "sleepers"))
		sleepers(atoi(argv[2]));
	else
		return 2;
	exit(0);
}
