// SPDX-License-Identifier: MIT
/*
 * Hands out five unique ids for each SIGUSR1, also in clones of this machine.
 * Check, draw, check again, and draw anew if the machine was resumed as another
 * one. Compare ids-plain.c.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <sysgenid.h>

#include "generator.h"

static struct sysgenid *sysgenid;
static const struct sysgenid_view *view;
static uint32_t seen; /* the generation that the generator was seeded in */
static struct generator generator;

static void adjust(void)
{
	do {
		/* The kernel's generator is reseeded when this returns. */
		if (sysgenid_read(sysgenid, &seen))
			abort();
		generator_seed(&generator);
	} while (sysgenid_changed(view, seen));
}

static uint64_t next_id(void)
{
	uint64_t id;

	if (sysgenid_changed(view, seen))
		adjust();
	/* The snapshot may fall behind the draw: the id was given twice then. */
	while (id = generator_next(&generator), sysgenid_changed(view, seen))
		adjust();
	return id;
}

int main(void)
{
	sigset_t set;
	int i, ret, signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);

	ret = sysgenid_open(&sysgenid, 0);
	if (ret) {
		fprintf(stderr, "sysgenid: %s\n", strerror(-ret));
		return 1;
	}
	view = sysgenid_get_view(sysgenid);
	adjust();
	puts("ready");
	fflush(stdout);
	while (!sigwait(&set, &signal)) {
		for (i = 0; i < 5; i++)
			printf("%016" PRIx64 "%c", next_id(),
			       i < 4 ? ' ' : '\n');
		fflush(stdout);
	}
	return 1;
}
