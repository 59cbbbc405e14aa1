// SPDX-License-Identifier: MIT
/*
 * reads: sleeps in a bare read(2) of the device until there is a new generation,
 * and says when it has it: CLOCK_BOOTTIME in nanoseconds.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	int fd = open("/dev/sysgenid", O_RDONLY);
	struct timespec ts;
	uint32_t generation;

	if (fd < 0 ||
	    read(fd, &generation, sizeof(generation)) != sizeof(generation)) {
		perror("/dev/sysgenid");
		return 1;
	}
	clock_gettime(CLOCK_BOOTTIME, &ts);
	printf("%" PRIu64 "\n",
	       (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
	return 0;
}
