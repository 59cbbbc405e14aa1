/* SPDX-License-Identifier: MIT */
#ifndef QUEUES_H
#define QUEUES_H

#include <stddef.h>

/*
 * Packets that wait to be sent are past the gate, and part of a snapshot: every clone
 * would send them. Looks at the devices of this network namespace that lead out of the
 * machine, but @open, which ends with NULL. 1: none waits; 0 and @why; or -errno.
 */
int queues_are_empty(char *const open[], char *why, size_t size);

#endif /* QUEUES_H */
