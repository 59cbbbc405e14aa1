// SPDX-License-Identifier: MIT
/* The OpenSSL provider: one random generator, that of drbg.c. */
#include <stdlib.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "drbg.h"

static const OSSL_ALGORITHM rands[] = {
	{ DRBG_NAME, "provider=sysgenid", drbg_functions,
	  "CTR-DRBG, reseeded when the system's generation changes" },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *no_cache)
{
	(void)provctx;
	*no_cache = 0;
	return operation == OSSL_OP_RAND ? rands : NULL;
}

static const OSSL_PARAM *gettable_params(void *provctx)
{
	static const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
		OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
		OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
		OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
		OSSL_PARAM_END,
	};

	(void)provctx;
	return params;
}

static int set_text(OSSL_PARAM params[], const char *key, const char *text)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, key);

	return !p || OSSL_PARAM_set_utf8_ptr(p, text);
}

static int get_params(void *provctx, OSSL_PARAM params[])
{
	OSSL_PARAM *status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);

	(void)provctx;
	return set_text(params, OSSL_PROV_PARAM_NAME, "sysgenid") &&
	       set_text(params, OSSL_PROV_PARAM_VERSION, SYSGENID_VERSION) &&
	       set_text(params, OSSL_PROV_PARAM_BUILDINFO, SYSGENID_VERSION) &&
	       (!status || OSSL_PARAM_set_int(status, 1));
}

static void teardown(void *provctx)
{
	struct provider *p = provctx;

	OSSL_PROVIDER_unload(p->stock_provider);
	OSSL_LIB_CTX_free(p->libctx);
	handles_free(p->handles);
	free(p);
}

static const OSSL_DISPATCH functions[] = {
	{ OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown },
	{ OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))gettable_params },
	{ OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))get_params },
	{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
	{ 0, NULL },
};

__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int OSSL_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
		       const OSSL_DISPATCH **out, void **provctx)
{
	struct provider *p = calloc(1, sizeof(*p));

	(void)in;
	if (!p)
		return 0;
	p->core = core;
	p->handles = handles_new();
	p->libctx = OSSL_LIB_CTX_new();
	if (p->libctx)
		p->stock_provider = OSSL_PROVIDER_load(p->libctx, "default");
	if (!p->handles || !p->stock_provider ||
	    !stock_find(&p->stock, p->stock_provider)) {
		teardown(p);
		return 0;
	}
	*provctx = p;
	*out = functions;
	return 1;
}
