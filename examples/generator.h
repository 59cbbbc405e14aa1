/* SPDX-License-Identifier: MIT */
/*
 * The kind of generator that programs keep to themselves: seeded once from the
 * kernel, and from then on only memory (SplitMix64). A snapshot copies it.
 */
#ifndef EXAMPLES_GENERATOR_H
#define EXAMPLES_GENERATOR_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

struct generator {
	uint64_t state;
};

static inline void generator_seed(struct generator *g)
{
	if (getrandom(&g->state, sizeof(g->state), 0) != sizeof(g->state))
		abort();
}

static inline uint64_t generator_next(struct generator *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

#endif /* EXAMPLES_GENERATOR_H */
