// SPDX-License-Identifier: MIT
/*
 * mapped-only [hw]: holds a mapping, and no descriptor. Says "ready", and
 * "changed GENERATION" when the counter page changes; makes no call to the
 * module that could bring that about.
 *
 * mapped-only hw late: says "open". At each SIGUSR1 it maps the hardware page, and
 * says "mapped" or why not.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "hw.h"

static void map_when_told(void)
{
	int fd = open(SYSGENID_HW_DEVICE, O_RDONLY), told;
	void *page;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (puts("open");;) {
		fflush(stdout);
		sigwait(&set, &told);
		page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		puts(page == MAP_FAILED ? strerror(errno) : "mapped");
		if (page != MAP_FAILED)
			munmap(page, 4096);
	}
}

int main(int argc, char **argv)
{
	const volatile uint32_t *page;
	uint32_t seen;

	(void)argv;
	if (argc > 2)
		map_when_told();
	page = hw_map(argc > 1 ? SYSGENID_HW_DEVICE : SYSGENID_DEVICE, 0);
	seen = *page;
	puts("ready");
	for (;;) {
		fflush(stdout);
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
		if (*page != seen) {
			seen = *page;
			printf("changed %u\n", seen);
		}
	}
}
