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

/* Tells a host that must not ask, for its question would disturb: input is entropy. */
static inline void tell_console(const char *text)
{
	FILE *console = fopen("/dev/console", "w");

	if (console) {
		fputs(text, console);
		fclose(console);
	}
}

/* Draws, and says so: "HOW GENERATION HEX"; and "drew" on the console, if that may be opened. */
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
	tell_console("drew\n");
}

/* A young kernel reseeds itself every second: that alone would make clones differ. */
static inline int reseed(void)
{
	int fd = open("/dev/urandom", O_RDONLY), ret = ioctl(fd, RNDRESEEDCRNG);

	close(fd);
	return ret;
}

#endif /* TESTS_DRAW_H */
