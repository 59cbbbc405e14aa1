// SPDX-License-Identifier: MIT
#include <gnutls/crypto.h>

#include "ask.h"

static int nonce(unsigned char *to, size_t size)
{
	return gnutls_rnd(GNUTLS_RND_NONCE, to, size);
}

static int session(unsigned char *to, size_t size)
{
	return gnutls_rnd(GNUTLS_RND_RANDOM, to, size);
}

static int key(unsigned char *to, size_t size)
{
	return gnutls_rnd(GNUTLS_RND_KEY, to, size);
}

int main(void)
{
	static const struct draw draws[] = {
		{ "GNUTLS_RND_NONCE", nonce },
		{ "GNUTLS_RND_RANDOM", session },
		{ "GNUTLS_RND_KEY", key },
	};

	return ANSWER(draws);
}
