// SPDX-License-Identifier: MIT
/*
 * A stock CTR-DRBG that is seeded by the kernel, and again when the generation
 * has changed. The stock generator below has no parent: a draw has to see the
 * change itself. The stock way, to ask the parent once in a while, is thousands
 * of draws late. What a program gives to the parent is added here.
 *
 * Bytes are handed out only if the generation is the one that they were drawn
 * in, also at the end; else they are drawn again.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "drbg.h"
#include "parent.h"

struct drbg {
	struct provider *provider;
	const struct stock *stock;
	void *ctx;
	CRYPTO_RWLOCK *lock;
	struct parent parent;
	/* How often a program has given this one something. */
	unsigned int additions;
	/* NULL where there is no device: nothing is promised, nothing checked. */
	struct handle *handle;
	uint32_t seen;
	/*
	 * There is a device that cannot be asked. Then what is in our memory
	 * is not relied upon: each draw begins with bytes of the kernel.
	 */
	bool blind;
};

/*
 * All at once, though the stock generator takes a request in pieces. A restore
 * could come between two pieces, and the first would be from before.
 */
#define MAX_REQUEST ((size_t)1 << 30)

/* No lock, for the same reason as in handle.h. */
static const struct stock *stock_of(struct provider *p)
{
	struct stock *there = __atomic_load_n(&p->stock, __ATOMIC_ACQUIRE);
	struct stock *fresh;

	if (there)
		return there;
	fresh = stock_new(p->libctx);
	if (!fresh ||
	    __atomic_compare_exchange_n(&p->stock, &there, fresh, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fresh;
	stock_free(fresh);
	return there;
}

static void *drbg_new(void *provctx, void *parent, const OSSL_DISPATCH *calls)
{
	struct drbg *d = calloc(1, sizeof(*d));
	const struct drbg *ours = calls == drbg_functions ? parent : NULL;

	if (!d)
		return NULL;
	parent_set(&d->parent, parent, calls, ours ? &ours->additions : NULL);
	d->provider = provctx;
	d->stock = stock_of(d->provider);
	if (d->stock)
		d->ctx = d->stock->new (d->stock->provctx, NULL, NULL);
	if (!d->ctx) {
		free(d);
		return NULL;
	}
	return d;
}

static void drbg_free(void *vctx)
{
	struct drbg *d = vctx;

	if (!d)
		return;
	d->stock->free(d->ctx);
	handle_put(d->handle);
	CRYPTO_THREAD_lock_free(d->lock);
	free(d);
}

/* The generation that the bytes of the kernel drawn from now on are of. */
static bool learn(struct drbg *d)
{
	struct handles *handles = d->provider->handles;
	bool absent;

	if (!d->handle) {
		d->handle = handle_get(handles, &absent);
		if (!d->handle) {
			d->blind = !absent;
			return true;
		}
	}
	d->blind = !handle_read(handles, &d->handle, &d->seen);
	return !d->blind || handle_await(d->handle, &d->seen);
}

static bool is_stale(const struct drbg *d)
{
	return d->handle && handle_changed(d->handle, d->seen);
}

/* Where the mapped check may be late, who asks the kernel is not. */
static bool has_become_stale(struct drbg *d)
{
	uint32_t now;

	if (!d->handle)
		return false;
	if (is_stale(d))
		return true;
	if (d->blind || handle_is_exact(d->handle))
		return false;
	if (handle_read(d->provider->handles, &d->handle, &now))
		return now != d->seen;
	/* In a child of a fork, for example, that cannot open the device. */
	d->blind = true;
	return true;
}

/* @head and what the parent has to add: to be freed, with its length. NULL at a failure. */
static unsigned char *with_addition(struct drbg *d, const unsigned char *head,
				    size_t *len)
{
	size_t all = *len + PARENT_BYTES;
	unsigned char *bytes = OPENSSL_malloc(all);

	if (!bytes)
		return NULL;
	if (*len)
		memcpy(bytes, head, *len);
	if (!parent_draw(&d->parent, bytes + *len)) {
		OPENSSL_clear_free(bytes, all);
		return NULL;
	}
	*len = all;
	return bytes;
}

static void note_addition(struct drbg *d)
{
	__atomic_fetch_add(&d->additions, 1, __ATOMIC_RELEASE);
}

/* Of the kernel, and of @adin. */
static bool reseed(struct drbg *d, int prediction_resistance,
		   const unsigned char *ent, size_t ent_len,
		   const unsigned char *adin, size_t adin_len)
{
	unsigned char *more = NULL;
	bool ok;

	if (parent_has_moved(&d->parent)) {
		more = with_addition(d, adin, &adin_len);
		if (!more)
			return false;
		adin = more;
	}
	ok = learn(d) && d->stock->reseed(d->ctx, prediction_resistance, ent,
					  ent_len, adin, adin_len);
	if (ok && more)
		note_addition(d);
	OPENSSL_clear_free(more, adin_len);
	return ok;
}

static bool renew(struct drbg *d)
{
	return reseed(d, 0, NULL, 0, NULL, 0);
}

/* By these OpenSSL found us; the stock generator would look for its cipher there. */
static bool is_about_us(const char *key)
{
	return !OPENSSL_strcasecmp(key, OSSL_DRBG_PARAM_PROPERTIES) ||
	       !OPENSSL_strcasecmp(key, OSSL_PROV_PARAM_CORE_PROV_NAME);
}

static int set_stock_params(struct drbg *d, const OSSL_PARAM params[])
{
	static char properties[] = STOCK_PROPERTIES;
	OSSL_PARAM kept[16];
	size_t n = 1;

	if (!params)
		return 1;
	kept[0] = OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_PROPERTIES,
						   properties, 0);
	for (; params->key; params++) {
		if (is_about_us(params->key))
			continue;
		if (n == sizeof(kept) / sizeof(kept[0]) - 1)
			return 0;
		kept[n++] = *params;
	}
	kept[n] = OSSL_PARAM_construct_end();
	return n == 1 || d->stock->set_params(d->ctx, kept);
}

static int drbg_instantiate(void *vctx, unsigned int strength,
			    int prediction_resistance,
			    const unsigned char *pstr, size_t pstr_len,
			    const OSSL_PARAM params[])
{
	struct drbg *d = vctx;
	unsigned char *more = NULL;
	bool ok;

	if (!set_stock_params(d, params))
		return 0;
	/* What was added before there was a child is not lost either. */
	if (parent_has_moved(&d->parent)) {
		more = with_addition(d, pstr, &pstr_len);
		if (!more)
			return 0;
		pstr = more;
	}
	ok = learn(d) &&
	     d->stock->instantiate(d->ctx, strength, prediction_resistance,
				   pstr, pstr_len, NULL);
	OPENSSL_clear_free(more, pstr_len);
	return ok;
}

static int drbg_uninstantiate(void *vctx)
{
	struct drbg *d = vctx;

	return d->stock->uninstantiate(d->ctx);
}

/* What the stock generator hands out at once. */
#define STOCK_REQUEST ((size_t)1 << 16)

static int stock_generate(struct drbg *d, unsigned char *out, size_t outlen,
			  unsigned int strength, int prediction_resistance,
			  const unsigned char *adin, size_t adin_len)
{
	while (outlen) {
		size_t n = outlen < STOCK_REQUEST ? outlen : STOCK_REQUEST;

		if (!d->stock->generate(d->ctx, out, n, strength,
					prediction_resistance, adin, adin_len))
			return 0;
		/* What the first piece began with is in the next ones, too. */
		prediction_resistance = 0;
		out += n;
		outlen -= n;
	}
	return 1;
}

static int drbg_generate(void *vctx, unsigned char *out, size_t outlen,
			 unsigned int strength, int prediction_resistance,
			 const unsigned char *adin, size_t adin_len)
{
	struct drbg *d = vctx;

	for (;;) {
		if ((is_stale(d) || parent_has_moved(&d->parent)) && !renew(d))
			return 0;
		if (!stock_generate(d, out, outlen, strength,
				    prediction_resistance || d->blind, adin,
				    adin_len))
			return 0;
		if (!has_become_stale(d))
			return 1;
		OPENSSL_cleanse(out, outlen);
		if (!renew(d))
			return 0;
	}
}

static int drbg_reseed(void *vctx, int prediction_resistance,
		       const unsigned char *ent, size_t ent_len,
		       const unsigned char *adin, size_t adin_len)
{
	struct drbg *d = vctx;

	if (!reseed(d, prediction_resistance, ent, ent_len, adin, adin_len))
		return 0;
	note_addition(d);
	return 1;
}

/* For a generator that has this one for its parent. */
static size_t drbg_get_seed(void *vctx, unsigned char **seed, int entropy,
			    size_t min_len, size_t max_len,
			    int prediction_resistance,
			    const unsigned char *adin, size_t adin_len)
{
	size_t len = entropy > 0 ? ((size_t)entropy + 7) / 8 : 0;
	unsigned char *bytes;

	if (len < min_len)
		len = min_len;
	if (len > max_len)
		return 0;
	bytes = OPENSSL_secure_malloc(len);
	if (!bytes)
		return 0;
	if (!drbg_generate(vctx, bytes, len, 0, prediction_resistance, adin,
			   adin_len)) {
		OPENSSL_secure_clear_free(bytes, len);
		return 0;
	}
	*seed = bytes;
	return len;
}

static void drbg_clear_seed(void *vctx, unsigned char *seed, size_t len)
{
	(void)vctx;
	OPENSSL_secure_clear_free(seed, len);
}

static int drbg_enable_locking(void *vctx)
{
	struct drbg *d = vctx;

	if (!parent_enable_locking(&d->parent))
		return 0;
	if (!d->lock)
		d->lock = CRYPTO_THREAD_lock_new();
	return d->lock != NULL;
}

static int drbg_lock(void *vctx)
{
	struct drbg *d = vctx;

	return !d->lock || CRYPTO_THREAD_write_lock(d->lock);
}

static void drbg_unlock(void *vctx)
{
	struct drbg *d = vctx;

	if (d->lock)
		CRYPTO_THREAD_unlock(d->lock);
}

static const OSSL_PARAM *drbg_gettable(void *vctx, void *provctx)
{
	const struct stock *s = stock_of(provctx);

	(void)vctx;
	return s ? s->gettable(NULL, s->provctx) : NULL;
}

static const OSSL_PARAM *drbg_settable(void *vctx, void *provctx)
{
	const struct stock *s = stock_of(provctx);

	(void)vctx;
	return s ? s->settable(NULL, s->provctx) : NULL;
}

static bool is_ready(struct drbg *d)
{
	int state = EVP_RAND_STATE_UNINITIALISED;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_RAND_PARAM_STATE, &state),
		OSSL_PARAM_construct_end(),
	};

	return d->stock->get_params(d->ctx, params) &&
	       state == EVP_RAND_STATE_READY;
}

