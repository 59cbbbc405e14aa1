// SPDX-License-Identifier: MIT
/* The kernel's random generator: mix bytes in, and force it to draw a new key. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "rng.h"

int rng_open(void)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Nothing is claimed about the bytes: the generator does not count on them. */
int rng_mix(int fd, const void *bytes, size_t len)
{
	union {
		struct rand_pool_info info;
		unsigned char space[sizeof(struct rand_pool_info) + RNG_MIX_MAX];
	} u;

	if (len > RNG_MIX_MAX)
		return -EINVAL;
	memset(&u, 0, sizeof(u));
	u.info.buf_size = (int)len;
	memcpy(u.space + sizeof(u.info), bytes, len);
	return ioctl(fd, RNDADDENTROPY, &u) ? -errno : 0;
}

/* One that is not ready has promised nothing, and will draw on what was mixed. */
int rng_reseed(int fd)
{
	if (ioctl(fd, RNDRESEEDCRNG) && errno != ENODATA)
		return -errno;
	return 0;
}
