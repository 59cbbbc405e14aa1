// SPDX-License-Identifier: MIT
/*
 * rng: two threads that look for a new generation without pause, across a
 * resume: one by sysgenid_read(), one at the mapped counter alone. Each draws
 * bytes from the kernel the moment it finds one; these must differ between
 * clones. Each has drawn before: the state that the vDSO keeps for a thread is
 * there. Says "vdso" if there is such a state and "ready", then "read GENERATION
 * HEX" and "mapped GENERATION HEX".
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <sysgenid.h>

#include "draw.h"
#include "vdso.h"

static struct sysgenid *g;
static uint32_t seen;
static atomic_bool primed;

static void prime(void)
{
	char byte;

	if (getrandom(&byte, 1, 0) != 1)
		exit(2);
}

static void *watch_mapped(void *unused)
{
	const volatile uint32_t *page = sysgenid_get_view(g)->generation;

	(void)unused;
	prime();
	atomic_store(&primed, true);
	while (*page == seen)
		;
	draw("mapped", *page);
	return NULL;
}

int main(void)
{
	pthread_t thread;
	uint32_t now;

	if (sysgenid_open(&g, 0) || sysgenid_read(g, &seen) || reseed())
		return 2;
	pthread_create(&thread, NULL, watch_mapped, NULL);
	prime();
	while (!atomic_load(&primed))
		;
	if (has_vdso_state())
		puts("vdso");
	puts("ready");
	fflush(stdout);
	do {
		if (sysgenid_read(g, &now))
			return 2;
	} while (now == seen);
	draw("read", now);
	pthread_join(thread, NULL);
	sysgenid_close(g);
	return 0;
}
