/* SPDX-License-Identifier: MIT */
#ifndef PARENT_H
#define PARENT_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/core_dispatch.h>

/*
 * The generator above one of ours, which is no source of entropy: that is the
 * kernel. But what a program adds with RAND_add(), RAND_seed() or RAND_poll()
 * goes to the primary generator alone, and has to reach those below it.
 */
struct parent {
	/* NULL if there is none, or one that nothing can be added to. */
	void *ctx;
	/* Of a generator of ours: how often it was given something. */
	const unsigned int *additions;
	OSSL_FUNC_rand_enable_locking_fn *enable_locking;
	OSSL_FUNC_rand_lock_fn *lock;
	OSSL_FUNC_rand_unlock_fn *unlock;
	OSSL_FUNC_rand_get_ctx_params_fn *get_params;
	OSSL_FUNC_rand_get_seed_fn *get_seed;
	OSSL_FUNC_rand_clear_seed_fn *clear_seed;
	/* The count whose bytes its child has. */
	unsigned int seen;
};

#define PARENT_BYTES 32

/* @additions as above, or NULL. */
void parent_set(struct parent *p, void *ctx, const OSSL_DISPATCH *calls,
		const unsigned int *additions);
bool parent_enable_locking(const struct parent *p);
/* Whether it was reseeded since parent_draw(). */
bool parent_has_moved(const struct parent *p);
/* Bytes that depend on all that it was given. */
bool parent_draw(struct parent *p, unsigned char bytes[PARENT_BYTES]);

#endif /* PARENT_H */
