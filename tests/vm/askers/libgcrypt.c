// SPDX-License-Identifier: MIT
#include <gcrypt.h>

#include "ask.h"

static int nonce(unsigned char *to, size_t size)
{
	gcry_create_nonce(to, size);
	return 0;
}

static int strong(unsigned char *to, size_t size)
{
	gcry_randomize(to, size, GCRY_STRONG_RANDOM);
	return 0;
}

static int very_strong(unsigned char *to, size_t size)
{
	gcry_randomize(to, size, GCRY_VERY_STRONG_RANDOM);
	return 0;
}

int main(void)
{
	static const struct draw draws[] = {
		{ "gcry_create_nonce", nonce },
		{ "GCRY_STRONG_RANDOM", strong },
		{ "GCRY_VERY_STRONG_RANDOM", very_strong },
	};

	if (!gcry_check_version(GCRYPT_VERSION))
		return EXIT_FAILURE;
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	return ANSWER(draws);
}
