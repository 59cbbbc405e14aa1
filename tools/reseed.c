// SPDX-License-Identifier: MIT
/*
 * sysgenidctl reseed: bytes for the kernel's random generator, and a new key of
 * it. No generation is made, so nobody has to adjust.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "entropy.h"
#include "rng.h"
#include "sysgenidctl.h"

static int reseed(const struct entropy *e)
{
	int rng = rng_open(), r;

	if (rng < 0)
		return rng;
	r = rng_mix(rng, e->bytes, e->len);
	if (!r)
		r = rng_reseed(rng);
	close(rng);
	return r;
}

int cmd_reseed(int argc, char **argv)
{
	static const struct option options[] = {
		{ "entropy", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct entropy e = { .len = 0 };
	bool json = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "f:j", options, NULL)) != -1) {
		if (c == 'f') {
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
	if (!e.len)
		return complain_usage("reseed: it takes --entropy FILE");
	r = reseed(&e);
	if (r)
		return complain(r, "/dev/urandom");
	if (rng_external()) {
		fputs("sysgenidctl: reseed: programs get random bytes from a generator that cannot be reseeded (FIPS mode): boot without fips=1, or never clone this machine\n",
		      stderr);
		return FAILED;
	}
	if (json)
		puts("{\"reseeded\": true}");
	return flush_output();
}
