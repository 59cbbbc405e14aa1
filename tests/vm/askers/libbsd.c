// SPDX-License-Identifier: MIT
#include <bsd/stdlib.h>

#include "ask.h"

static int arc4(unsigned char *to, size_t size)
{
	arc4random_buf(to, size);
	return 0;
}

int main(void)
{
	static const struct draw draws[] = {
		{ "arc4random_buf", arc4 },
	};

	return ANSWER(draws);
}
