// SPDX-License-Identifier: MIT
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/random.h>

#include "ask.h"

static WC_RNG rng;

static int block(unsigned char *to, size_t size)
{
	return wc_RNG_GenerateBlock(&rng, to, (word32)size);
}

int main(void)
{
	static const struct draw draws[] = {
		{ "wc_RNG_GenerateBlock", block },
	};

	return wc_InitRng(&rng) ? EXIT_FAILURE : ANSWER(draws);
}
