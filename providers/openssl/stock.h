/* SPDX-License-Identifier: MIT */
#ifndef STOCK_H
#define STOCK_H

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

/*
 * The stock generator's own functions, called without OpenSSL's layer between,
 * which would ask it for its limits before each draw.
 */
struct stock {
	/* The program's default provider lives as long as this; or else it is one of our own. */
	EVP_RAND *borrowed;
	OSSL_LIB_CTX *own_libctx;
	OSSL_PROVIDER *own_provider;
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

/*
 * That of @libctx if it has one. A library context of our own would name all
 * algorithms anew, which is a fifth of what a short program does. Callers pass
 * NULL for the context of another libcrypto than ours. The result is NULL if
 * there is no CTR-DRBG, or if one of its functions is missing.
 */
struct stock *stock_new(OSSL_LIB_CTX *libctx);
void stock_free(struct stock *s);

/* For its cipher, whatever default properties the program has set. */
#define STOCK_PROPERTIES "provider=default,-fips"

#endif /* STOCK_H */
