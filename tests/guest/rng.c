// SPDX-License-Identifier: MIT
/*
 * rng: two threads that look for a new generation without pause, across a
 * resume: one by sysgenid_read(), one at the mapped counter alone. Each draws
 * bytes from the kernel the moment it finds one; these must differ between
 * clones. Says "ready", then "read GENERATION HEX" and "mapped GENERATION HEX".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/random.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <sysgenid.h>

static struct sysgenid *g;
static uint32_t seen;

static void draw(const char *how, uint32_t generation)
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

static void *watch_mapped(void *unused)
{
	const volatile uint32_t *page = sysgenid_get_view(g)->generation;

	(void)unused;
	while (*page == seen)
		;
	draw("mapped", *page);
	return NULL;
}

/* A young kernel reseeds itself every second: that alone would make clones differ. */
static int reseed(void)
{
	int fd = open("/dev/urandom", O_RDONLY), ret = ioctl(fd, RNDRESEEDCRNG);

	close(fd);
	return ret;
}

int main(void)
{
	pthread_t thread;
	uint32_t now;

	if (sysgenid_open(&g, 0) || sysgenid_read(g, &seen) || reseed())
		return 2;
	pthread_create(&thread, NULL, watch_mapped, NULL);
	puts("ready");
	fflush(stdout);
	do {
		if (sysgenid_read(g, &now))
			return 2;
	} while (now == seen);
	draw("read", now);
	pthread_join(thread, NULL);
	sysgenid_close(g);
	return 0;
}
