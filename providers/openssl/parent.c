// SPDX-License-Identifier: MIT
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "parent.h"

static unsigned int reseed_counter(const struct parent *p)
{
	unsigned int counter = 0;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_DRBG_PARAM_RESEED_COUNTER,
					  &counter),
		OSSL_PARAM_construct_end(),
	};

	if (p->lock && !p->lock(p->ctx))
		return 0;
	if (!p->get_params(p->ctx, params))
		counter = 0;
	if (p->unlock)
		p->unlock(p->ctx);
	return counter;
}

/* Of ours, a load: a lock that all threads share would be taken for each draw. */
static unsigned int count(const struct parent *p)
{
	if (p->additions)
		return __atomic_load_n(p->additions, __ATOMIC_ACQUIRE);
	return reseed_counter(p);
}

static void find_functions(struct parent *p, const OSSL_DISPATCH *f)
{
	for (; f && f->function_id; f++) {
		switch (f->function_id) {
		case OSSL_FUNC_RAND_ENABLE_LOCKING:
			p->enable_locking = OSSL_FUNC_rand_enable_locking(f);
			break;
		case OSSL_FUNC_RAND_LOCK:
			p->lock = OSSL_FUNC_rand_lock(f);
			break;
		case OSSL_FUNC_RAND_UNLOCK:
			p->unlock = OSSL_FUNC_rand_unlock(f);
			break;
		case OSSL_FUNC_RAND_GET_CTX_PARAMS:
			p->get_params = OSSL_FUNC_rand_get_ctx_params(f);
			break;
		case OSSL_FUNC_RAND_GET_SEED:
			p->get_seed = OSSL_FUNC_rand_get_seed(f);
			break;
		case OSSL_FUNC_RAND_CLEAR_SEED:
			p->clear_seed = OSSL_FUNC_rand_clear_seed(f);
			break;
		}
	}
}

void parent_set(struct parent *p, void *ctx, const OSSL_DISPATCH *calls,
		const unsigned int *additions)
{
	memset(p, 0, sizeof(*p));
	if (!ctx)
		return;
	find_functions(p, calls);
	if (!p->get_params || !p->get_seed || !p->clear_seed)
		return;
	p->ctx = ctx;
	p->additions = additions;
	/* A seed source, which hands on what it gets, counts nothing. */
	if (!additions && !reseed_counter(p))
		p->ctx = NULL;
}

bool parent_enable_locking(const struct parent *p)
{
	return !p->ctx || !p->enable_locking || p->enable_locking(p->ctx);
}

bool parent_has_moved(const struct parent *p)
{
	return p->ctx && count(p) != p->seen;
}

bool parent_draw(struct parent *p, unsigned char bytes[PARENT_BYTES])
{
	/* Before: what is added meanwhile is drawn the next time. */
	unsigned int seen = count(p);
	unsigned char *seed = NULL;
	size_t n;

	if (p->lock && !p->lock(p->ctx))
		return false;
	n = p->get_seed(p->ctx, &seed, PARENT_BYTES * 8, PARENT_BYTES,
			PARENT_BYTES, 0, (const unsigned char *)&p, sizeof(p));
	if (n == PARENT_BYTES)
		memcpy(bytes, seed, PARENT_BYTES);
	if (seed)
		p->clear_seed(p->ctx, seed, n);
	if (p->unlock)
		p->unlock(p->ctx);
	if (n != PARENT_BYTES)
		return false;
	p->seen = seen;
	return true;
}
