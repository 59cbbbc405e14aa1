// SPDX-License-Identifier: MIT
/*
 * window loads | draws COUNT FILE | vdso COUNT FILE [fifo PRIORITY]: what a program
 * that never heard of clones gets across a resume, in a tight loop on each
 * processor. Says "ready" when all run, and begins to be a real-time task after that.
 *
 * loads: of the counter, through a plain mapping of 4 bytes. Ends with
 *
 *	loads N stale N interrupted N
 *
 * Loads are made after the hardware id was seen to be new, until the counter was
 * new too or a bound was reached. Stale ones of these found the stale counter.
 * Interrupted: of the stale ones, how many came after this processor had been interrupted.
 * In these the kernel had got to run, and had not published.
 *
 * draws: of random bytes by getrandom(2), /dev/urandom and
 * /proc/sys/kernel/random/uuid in turn. FILE gets the first COUNT of each kind
 * that a processor draws after the hardware id was seen to be new. A line has the
 * three kinds. Ends with "drew".
 *
 * vdso: by getrandom(3) of the C library alone, which has to draw in the vDSO. A
 * line of FILE is a draw, and 1 if this processor had been interrupted before the
 * call, else 0. A loop ends after COUNT draws, or AFTER the first interrupt.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#include "hw.h"
#include "realtime.h"
#include "vdso.h"

enum { LOADS_MOST = 2000000, PROCESSORS_MOST = 16, BYTES = 6, UUID = 36 };
enum { AFTER = 100 };
enum kind { GETRANDOM, URANDOM, UUIDS, KINDS };

struct loop {
	pthread_t thread;
	size_t processor;
	unsigned long loads, stale, interrupted;
	size_t done;
	char (*drawn[KINDS])[UUID];
};

static struct loop loops[PROCESSORS_MOST];
static const volatile uint32_t *counter;
static atomic_size_t running;
static const char *priority;
static struct hw hw;
static size_t count;

static void must(bool good, const char *what)
{
	if (!good) {
		perror(what);
		exit(2);
	}
}

/* Was this processor interrupted since the last watch()? */
#ifdef __aarch64__
/*
 * A return from the kernel to a program by ERET clears the exclusive monitor, and a
 * store-exclusive fails then. Other accesses between the two may clear it, too, on
 * some processors, but not in QEMU's translator.
 */
static __thread uint32_t watched, was_interrupted_before;

static inline void watch(void)
{
	uint32_t value;

	was_interrupted_before = 0;
	__asm__ volatile("ldxr %w0, %1" : "=r"(value) : "Q"(watched));
}

static inline bool interrupted(void)
{
	uint32_t failed, value;

	__asm__ volatile("stxr %w0, wzr, %2\n\tldxr %w1, %2"
			 : "=&r"(failed), "=r"(value), "+Q"(watched));
	was_interrupted_before |= failed;
	return was_interrupted_before;
}
#else
/*
 * A return from the kernel to a program by IRET clears a segment register that holds
 * a null selector with other bits than none.
 */
static inline void watch(void)
{
	__asm__ volatile("mov %0, %%es" : : "r"((uint16_t)1));
}

static inline bool interrupted(void)
{
	uint16_t selector;

	__asm__ volatile("mov %%es, %0" : "=r"(selector));
	return !selector;
}
#endif

static void begin(const struct loop *l)
{
	cpu_set_t own;

	CPU_ZERO(&own);
	CPU_SET(l->processor, &own);
	must(!sched_setaffinity(0, sizeof(own), &own), "affinity");
	atomic_fetch_add(&running, 1);
	if (priority)
		be_realtime(priority);
}

static void *load(void *argument)
{
	struct loop *l = argument;
	bool was_interrupted;

	begin(l);
	while (!hw_new(&hw))
		;
	watch();
	while (l->loads < LOADS_MOST) {
		was_interrupted = interrupted();
		l->loads++;
		if (*counter != hw.generation)
			break;
		l->stale++;
		l->interrupted += was_interrupted;
	}
	return NULL;
}

static void *draw(void *argument)
{
	struct loop *l = argument;
	int urandom = open("/dev/urandom", O_RDONLY);
	int uuid = open("/proc/sys/kernel/random/uuid", O_RDONLY);
	char bytes[KINDS][UUID];
	size_t kind;

	must(urandom >= 0 && uuid >= 0, "random bytes");
	begin(l);
	while (l->done < count) {
		bool new = hw_new(&hw);

		must(getrandom(bytes[GETRANDOM], BYTES, 0) == BYTES &&
			     read(urandom, bytes[URANDOM], BYTES) == BYTES &&
			     pread(uuid, bytes[UUIDS], UUID, 0) == UUID,
		     "draw");
		if (!new)
			continue;
		for (kind = 0; kind < KINDS; kind++)
			memcpy(l->drawn[kind][l->done], bytes[kind], UUID);
		l->done++;
	}
	return NULL;
}

