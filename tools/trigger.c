// SPDX-License-Identifier: MIT
/* sysgenidctl trigger: make a new generation. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "entropy.h"
#include "sysgenidctl.h"

static int trigger(struct sysgenid *g, const struct entropy *e,
		   const uint32_t *expected, uint32_t *generation)
{
	uint32_t current;
	int r;

	if (expected)
		return sysgenid_trigger(g, *expected, e->bytes, e->len,
					generation);
	/* Whatever others do meanwhile, a new one was asked for. */
	do {
		r = sysgenid_read(g, &current);
		if (r)
			return r;
		r = sysgenid_trigger(g, current, e->bytes, e->len, generation);
	} while (r == -ESTALE);
	return r;
}

int cmd_trigger(int argc, char **argv)
{
	static const struct option options[] = {
		{ "entropy", required_argument, NULL, 'f' },
		{ "expected", required_argument, NULL, 'e' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, have_expected = false;
	uint32_t expected, generation;
	struct entropy e = { .len = 0 };
	struct sysgenid *g;
	int c, r;

	while ((c = getopt_long(argc, argv, "e:f:j", options, NULL)) != -1) {
		if (c == 'e') {
			have_expected = true;
			if (!parse_generation(optarg, &expected))
				return USAGE;
		} else if (c == 'f') {
			r = read_entropy(optarg, &e);
			if (r)
				return r;
		} else if (c == 'j') {
			json = true;
		} else {
			return USAGE;
		}
	}
	if (!no_operands(argc, argv))
		return USAGE;
	if (overseer_publishes())
		return have_expected ?
			       complain_usage(
				       "trigger: --expected takes " SYSGENID_DEVICE) :
			       trigger_overseer(&e, json);
	r = open_device(&g, false);
	if (r)
		return r;
	r = trigger(g, &e, have_expected ? &expected : NULL, &generation);
	sysgenid_close(g);
	if (r == -EACCES) {
		fprintf(stderr,
			"sysgenidctl: trigger: not permitted; it takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE: try it as root\n");
		return NOT_PERMITTED;
	}
	if (r && r != -ESTALE)
		return complain(r, "trigger");
	if (!r && !e.len)
		fprintf(stderr,
			"sysgenidctl: without --entropy, clones of one snapshot may go on to draw equal random bytes\n");
	if (json)
		printf("{\"generation\": %" PRIu32 ", \"published\": %s}\n",
		       generation, r ? "false" : "true");
	else
		printf("%" PRIu32 "\n", generation);
	return flush_output();
}
