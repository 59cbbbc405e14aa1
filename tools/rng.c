// SPDX-License-Identifier: MIT
/* The kernel's random generator: mix bytes in, and force it to draw a new key. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
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
	int r;

	if (len > RNG_MIX_MAX)
		return -EINVAL;
	memset(&u, 0, sizeof(u));
	u.info.buf_size = (int)len;
	memcpy(u.space + sizeof(u.info), bytes, len);
	r = ioctl(fd, RNDADDENTROPY, &u) ? -errno : 0;
	explicit_bzero(&u, sizeof(u));
	return r;
}

/* One that is not ready has promised nothing, and will draw on what was mixed. */
int rng_reseed(int fd)
{
	if (ioctl(fd, RNDRESEEDCRNG) && errno != ENODATA)
		return -errno;
	return 0;
}

static bool kernel_has(const char *symbol)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	bool any = false, found = false;
	char *line = NULL;
	size_t size = 0;

	while (file && !found && getline(&line, &size, file) > 0) {
		any = true;
		found = strstr(line, symbol);
	}
	free(line);
	if (file)
		fclose(file);
	return found || !any;
}

/* What the module says of its last reseed: 0 or an errno; -1 if nothing is known. */
static int module_error(void)
{
	FILE *file = fopen("/sys/class/misc/sysgenid/reseed_error", "re");
	int error = -1;

	if (file) {
		if (fscanf(file, "%d", &error) != 1)
			error = -1;
		fclose(file);
	}
	return error;
}

/*
 * In FIPS mode, kernels of the RHEL family and of Amazon have a generator of their
 * own for programs. RNDRESEEDCRNG returns 0 there, too. The module sees which one
 * serves; without it the kernel's symbols tell, which units with
 * ProtectKernelTunables= do not see.
 */
bool rng_external(void)
{
	int module = module_error(), fd;
	char mode = 0;

	if (!module || module == EOPNOTSUPP)
		return module;
	fd = open("/proc/sys/crypto/fips_enabled", O_RDONLY | O_CLOEXEC);
	/* A kernel that knows no FIPS mode; unless /proc hides it. */
	if (fd < 0 && errno == ENOENT)
		return access("/proc/sys/kernel/random", F_OK) != 0;
	if (fd >= 0 && read(fd, &mode, 1) != 1)
		mode = 0;
	if (fd >= 0)
		close(fd);
	return mode != '0' && kernel_has("random_register_extrng");
}
