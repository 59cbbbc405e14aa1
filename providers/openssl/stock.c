// SPDX-License-Identifier: MIT
/* Where the functions of the stock CTR-DRBG are, and that they stay there. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "stock.h"

#define NAME "CTR-DRBG"

/* Of names with colons between, as providers give them. */
static bool has_name(const char *names)
{
	for (; *names; names += strcspn(names, ":"), names += *names == ':') {
		size_t len = strcspn(names, ":");

		if (len == strlen(NAME) && !strncasecmp(names, NAME, len))
			return true;
	}
	return false;
}

static const OSSL_DISPATCH *find_algorithm(OSSL_PROVIDER *provider)
{
	const OSSL_ALGORITHM *a;
	int no_cache;

	a = OSSL_PROVIDER_query_operation(provider, OSSL_OP_RAND, &no_cache);
	for (; a && a->algorithm_names; a++) {
		if (has_name(a->algorithm_names))
			return a->implementation;
	}
	return NULL;
}

/* False if a function is missing. */
static bool find_functions(struct stock *s, OSSL_PROVIDER *provider)
{
	const OSSL_DISPATCH *f = find_algorithm(provider);

	s->provctx = OSSL_PROVIDER_get0_provider_ctx(provider);
	for (; f && f->function_id; f++) {
		switch (f->function_id) {
		case OSSL_FUNC_RAND_NEWCTX:
			s->new = OSSL_FUNC_rand_newctx(f);
			break;
		case OSSL_FUNC_RAND_FREECTX:
			s->free = OSSL_FUNC_rand_freectx(f);
			break;
		case OSSL_FUNC_RAND_INSTANTIATE:
			s->instantiate = OSSL_FUNC_rand_instantiate(f);
			break;
		case OSSL_FUNC_RAND_UNINSTANTIATE:
			s->uninstantiate = OSSL_FUNC_rand_uninstantiate(f);
			break;
		case OSSL_FUNC_RAND_GENERATE:
			s->generate = OSSL_FUNC_rand_generate(f);
			break;
		case OSSL_FUNC_RAND_RESEED:
			s->reseed = OSSL_FUNC_rand_reseed(f);
			break;
		case OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS:
			s->gettable = OSSL_FUNC_rand_gettable_ctx_params(f);
			break;
		case OSSL_FUNC_RAND_GET_CTX_PARAMS:
			s->get_params = OSSL_FUNC_rand_get_ctx_params(f);
			break;
		case OSSL_FUNC_RAND_SETTABLE_CTX_PARAMS:
			s->settable = OSSL_FUNC_rand_settable_ctx_params(f);
			break;
		case OSSL_FUNC_RAND_SET_CTX_PARAMS:
			s->set_params = OSSL_FUNC_rand_set_ctx_params(f);
			break;
		case OSSL_FUNC_RAND_VERIFY_ZEROIZATION:
			s->verify_zeroization =
				OSSL_FUNC_rand_verify_zeroization(f);
			break;
		}
	}
	return s->new && s->free && s->instantiate && s->uninstantiate &&
	       s->generate && s->reseed && s->gettable && s->get_params &&
	       s->settable && s->set_params && s->verify_zeroization;
}

static bool borrow(struct stock *s, OSSL_LIB_CTX *libctx)
{
	if (!libctx)
		return false;
	ERR_set_mark();
	s->borrowed = EVP_RAND_fetch(libctx, NAME, STOCK_PROPERTIES);
	ERR_pop_to_mark();
	return s->borrowed &&
	       find_functions(s, (OSSL_PROVIDER *)(uintptr_t)
					 EVP_RAND_get0_provider(s->borrowed));
}

static bool load(struct stock *s)
{
	s->own_libctx = OSSL_LIB_CTX_new();
	if (s->own_libctx)
		s->own_provider = OSSL_PROVIDER_load(s->own_libctx, "default");
	return s->own_provider && find_functions(s, s->own_provider);
}

struct stock *stock_new(OSSL_LIB_CTX *libctx)
{
	struct stock *s = calloc(1, sizeof(*s));

	if (!s || borrow(s, libctx) || load(s))
		return s;
	stock_free(s);
	return NULL;
}

void stock_free(struct stock *s)
{
	if (!s)
		return;
	EVP_RAND_free(s->borrowed);
	OSSL_PROVIDER_unload(s->own_provider);
	OSSL_LIB_CTX_free(s->own_libctx);
	free(s);
}