/* The last byte of a draw's place tells of the interrupt. */
static void *draw_in_vdso(void *argument)
{
	struct loop *l = argument;
	char unused[BYTES], *drawn;
	size_t after = 0;

	begin(l);
	/* Each draw keeps the state of this thread as the snapshot finds it. */
	while (!hw_new(&hw))
		must(getrandom(unused, BYTES, 0) == BYTES, "draw");
	watch();
	while (l->done < count && after < AFTER) {
		drawn = l->drawn[GETRANDOM][l->done++];
		drawn[BYTES] = interrupted();
		after += (size_t)drawn[BYTES];
		must(getrandom(drawn, BYTES, 0) == BYTES, "draw");
	}
	return NULL;
}

/* Enough of each that no two are equal by chance. */
static void write_draws(const struct loop *l, FILE *file, bool vdso)
{
	size_t i, k;

	for (i = 0; i < l->done; i++) {
		for (k = 0; k < BYTES; k++)
			fprintf(file, "%02x",
				(unsigned char)l->drawn[GETRANDOM][i][k]);
		if (vdso) {
			fprintf(file, " %d\n", l->drawn[GETRANDOM][i][BYTES]);
			continue;
		}
		fputc(' ', file);
		for (k = 0; k < BYTES; k++)
			fprintf(file, "%02x",
				(unsigned char)l->drawn[URANDOM][i][k]);
		fprintf(file, " %.18s\n", l->drawn[UUIDS][i]);
	}
}

int main(int argc, char **argv)
{
	bool vdso = argc > 3 && !strcmp(argv[1], "vdso");
	bool draws = vdso || (argc > 3 && !strcmp(argv[1], "draws"));
	void *(*run)(void *) = vdso ? draw_in_vdso : draws ? draw : load;
	int fd = open(SYSGENID_DEVICE, O_RDONLY | O_CLOEXEC);
	size_t processors = (size_t)sysconf(_SC_NPROCESSORS_ONLN), i, kind;
	struct loop sum = { 0 };
	FILE *file = NULL;
	char byte;

	if (!draws && (argc < 2 || strcmp(argv[1], "loads")))
		return 2;
	if (argc > 3 && !strcmp(argv[argc - 2], "fifo"))
		priority = argv[argc - 1];
	must(processors <= PROCESSORS_MOST, "too many processors");
	hw_open(&hw);
	counter = mmap(NULL, sizeof(*counter), PROT_READ, MAP_SHARED, fd, 0);
	must(counter != MAP_FAILED, SYSGENID_DEVICE);
	if (draws) {
		count = (size_t)atol(argv[2]);
		file = fopen(argv[3], "w");
		must(file, argv[3]);
	}
	for (i = 0; i < processors; i++) {
		loops[i].processor = i;
		for (kind = 0; kind < KINDS; kind++) {
			loops[i].drawn[kind] = calloc(count + 1, UUID);
			must(loops[i].drawn[kind], "memory");
		}
	}
	/* A page fault would look like an interrupt. */
	must(!mlockall(MCL_CURRENT | MCL_FUTURE), "mlockall");
	for (i = 0; i < processors; i++)
		must(!pthread_create(&loops[i].thread, NULL, run, &loops[i]),
		     "thread");
	while (atomic_load(&running) < processors)
		usleep(1000);
	if (vdso) {
		must(getrandom(&byte, 1, 0) == 1, "draw");
		if (has_vdso_state())
			puts("vdso");
	}
	puts("ready");
	fflush(stdout);
	for (i = 0; i < processors; i++) {
		pthread_join(loops[i].thread, NULL);
		sum.loads += loops[i].loads;
		sum.stale += loops[i].stale;
		sum.interrupted += loops[i].interrupted;
		if (draws)
			write_draws(&loops[i], file, vdso);
	}
	if (draws) {
		must(!fclose(file), argv[3]);
		puts("drew");
	} else {
		printf("loads %lu stale %lu interrupted %lu\n", sum.loads,
		       sum.stale, sum.interrupted);
	}
	return 0;
}
