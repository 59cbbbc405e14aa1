/* SPDX-License-Identifier: MIT */
#ifndef RNG_H
#define RNG_H

#include <stdbool.h>
#include <stddef.h>

#define RNG_MIX_MAX 512

/* A descriptor or -errno; 0 or -errno. */
int rng_open(void);
int rng_mix(int fd, const void *bytes, size_t len);
int rng_reseed(int fd);
/*
 * Do programs get their bytes from another generator, which no reseed reaches? Also
 * if that cannot be found out.
 */
bool rng_external(void);

#endif /* RNG_H */
