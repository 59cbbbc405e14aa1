// SPDX-License-Identifier: MIT
/*
 * Hands out five "unique" ids for each SIGUSR1, as so many programs do: from a
 * generator that was seeded at the start. In two clones these are the same ids.
 * Compare ids.c.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "generator.h"

int main(void)
{
	struct generator generator;
	sigset_t set;
	int i, signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);

	generator_seed(&generator);
	puts("ready");
	fflush(stdout);
	while (!sigwait(&set, &signal)) {
		for (i = 0; i < 5; i++)
			printf("%016" PRIx64 "%c", generator_next(&generator),
			       i < 4 ? ' ' : '\n');
		fflush(stdout);
	}
	return 1;
}
