// SPDX-License-Identifier: MIT
/*
 * The check against a kernel that publishes at the worst moments.
 *
 *	hypervisor	id = B | resume
 *	kernel			   generation = 1 . record[0] = B . record[1] = B
 *	program			   ( check .......................... )
 *
 * The machine has been resumed before the check begins. So the check must say
 * "changed", wherever between its instructions the three stores of the kernel
 * fall. The processor steps through the real code, and all placements are tried:
 * with the loads in another order some of them come out as "unchanged".
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include <sysgenid.h>

#define TRAP_FLAG 0x100
#define STORES	  3
/* Steps of the check with its call and return, in the slowest build. */
#define MAX_STEPS 64

static struct {
	uint32_t generation;
	uint64_t hardware_id[2];
	uint64_t recorded_id[2];
} memory;

static const uint64_t id_a[2] = { 1, 2 };
static uint64_t id_b[2];

/* Store n is made before step at[n] of the check. */
static int at[STORES];
/* The order in which the kernel stores: generation, record, record. */
static const int *order;
static int stores_made;
static int step;

static void store(int which)
{
	if (which == 0)
		memory.generation = 1;
	else
		memory.recorded_id[which - 1] = id_b[which - 1];
}

static void kernel(void)
{
	while (stores_made < STORES && at[stores_made] <= step)
		store(order[stores_made++]);
}

static void on_step(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
	kernel();
	step++;
}

static __attribute__((noinline)) bool check(const struct sysgenid_view *v,
					    uint32_t seen)
{
	return sysgenid_changed(v, seen);
}

static bool (*volatile stepped_check)(const struct sysgenid_view *v,
				      uint32_t seen) = check;

static inline __attribute__((always_inline)) void trap(bool on)
{
	if (on)
		__asm__ volatile(
			"pushfq; orq %0, (%%rsp); popfq" ::"i"(TRAP_FLAG)
			: "memory", "cc");
	else
		__asm__ volatile(
			"pushfq; andq %0, (%%rsp); popfq" ::"i"(~TRAP_FLAG)
			: "memory", "cc");
}

static bool run(void)
{
	const struct sysgenid_view v = {
		.generation = &memory.generation,
		.hardware_id = memory.hardware_id,
		.recorded_id = memory.recorded_id,
	};
	bool changed;

	memory.generation = 0;
	memcpy(memory.recorded_id, id_a, sizeof(id_a));
	memcpy(memory.hardware_id, id_b, sizeof(id_b));
	stores_made = 0;
	step = 0;
	kernel();
	trap(true);
	changed = stepped_check(&v, 0);
	trap(false);
	return changed;
}

/* How many placements of the stores a check misses, up to a limit. */
static int misses(const int *stores, int limit, int *runs)
{
	int n = 0, steps;

	order = stores;
	for (int i = 0; i < STORES; i++)
		at[i] = MAX_STEPS;
	run();
	steps = step;
	*runs = 0;
	for (at[0] = 0; at[0] <= steps; at[0]++) {
		for (at[1] = at[0]; at[1] <= steps; at[1]++) {
			for (at[2] = at[1]; at[2] <= steps; at[2]++) {
				(*runs)++;
				n += !run();
				if (n >= limit)
					return n;
			}
		}
	}
	return n;
}

int main(void)
{
	static const int right[] = { 0, 1, 2 },
			 other_half_first[] = { 0, 2, 1 };
	static const int record_first[] = { 1, 2, 0 };
	struct sigaction action = {
		.sa_sigaction = on_step,
		.sa_flags = SA_SIGINFO,
	};
	int failed = 0;

	sigaction(SIGTRAP, &action, NULL);
	/* An id that differs in its first half, its second half, and both. */
	for (int half = 1; half <= 3; half++) {
		int runs, wrong;

		id_b[0] = half & 1 ? 11 : id_a[0];
		id_b[1] = half & 2 ? 12 : id_a[1];
		wrong = misses(right, 1000, &runs);
		wrong += misses(other_half_first, 1000, &runs);
		printf("id %d: %d steps, 2 x %d placements, missed %d\n", half,
		       step, runs, wrong);
		if (wrong || runs < 1000)
			failed = 1;
		/* The method can see what it looks for. */
		wrong = misses(record_first, 1, &runs);
		if (!wrong) {
			printf("      the record before the generation: not seen\n");
			failed = 1;
		}
	}
	return failed;
}
