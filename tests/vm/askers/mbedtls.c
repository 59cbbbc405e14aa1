// SPDX-License-Identifier: MIT
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>

#include "ask.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;

static int ctr_drbg(unsigned char *to, size_t size)
{
	return mbedtls_ctr_drbg_random(&drbg, to, size);
}

int main(void)
{
	static const struct draw draws[] = {
		{ "mbedtls_ctr_drbg_random", ctr_drbg },
	};

	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&drbg);
	if (mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL,
				  0))
		return EXIT_FAILURE;
	return ANSWER(draws);
}
