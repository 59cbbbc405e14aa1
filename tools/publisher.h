/* SPDX-License-Identifier: MIT */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "page.h"

/*
 * @external: see rng_external().
 * @mixed, @error: about the generation to come.
 */
struct publisher {
	struct page_file file;
	int rng;
	bool external;
	bool mixed;
	int error;
};

/*
 * 0, or -errno and a sentence that says what to do. The sentence is NULL if the
 * errno of the directory says it all. -EACCES: the caller needs more rights.
 */
int publisher_open(struct publisher *p, const char **why);
/* Bytes that differ in each clone, at most RNG_MIX_MAX at once. */
void publisher_mix(struct publisher *p, const void *bytes, size_t len);
/*
 * Reseed, then publish. @warning: NULL, or why clones may draw equal bytes all the
 * same. @failed: whether the generator could not be reseeded.
 */
uint32_t publisher_publish(struct publisher *p, const char **warning,
			   bool *failed);
/* To be called a second after that. 0, or -errno: clones may draw equal bytes. */
int publisher_settle(const struct publisher *p);
/* Whoever has the page mapped finds out. */
void publisher_close(struct publisher *p);

#endif /* PUBLISHER_H */
