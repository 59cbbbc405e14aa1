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
		   const uint32_t *expected, uint32_t least,
		   uint32_t *generation)
{
	uint32_t current;
	int r;

	if (expected)
		return sysgenid_trigger_least(g, *expected, least, e->bytes,
					      e->len, generation);
	/* Whatever others do meanwhile, a new one was asked for. */
	do {
		r = sysgenid_read(g, &current);
		if (r)
			return r;
		r = sysgenid_trigger_least(g, current, least, e->bytes, e->len,
					   generation);
	} while (r == -ESTALE);
	return r;
}

/* A living publisher, and no device that could be triggered. */
static bool publisher_runs_alone(void)
{
	struct sysgenid *g;
	bool alone;

	if (sysgenid_open(&g, SYSGENID_OPEN_SOFT))
		return false;
	alone = sysgenid_get_fd(g) == -EOPNOTSUPP;
	sysgenid_close(g);
	return alone;
}

int cmd_trigger(int argc, char **argv)
{
	static const struct option options[] = {
		{ "entropy", required_argument, NULL, 'f' },
		{ "expected", required_argument, NULL, 'e' },
		{ "json", no_argument, NULL, 'j' },
		{ "least", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, have_expected = false;
	uint32_t expected, least = 0, generation;
	struct entropy e = { .len = 0 };
	struct sysgenid *g;
	int c, r;

	while ((c = getopt_long(argc, argv, "e:f:jl:", options, NULL)) != -1) {
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
		} else if (c == 'l') {
			if (!parse_generation(optarg, &least))
				return USAGE;
		} else {
			return USAGE;
		}
	}
	if (!no_operands(argc, argv))
		return USAGE;
	if (overseer_publishes()) {
		if (have_expected || least)
			return complain_usage(
				"trigger: --expected and --least take " SYSGENID_DEVICE);
		if (!e.len)
			return complain_usage(
				"trigger: without " SYSGENID_DEVICE
				" --entropy FILE is needed: bytes that differ in each clone");
		return trigger_overseer(&e, json);
	}
	if (publisher_runs_alone()) {
		fprintf(stderr,
			"sysgenidctl: trigger: the generations here come from \"sysgenidctl publish\": write a line of bytes that differ in each clone to its standard input\n");
		return NO_DEVICE;
	}
	r = open_device(&g, false);
	if (r)
		return r;
	r = trigger(g, &e, have_expected ? &expected : NULL, least,
		    &generation);
	sysgenid_close(g);
	if (r == -EACCES) {
		fprintf(stderr,
			"sysgenidctl: trigger: not permitted; it takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE: try it as root\n");
		return NOT_PERMITTED;
	}
	if (r == -E2BIG && least) {
		fprintf(stderr,
			"sysgenidctl: trigger: the module that is loaded does not have --least; load the newer one\n");
		return FAILED;
	}
	if (r == -ERANGE) {
		fprintf(stderr,
			"sysgenidctl: trigger: --least %" PRIu32
			" is 4294967295, or 2147483648 or more above the current generation\n",
			least);
		return FAILED;
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
