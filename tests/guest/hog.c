// SPDX-License-Identifier: MIT
/*
 * hog PRIORITY SECONDS: a real-time task that never sleeps, on the processors that
 * taskset(1) left it. Says "ready" a second before it begins.
 */
#define _GNU_SOURCE
#include <time.h>

#include "realtime.h"

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

int main(int argc, char **argv)
{
	long end;

	if (argc != 3)
		return 2;
	puts("ready");
	fflush(stdout);
	be_realtime(argv[1]);
	end = now() + atol(argv[2]);
	while (now() < end)
		;
	return 0;
}
