/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_READY_H
#define CONTAINERS_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The machine is ready at *@generation: the overseer says so, and the device
 * says the same generation afterwards. @overseer false: only the device is
 * asked. False: @why says what is not so.
 */
bool ready_now(bool overseer, uint32_t *generation, char *why, size_t size);
/* What the device says, ready or not. */
bool ready_generation(uint32_t *generation, char *why, size_t size);
/* The same as ready_now(), at most @seconds later. */
bool ready_soon(bool overseer, unsigned int seconds, uint32_t *generation,
		char *why, size_t size);
/* Whether the machine is ready still, or again, at that very generation. */
bool ready_at(bool overseer, uint32_t generation, char *why, size_t size);

#endif /* CONTAINERS_READY_H */
