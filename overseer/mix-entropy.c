// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../tools/rng.h"
#include "mix-entropy.h"

int mix_entropy(const void *bytes, size_t len, char *why, size_t size)
{
	const int fd = rng_open();
	int r;

	if (fd < 0) {
		snprintf(why, size, "/dev/urandom");
		return fd;
	}
	r = rng_mix(fd, bytes, len);
	if (!r)
		r = rng_reseed(fd);
	close(fd);
	if (r)
		snprintf(why, size, "the kernel's random generator");
	else if (rng_external()) {
		snprintf(
			why, size,
			"programs get their bytes from a generator that no reseed reaches");
		r = -EOPNOTSUPP;
	}
	return r;
}
