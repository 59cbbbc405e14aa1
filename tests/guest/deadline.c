// SPDX-License-Identifier: MIT
/*
 * deadline MS: waits so long for a watcher that does not confirm. Says "ready"
 * before, then how the wait ended and after how long on the monotonic clock:
 * "ERRNO MS".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <sysgenid/abi.h>

#include "errno-name.h"

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	int laggard = open(SYSGENID_DEVICE, O_RDWR),
	    fd = open(SYSGENID_DEVICE, O_RDWR), ret;
	struct sysgenid_declare_args declare = {
		.size = sizeof(declare), .flags = SYSGENID_DECLARE_UNKNOWN
	};
	struct sysgenid_get_args get = { .size = sizeof(get) };
	struct sysgenid_wait_args wait = { .size = sizeof(wait) };
	int64_t start;

	if (argc < 2 || ioctl(laggard, SYSGENID_DECLARE, &declare) ||
	    ioctl(laggard, SYSGENID_SET_WATCHER_TRACKING, 1) ||
	    ioctl(fd, SYSGENID_GET, &get))
		return 2;
	wait.generation = get.generation;
	wait.timeout_ns = atoll(argv[1]) * 1000000LL;
	puts("ready");
	fflush(stdout);
	start = now_ms();
	ret = ioctl(fd, SYSGENID_WAIT_GENERATION, &wait);
	printf("%s %lld\n", ret ? errno_name(errno) : "0",
	       (long long)(now_ms() - start));
	return 0;
}
