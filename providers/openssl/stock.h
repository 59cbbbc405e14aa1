/* SPDX-License-Identifier: MIT */
#ifndef STOCK_H
#define STOCK_H

#include <stdbool.h>

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>

/*
 * The stock generator's own functions, called without OpenSSL's layer between,
 * which would ask it for its limits before each draw.
 */
struct stock {
	void *provctx;
	OSSL_FUNC_rand_newctx_fn *new;
	OSSL_FUNC_rand_freectx_fn *free;
	OSSL_FUNC_rand_instantiate_fn *instantiate;
	OSSL_FUNC_rand_uninstantiate_fn *uninstantiate;
	OSSL_FUNC_rand_generate_fn *generate;
	OSSL_FUNC_rand_reseed_fn *reseed;
	OSSL_FUNC_rand_gettable_ctx_params_fn *gettable;
	OSSL_FUNC_rand_get_ctx_params_fn *get_params;
	OSSL_FUNC_rand_settable_ctx_params_fn *settable;
	OSSL_FUNC_rand_set_ctx_params_fn *set_params;
	OSSL_FUNC_rand_verify_zeroization_fn *verify_zeroization;
};

/* False if the provider has no CTR-DRBG, or one that lacks a function. */
bool stock_find(struct stock *s, OSSL_PROVIDER *provider);

#endif /* STOCK_H */
