/* SPDX-License-Identifier: MIT */
#ifndef PUBLISHING_H
#define PUBLISHING_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "loop.h"

/* "publisher =": the overseer keeps the page file where there is no module. */
struct publishing;

typedef void published_fn(void *user);

/*
 * @published: is called for each new generation, and when a second reseed of the
 * current one failed. NULL after a complaint.
 */
struct publishing *publishing_new(struct loop *loop, enum publisher_kind kind,
				  published_fn *published, void *user);
/* Bytes that differ in each clone; the new generation. */
uint32_t publishing_trigger(struct publishing *p, const void *bytes,
			    size_t len);
/* At vmclock, whose event may be late; a new generation is published. */
void publishing_look(struct publishing *p);
/* NULL, or why clones may draw equal bytes in the current generation. */
const char *publishing_error(const struct publishing *p);
/* At a restart: the page stays, and the next publisher goes on with its count. */
void publishing_leave(struct publishing *p);
/* For good: who has the page mapped finds out. */
void publishing_end(struct publishing *p);

#endif /* PUBLISHING_H */
