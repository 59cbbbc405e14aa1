// SPDX-License-Identifier: MIT
/*
 * A thread that only checks makes no system call, and allocates nothing. Any call
 * but those to read, write and exit would kill the thread. In both modes, by the
 * inline and by the twin of the shared library.
 */
#define _GNU_SOURCE
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sysgenid.h>

#define ROUNDS 100000

/* twin.c */
bool twin_of_changed(const struct sysgenid_view *v, uint32_t seen);

/* All programs and libraries of the process come here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static unsigned int allocations;

static void count(void)
{
	__atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
	count();
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count();
	return __libc_realloc(p, size);
}

static struct {
	uint32_t generation;
	uint64_t hardware_id[2];
	uint64_t recorded_id[2];
	uint64_t no_id[2];
} memory = { .generation = 5 };

static unsigned int before, after, wrong, rounds;
static int done;

static void *only_check(void *argument)
{
	const struct sysgenid_view exact = {
		.generation = &memory.generation,
		.hardware_id = memory.hardware_id,
		.recorded_id = memory.recorded_id,
	};
	const struct sysgenid_view counter = {
		.generation = &memory.generation,
		.hardware_id = memory.no_id,
		.recorded_id = memory.no_id,
	};
	const char *mode = argument;
	void *volatile p;

	/* The first one of a thread makes system calls. */
	p = malloc(1);
	free(p);
	before = after = allocations;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return NULL;
	for (rounds = 0; rounds < ROUNDS; rounds++) {
		wrong += sysgenid_changed(&exact, 5);
		wrong += sysgenid_changed(&counter, 5);
		wrong += twin_of_changed(&exact, 5);
		wrong += twin_of_changed(&counter, 5);
	}
	/* The controls: with these it must fail. */
	if (mode[0] == 'c')
		syscall(SYS_getpid);
	if (mode[0] == 'a') {
		p = malloc(1);
		free(p);
	}
	after = allocations;
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	syscall(SYS_exit, 0);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_attr_t attributes;
	pthread_t thread;
	char none[] = "";

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, only_check,
			   argc > 1 ? argv[1] : none))
		return 2;
	/* What is not allowed kills the thread alone. */
	for (int i = 0; i < 500 && !__atomic_load_n(&done, __ATOMIC_ACQUIRE);
	     i++)
		usleep(10000);
	printf("%u rounds, %u wrong, %u allocations\n", rounds, wrong,
	       after - before);
	return !done || rounds != ROUNDS || wrong || after != before ||
	       !allocations;
}
