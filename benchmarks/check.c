// SPDX-License-Identifier: MIT
/*
 * What one check costs, and what the alternatives do. Prints "NAME NANOSECONDS"
 * for each: the median of many short rounds that take turns, so that whatever
 * else the machine does hits all alike.
 *
 * The pages are ordinary memory of the kernel's layout: the loads are the same.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid.h>

#define ROUNDS 1001

static struct sysgenid_view counter_mode, exact_mode;
/* The function of the shared library, called as other languages do. */
static bool (*twin)(const struct sysgenid_view *v, uint32_t seen);
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int event_fd, file_fd;

static bool bare_load(const struct sysgenid_view *v, uint32_t seen)
{
	return *(const volatile uint32_t *)v->generation != seen;
}

static bool locked_load(const struct sysgenid_view *v, uint32_t seen)
{
	bool changed;

	pthread_rwlock_rdlock(&lock);
	changed = bare_load(v, seen);
	pthread_rwlock_unlock(&lock);
	return changed;
}

static bool read_event(void)
{
	uint64_t count;

	return read(event_fd, &count, sizeof(count)) != sizeof(count);
}

static bool poll_event(void)
{
	struct pollfd p = { .fd = event_fd, .events = POLLPRI };

	return poll(&p, 1, 0) != 0;
}

static bool read_file(uint32_t seen)
{
	uint32_t generation;

	return pread(file_fd, &generation, sizeof(generation), 0) !=
		       sizeof(generation) ||
	       generation != seen;
}

static bool draw(void)
{
	uint32_t random;

	return getrandom(&random, sizeof(random), 0) != sizeof(random);
}

/*
 * A loop of each, of one shape: as in a program, a change is a branch away to
 * what is rare. What is rare does not return. Else a compiler may make one exit,
 * with a more costly condition, of that and the end of the loop. No value is kept in a
 * register from one turn for the next, but that of @v and @seen.
 */
#define LOOP(name, changed)                                   \
	static __attribute__((noinline)) void name(           \
		const struct sysgenid_view *v, uint32_t seen, \
		unsigned int turns)                           \
	{                                                     \
		(void)v;                                      \
		(void)seen;                                   \
		do {                                          \
			if (__builtin_expect(changed, false)) \
				abort();                      \
			__asm__ volatile("" : : : "memory");  \
		} while (--turns);                            \
	}

LOOP(loop_bare, bare_load(v, seen))
LOOP(loop_check, sysgenid_changed(v, seen))
LOOP(loop_twin, twin(v, seen))
LOOP(loop_rwlock, locked_load(v, seen))
LOOP(loop_getpid, getpid() < 0)
LOOP(loop_eventfd, read_event())
LOOP(loop_poll, poll_event())
LOOP(loop_pread, read_file(seen))
LOOP(loop_getrandom, draw())

static const struct {
	const char *name;
	void (*loop)(const struct sysgenid_view *v, uint32_t seen,
		     unsigned int turns);
	const struct sysgenid_view *view;
	unsigned int turns; /* some 20 microseconds */
} subjects[] = {
	{ "bare", loop_bare, &counter_mode, 20000 },
	{ "counter", loop_check, &counter_mode, 10000 },
	{ "exact", loop_check, &exact_mode, 10000 },
	{ "twin", loop_twin, &exact_mode, 5000 },
	{ "rwlock", loop_rwlock, &counter_mode, 1000 },
	{ "getpid", loop_getpid, NULL, 100 },
	{ "eventfd", loop_eventfd, NULL, 100 },
	{ "poll", loop_poll, NULL, 100 },
	{ "pread", loop_pread, NULL, 50 },
	{ "getrandom", loop_getrandom, NULL, 50 },
};

#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

static double times[SUBJECTS][ROUNDS];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *page(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static void prepare(const char *library, uint32_t seen)
{
	void *handle = dlopen(library, RTLD_NOW);
	struct sysgenid_page *counter = page();
	struct sysgenid_record *record = page();
	uint64_t *hardware = page();
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((unsigned int)sched_getcpu(), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);

	if (handle)
		*(void **)&twin = dlsym(handle, "sysgenid_changed");
	if (!twin) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}

	counter->generation = seen;
	record->id[0] = hardware[5] = 0x0123456789abcdef;
	record->id[1] = hardware[6] = 0xfedcba9876543210;
	counter_mode.generation = exact_mode.generation = &counter->generation;
	counter_mode.hardware_id = counter_mode.recorded_id =
		(const uint64_t *)counter->no_id;
	exact_mode.hardware_id = &hardware[5];
	exact_mode.recorded_id = (const uint64_t *)record->id;

	event_fd = eventfd(1u << 30, EFD_SEMAPHORE | EFD_CLOEXEC);
	file_fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (event_fd < 0 || write(file_fd, &seen, sizeof(seen)) != sizeof(seen))
		abort();
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	const uint32_t seen = 7;
	unsigned int round;
	double start;
	size_t i;

	if (argc != 2)
		return 2;
	prepare(argv[1], seen);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < SUBJECTS; i++) {
			start = now();
			subjects[i].loop(subjects[i].view, seen,
					 subjects[i].turns);
			times[i][round] = (now() - start) / subjects[i].turns;
		}
	}
	for (i = 0; i < SUBJECTS; i++) {
		qsort(times[i], ROUNDS, sizeof(double), compare);
		printf("%s %.3f\n", subjects[i].name, times[i][ROUNDS / 2]);
	}
	return 0;
}
