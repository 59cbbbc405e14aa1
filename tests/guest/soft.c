// SPDX-License-Identifier: MIT
/*
 * soft: a program that takes a page file for a device. Two threads look for a
 * new generation, one by sysgenid_wait(), one at the page alone. Each draws bytes
 * from the kernel the moment it finds one. The program says "ready", then for each
 * generation "read GENERATION HEX" and "mapped GENERATION HEX". When the publisher
 * ends it says "ended ERRNO", and "check N" with what the check says then. Another
 * "check N" follows if that changes: the page is moved on after it is given up.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include <sysgenid.h>

#include "draw.h"

static struct sysgenid *g;

static void *watch_mapped(void *seen)
{
	const struct sysgenid_view *v = sysgenid_get_view(g);
	uint32_t last = *(uint32_t *)seen;

	for (;;) {
		while (!sysgenid_changed(v, last))
			usleep(1000);
		last = *(const volatile uint32_t *)v->generation;
		draw("mapped", last);
	}
	return NULL;
}

int main(void)
{
	static uint32_t seen;
	uint32_t last;
	pthread_t thread;
	int r = sysgenid_open(&g, SYSGENID_OPEN_SOFT);

	if (r) {
		printf("open %d\n", -r);
		return 1;
	}
	/* Whoever is nobody cannot, and need not. */
	reseed();
	if (sysgenid_read(g, &seen))
		return 2;
	last = seen;
	pthread_create(&thread, NULL, watch_mapped, &seen);
	puts("ready");
	fflush(stdout);
	while (!(r = sysgenid_wait(g, last, -1, &last)))
		draw("read", last);
	printf("ended %d\n", -r);
	for (int before = -1, now;; before = now, usleep(1000)) {
		now = sysgenid_changed(sysgenid_get_view(g), last);
		if (now != before)
			printf("check %d\n", now);
		fflush(stdout);
	}
}
