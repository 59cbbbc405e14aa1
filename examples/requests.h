/* SPDX-License-Identifier: MIT */
/*
 * What the examples have in place of a network and a log: each SIGUSR1 is a
 * request.
 */
#ifndef EXAMPLES_REQUESTS_H
#define EXAMPLES_REQUESTS_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static inline sigset_t requests_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return set;
}

/* Goes before the first thread, so that no other one gets the signal. */
static inline void requests_start(void)
{
	sigset_t set = requests_set();

	sigprocmask(SIG_BLOCK, &set, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static inline bool request_next(void)
{
	static bool ready;
	sigset_t set = requests_set();
	int signal;

	if (!ready)
		puts("ready");
	ready = true;
	return !sigwait(&set, &signal);
}

/* What main() returns. */
static inline int failed(int ret)
{
	fprintf(stderr, "sysgenid: %s\n", strerror(-ret));
	return 1;
}

#endif /* EXAMPLES_REQUESTS_H */
