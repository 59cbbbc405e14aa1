// SPDX-License-Identifier: MIT
/*
 * opens PATH COUNT [track]: opens a node COUNT times, and tracks each. Says
 * "ready N" with the number that it got, and why it got no more, and waits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <sysgenid/abi.h>

#include "errno-name.h"

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 0, i;

	for (i = 0; i < count; i++) {
		int fd = open(argv[1], O_RDWR);

		if (fd < 0 ||
		    (argc > 3 && ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 1)))
			break;
	}
	printf("ready %d%s%s\n", i, i < count ? " " : "",
	       i < count ? errno_name(errno) : "");
	fflush(stdout);
	pause();
}
