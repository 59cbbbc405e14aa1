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
	/* The program's; NULL if it is of another libcrypto than ours. */
	OSSL_LIB_CTX *libctx;
	/* From the first generator on: most programs never draw. */
	struct stock *stock;
	struct handles *handles;
};

extern const OSSL_DISPATCH drbg_functions[];

#endif /* DRBG_H */
