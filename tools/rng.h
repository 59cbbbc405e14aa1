/* SPDX-License-Identifier: MIT */
#ifndef RNG_H
#define RNG_H

#include <stddef.h>

#define RNG_MIX_MAX 512

/* A descriptor or -errno; 0 or -errno. */
int rng_open(void);
int rng_mix(int fd, const void *bytes, size_t len);
int rng_reseed(int fd);

#endif /* RNG_H */
