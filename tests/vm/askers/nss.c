// SPDX-License-Identifier: MIT
#include <nss.h>
#include <pk11pub.h>

#include "ask.h"

static int random_bytes(unsigned char *to, size_t size)
{
	return PK11_GenerateRandom(to, (int)size);
}

int main(void)
{
	static const struct draw draws[] = {
		{ "PK11_GenerateRandom", random_bytes },
	};

	return NSS_NoDB_Init(".") ? EXIT_FAILURE : ANSWER(draws);
}
