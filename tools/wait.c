// SPDX-License-Identifier: MIT
/* sysgenidctl wait: sleep until there is a new generation. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "sysgenidctl.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Being stopped and continued ends a sleep, but not the time that is left. */
static int wait_on(struct sysgenid *g, uint32_t seen, int timeout_ms,
		   uint32_t *generation)
{
	int64_t end = now_ms() + timeout_ms;
	int r;

	while ((r = sysgenid_wait(g, seen, timeout_ms, generation)) == -EINTR) {
		int64_t left = end - now_ms();

		if (timeout_ms >= 0)
			timeout_ms = left > 0 ? (int)left : 0;
	}
	return r;
}

int cmd_wait(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "seen", required_argument, NULL, 's' },
		{ "soft", no_argument, NULL, 'S' },
		{ "timeout", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, soft = false, have_seen = false;
	uint32_t seen = 0, generation;
	int c, r, timeout_ms = -1;
	struct sysgenid *g;

	while ((c = getopt_long(argc, argv, "js:St:", options, NULL)) != -1) {
		if (c == 'j') {
			json = true;
		} else if (c == 'S') {
			soft = true;
		} else if (c == 's') {
			have_seen = true;
			if (!parse_generation(optarg, &seen))
				return USAGE;
		} else if (c == 't') {
			if (!parse_seconds(optarg, &timeout_ms))
				return USAGE;
		} else {
			return USAGE;
		}
	}
	if (!no_operands(argc, argv))
		return USAGE;
	r = open_device(&g, soft);
	if (r)
		return r;
	if (!have_seen)
		r = sysgenid_read(g, &seen);
	if (!r)
		r = wait_on(g, seen, timeout_ms, &generation);
	sysgenid_close(g);
	if (json && (!r || r == -ETIMEDOUT))
		printf("{\"generation\": %" PRIu32 ", \"timed_out\": %s}\n",
		       r ? seen : generation, r ? "true" : "false");
	else if (!r)
		printf("%" PRIu32 "\n", generation);
	if (r)
		return fflush(stdout) ? FAILED : complain(r, "wait");
	return flush_output();
}
