// SPDX-License-Identifier: MIT
/*
 * mapped-only [hw]: holds a mapping, and no descriptor. Says "ready", and
 * "changed GENERATION" when the counter page changes; makes no call to the
 * module that could bring that about.
 */
#include <time.h>

#include "hw.h"

int main(int argc, char **argv)
{
	const volatile uint32_t *page =
		hw_map(argc > 1 ? SYSGENID_HW_DEVICE : SYSGENID_DEVICE, 0);
	uint32_t seen = *page;

	(void)argv;
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
