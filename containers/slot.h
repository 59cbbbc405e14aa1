/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_SLOT_H
#define CONTAINERS_SLOT_H

#include <stddef.h>
#include <stdint.h>

#include "policy.h"

#ifndef SLOT_DIRECTORY
#define SLOT_DIRECTORY "/run/sysgenid/policy"
#endif

/*
 * The policy that was set for @generation, or for an earlier one and inherits.
 * NULL: @why says why there is none. The signature was verified when it was set.
 */
struct policy *slot_read(uint32_t generation, char *why, size_t size);
/*
 * Sets it, once for each generation. 0, or -errno; -EEXIST: another one is set.
 * A set that fails leaves nothing.
 */
int slot_set(uint32_t generation, const char *text, size_t len);

#endif /* CONTAINERS_SLOT_H */