static int drbg_get_params(void *vctx, OSSL_PARAM params[])
{
	struct drbg *d = vctx;
	OSSL_PARAM *max =
		OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);

	/* OpenSSL asks this, and this alone, before each draw. */
	if (max && max == params && !params[1].key)
		return OSSL_PARAM_set_size_t(max, MAX_REQUEST);
	/* By this a child of ours finds that it has to reseed. */
	if (OSSL_PARAM_locate(params, OSSL_DRBG_PARAM_RESEED_COUNTER) &&
	    is_ready(d) &&
	    (has_become_stale(d) || parent_has_moved(&d->parent)) && !renew(d))
		return 0;
	return d->stock->get_params(d->ctx, params) &&
	       (!max || OSSL_PARAM_set_size_t(max, MAX_REQUEST));
}

static int drbg_set_params(void *vctx, const OSSL_PARAM params[])
{
	return set_stock_params(vctx, params);
}

static int drbg_verify_zeroization(void *vctx)
{
	struct drbg *d = vctx;

	return d->stock->verify_zeroization(d->ctx);
}

#define F(number, function)                      \
	{                                        \
		number, (void (*)(void))function \
	}

const OSSL_DISPATCH drbg_functions[] = {
	F(OSSL_FUNC_RAND_NEWCTX, drbg_new),
	F(OSSL_FUNC_RAND_FREECTX, drbg_free),
	F(OSSL_FUNC_RAND_INSTANTIATE, drbg_instantiate),
	F(OSSL_FUNC_RAND_UNINSTANTIATE, drbg_uninstantiate),
	F(OSSL_FUNC_RAND_GENERATE, drbg_generate),
	F(OSSL_FUNC_RAND_RESEED, drbg_reseed),
	F(OSSL_FUNC_RAND_GET_SEED, drbg_get_seed),
	F(OSSL_FUNC_RAND_CLEAR_SEED, drbg_clear_seed),
	F(OSSL_FUNC_RAND_ENABLE_LOCKING, drbg_enable_locking),
	F(OSSL_FUNC_RAND_LOCK, drbg_lock),
	F(OSSL_FUNC_RAND_UNLOCK, drbg_unlock),
	F(OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, drbg_gettable),
	F(OSSL_FUNC_RAND_GET_CTX_PARAMS, drbg_get_params),
	F(OSSL_FUNC_RAND_SETTABLE_CTX_PARAMS, drbg_settable),
	F(OSSL_FUNC_RAND_SET_CTX_PARAMS, drbg_set_params),
	F(OSSL_FUNC_RAND_VERIFY_ZEROIZATION, drbg_verify_zeroization),
	{ 0, NULL },
};
