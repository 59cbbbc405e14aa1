// SPDX-License-Identifier: MIT
/* What is unique in any case: the kernel's generator, which the module has reseeded. */
#include <sys/random.h>

#include "ask.h"

static int kernel(unsigned char *to, size_t size)
{
	return getrandom(to, size, 0) == (ssize_t)size ? 0 : -1;
}

int main(void)
{
	static const struct draw draws[] = {
		{ "getrandom", kernel },
	};

	return ANSWER(draws);
}
