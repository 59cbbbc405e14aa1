// SPDX-License-Identifier: MIT
/* The OpenSSL provider: one random generator, that of drbg.c. */
#define _GNU_SOURCE
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
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

	stock_free(p->stock);
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

struct addresses {
	uintptr_t theirs, ours;
	bool together;
};

static bool is_in(const struct dl_phdr_info *object, uintptr_t address)
{
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && address >= start &&
		    address - start < p->p_memsz)
			return true;
	}
	return false;
}

static int look_in(struct dl_phdr_info *object, size_t size, void *data)
{
	struct addresses *a = data;

	(void)size;
	if (!is_in(object, a->ours))
		return 0;
	a->together = is_in(object, a->theirs);
	return 1;
}

/*
 * A program may have a libcrypto of its own, whose structures may be others than
 * those of the one that we are linked to. Not by dladdr(3), which looks through
 * all symbols.
 */
static bool is_our_libcrypto(void (*function)(void))
{
	struct addresses a = {
		.theirs = (uintptr_t)function,
		.ours = (uintptr_t)OSSL_LIB_CTX_new,
	};

	dl_iterate_phdr(look_in, &a);
	return a.together;
}

static OSSL_LIB_CTX *programs_libctx(const OSSL_CORE_HANDLE *core,
				     const OSSL_DISPATCH *in)
{
	for (; in->function_id; in++) {
		if (in->function_id == OSSL_FUNC_CORE_GET_LIBCTX &&
		    is_our_libcrypto(in->function))
			return (OSSL_LIB_CTX *)OSSL_FUNC_core_get_libctx(in)(
				core);
	}
	return NULL;
}

int OSSL_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
		       const OSSL_DISPATCH **out, void **provctx)
{
	struct provider *p = calloc(1, sizeof(*p));

	if (!p)
		return 0;
	p->libctx = programs_libctx(core, in);
	p->handles = handles_new();
	if (!p->handles) {
		teardown(p);
		return 0;
	}
	*provctx = p;
	*out = functions;
	return 1;
}
