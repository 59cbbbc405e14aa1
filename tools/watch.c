// SPDX-License-Identifier: MIT
/* sysgenidctl watch: a line for each new generation. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "sysgenidctl.h"

static int print(struct sysgenid *g, uint32_t *seen, bool json)
{
	struct sysgenid_info info;
	int r = sysgenid_get_info(g, &info, sizeof(info));

	if (r)
		return complain(r, "watch");
	*seen = info.generation;
	if (json)
		printf("{\"generation\": %" PRIu32
		       ", \"source\": \"%s\", \"time_ns\": %" PRIu64 "}\n",
		       info.generation, source_name(info.source), info.time);
	else
		printf("%" PRIu32 "\n", info.generation);
	return flush_output();
}

static int watch(struct sysgenid *g, uint32_t seen, uint32_t count, bool json)
{
	uint32_t lines = 0, now;
	int r;

	do {
		r = sysgenid_wait(g, seen, -1, &now);
		/* Stopped and continued. */
		if (r == -EINTR)
			continue;
		if (r)
			return complain(r, "watch");
		r = print(g, &seen, json);
		if (r)
			return r;
		lines++;
	} while (!count || lines < count);
	return DONE;
}

int cmd_watch(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "seen", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, have_seen = false;
	uint32_t seen = 0, count = 0;
	struct sysgenid *g;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:js:", options, NULL)) != -1) {
		if (c == 'c') {
			if (!parse_generation(optarg, &count))
				return USAGE;
		} else if (c == 'j') {
			json = true;
		} else if (c == 's') {
			have_seen = true;
			if (!parse_generation(optarg, &seen))
				return USAGE;
		} else {
			return USAGE;
		}
	}
	if (!no_operands(argc, argv))
		return USAGE;
	r = open_device(&g);
	if (r)
		return r;
	if (!have_seen)
		r = sysgenid_read(g, &seen);
	r = r ? complain(r, "watch") : watch(g, seen, count, json);
	sysgenid_close(g);
	return r;
}
