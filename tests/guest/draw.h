/* SPDX-License-Identifier: MIT */
/* Bytes of the kernel's RNG, for those who look whether clones draw the same. */
#ifndef TESTS_DRAW_H
#define TESTS_DRAW_H

#include <fcntl.h>
#include <linux/random.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

/* Draws, and says so: "HOW GENERATION HEX". */
static inline void draw(const char *how, uint32_t generation)
{
	unsigned char bytes[32];
	char text[65];
	size_t i;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		exit(2);
	for (i = 0; i < sizeof(bytes); i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	printf("%s %u %s\n", how, generation, text);
	fflush(stdout);
}

/* A young kernel reseeds itself every second: that alone would make clones differ. */
static inline int reseed(void)
{
	int fd = open("/dev/urandom", O_RDONLY), ret = ioctl(fd, RNDRESEEDCRNG);

	close(fd);
	return ret;
}

#endif /* TESTS_DRAW_H */
