// SPDX-License-Identifier: MIT
/*
 * every MILLISECONDS | every reseed
 *
 * Draws from the kernel's random generator, again and again, and prints the
 * generation that it read before, and the bytes: "GENERATION HEX". Or has the
 * generator reseed itself, once.
 */
#include <string.h>

#include <sysgenid.h>

#include "draw.h"

enum { BYTES = 16 };

int main(int argc, char **argv)
{
	unsigned char bytes[BYTES];
	struct sysgenid *g;
	uint32_t generation;
	size_t i;

	if (argc != 2)
		return 2;
	if (!strcmp(argv[1], "reseed"))
		return reseed() ? 1 : 0;
	if (sysgenid_open(&g, 0))
		return 2;
	puts("ready");
	for (;;) {
		usleep((useconds_t)atoi(argv[1]) * 1000);
		if (sysgenid_read(g, &generation) ||
		    getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
			return 1;
		printf("%u ", generation);
		for (i = 0; i < sizeof(bytes); i++)
			printf("%02x", bytes[i]);
		putchar('\n');
		fflush(stdout);
	}
}
