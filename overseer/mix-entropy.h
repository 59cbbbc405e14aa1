/* SPDX-License-Identifier: MIT */
#ifndef MIX_ENTROPY_H
#define MIX_ENTROPY_H

#include <stddef.h>

/*
 * Bytes of the host into the kernel's random generator, which draws a new key. No new
 * generation: programs that have drawn already drew well. 0; or -errno and @why.
 */
int mix_entropy(const void *bytes, size_t len, char *why, size_t size);

#endif /* MIX_ENTROPY_H */
