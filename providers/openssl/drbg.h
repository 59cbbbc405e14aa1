/* SPDX-License-Identifier: MIT */
#ifndef DRBG_H
#define DRBG_H

#include <openssl/core.h>
#include <openssl/evp.h>

#include "handle.h"
#include "stock.h"

/* The name in openssl.cnf. */
#define DRBG_NAME "SYSGENID-DRBG"

struct provider {
	const OSSL_CORE_HANDLE *core;
	/* Our own, so that the stock generator is not looked for in ours. */
	OSSL_LIB_CTX *libctx;
	OSSL_PROVIDER *stock_provider;
	struct stock stock;
	struct handles *handles;
};

extern const OSSL_DISPATCH drbg_functions[];

#endif /* DRBG_H */
