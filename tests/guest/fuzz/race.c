// SPDX-License-Identifier: MIT
/*
 * Races: threads with programs of their own, that also use descriptors which
 * others have opened, and are closing. No answer can be foretold then. What can:
 * the generation does not go back, and in the end nothing is left.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum { POOL = 16, RACE_PROGRAMS = 6 };

static atomic_int pool[POOL];

struct racer {
	struct world *world;
	struct random random;
	pthread_t thread;
};

/* Whatever sleeps is woken. */
static timer_t wake_me_often(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGALRM };
	struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
	timer_t timer;

	event._sigev_un._tid = (int)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &often, NULL))
		wrong(NULL, "cannot make a timer: %s", strerror(errno));
	return timer;
}

static bool changes_slots(const struct op *op)
{
	operation *run = kinds[op->code].run;

	return run == op_open || run == op_reopen || run == op_duplicate ||
	       run == op_close || run == op_receive;
}

static void one(struct racer *r, const struct op *op)
{
	struct world *w = r->world;
	struct slot *s = slot(w, op->a[0]), own = *s;
	struct file another = { .refs = 1000,
				.node = GENERATION,
				.readable = true,
				.writable = true };
	bool borrows = !changes_slots(op) && below(&r->random, 2);

	if (borrows)
		*s = (struct slot){ atomic_load(&pool[below(&r->random, POOL)]),
				    &another };
	kinds[op->code].run(w, op);
	if (borrows)
		*s = own;
	else if (s->fd >= 0 && s->file->node == GENERATION)
		atomic_store(&pool[below(&r->random, POOL)], s->fd);
	__atomic_fetch_add(&shared->operations, 1, __ATOMIC_RELAXED);
}

static bool is_alone(const struct op *op)
{
	operation *run = kinds[op->code].run;

	/* These keep what they got, share a socket, or need to know whose a file is. */
	return run == op_publish || run == op_send || run == op_sysfs ||
	       run == op_poke || run == op_uring;
}

static void *run(void *arg)
{
	struct racer *r = arg;
	struct program p;
	timer_t timer = wake_me_often();

	for (int i = 0; i < RACE_PROGRAMS; i++) {
		make_program(&r->random, &p);
		for (unsigned int k = 0; k < p.n; k++) {
			if (!is_alone(&p.ops[k]))
				one(r, &p.ops[k]);
			check_pages(r->world);
		}
	}
	timer_delete(timer);
	return NULL;
}

void race(struct world *worlds, unsigned int n, uint64_t seed)
{
	struct racer racers[8];

	for (int i = 0; i < POOL; i++)
		atomic_store(&pool[i], -1);
	for (unsigned int i = 0; i < n; i++) {
		racers[i] = (struct racer){ .world = &worlds[i],
					    .random = { mixed(seed, i) } };
		if (pthread_create(&racers[i].thread, NULL, run, &racers[i]))
			wrong(NULL, "cannot make a thread");
	}
	for (unsigned int i = 0; i < n; i++)
		pthread_join(racers[i].thread, NULL);
	for (unsigned int i = 0; i < n; i++)
		world_close(&worlds[i]);
	check_nothing_is_left(&worlds[0]);
}
