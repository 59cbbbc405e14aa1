// SPDX-License-Identifier: MIT
/* What makes a restored program differ from all others of its image. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid/abi.h>

#include "renew.h"
#include "rng.h"

/* Each try that fails is a generation that another one made. */
#define TRIES 1000

struct entropy {
	struct timespec now;
	pid_t pid;
	unsigned char random[32];
};

static int gather(struct entropy *e)
{
	memset(e, 0, sizeof(*e));
	clock_gettime(CLOCK_REALTIME, &e->now);
	e->pid = getpid();
	return getrandom(e->random, sizeof(e->random), 0) == sizeof(e->random) ?
		       0 :
		       -EIO;
}

static int explain(int error, uint32_t saved, char *why, size_t size)
{
	const char *text = strerror(error);

	if (error == EACCES)
		text = "CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE in the initial user namespace is needed";
	else if (error == E2BIG || error == EINVAL || error == ENOTTY)
		text = "the module is older than this plugin, or another driver; load sysgenid.ko of this version";
	else if (error == ERANGE) {
		snprintf(
			why, size,
			"the image was made at generation %" PRIu32
			", which is 2147483648 or more ahead of this machine: it is not to be trusted",
			saved);
		return -error;
	} else if (error == EBUSY)
		text = "others publish all the time";
	snprintf(why, size, "%s: %s", SYSGENID_DEVICE, text);
	return -error;
}

static int trigger(int fd, uint32_t saved, uint32_t *generation)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };
	struct sysgenid_trigger_args args;
	struct entropy e;

	if (gather(&e))
		return EIO;
	if (ioctl(fd, SYSGENID_GET, &get))
		return errno;
	*generation = get.generation;
	for (int i = 0; i < TRIES; i++) {
		args = (struct sysgenid_trigger_args){
			.size = sizeof(args),
			.expected = *generation,
			.entropy = (uintptr_t)&e,
			.entropy_len = sizeof(e),
			.least = saved + 1,
		};
		if (ioctl(fd, SYSGENID_TRIGGER, &args))
			return errno;
		*generation = args.generation;
		if (args.published)
			return 0;
	}
	return EBUSY;
}

static int was_reseeded(int fd, char *why, size_t size)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };

	if (ioctl(fd, SYSGENID_GET, &get))
		return explain(errno, 0, why, size);
	if (!(get.flags & SYSGENID_GET_RESEED_FAILED))
		return 0;
	snprintf(
		why, size,
		"the kernel's random generator could not be reseeded; run \"sysgenidctl doctor\"");
	return -EIO;
}

int renew_generation(uint32_t saved, uint32_t *generation, char *why,
		     size_t size)
{
	int fd, r;

	if (saved == UINT32_MAX) {
		snprintf(
			why, size,
			"the image says that it was made at generation 4294967295: it is not to be trusted");
		return -ERANGE;
	}
	fd = open(SYSGENID_DEVICE, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r = errno;
		snprintf(why, size,
			 "%s: %s; the image has clients of it: load the module",
			 SYSGENID_DEVICE, strerror(r));
		return -r;
	}
	r = trigger(fd, saved, generation);
	r = r ? explain(r, saved, why, size) : was_reseeded(fd, why, size);
	close(fd);
	return r;
}

int renew_generator(char *why, size_t size)
{
	struct entropy e;
	int rng, r;

	r = gather(&e);
	rng = rng_open();
	if (rng < 0)
		r = rng;
	if (!r)
		r = rng_mix(rng, &e, sizeof(e));
	if (!r)
		r = rng_reseed(rng);
	if (rng >= 0)
		close(rng);
	if (r) {
		snprintf(
			why, size,
			"the kernel's random generator could not be reseeded: %s",
			strerror(-r));
		return r;
	}
	if (rng_external()) {
		snprintf(
			why, size,
			"programs get random bytes from a generator that no reseed reaches (FIPS mode)");
		return -EOPNOTSUPP;
	}
	return 0;
}
