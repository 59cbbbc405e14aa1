// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "armed.h"
#include "log.h"

/* On a tmpfs: gate and rules end with the kernel. */
#ifndef ARMED_FILE
#define ARMED_FILE "/run/sysgenid/overseer.armed"
#endif

static const char *const files[] = {
	[ARMED_KERNEL] = ARMED_FILE,
	[ARMED_RULES] = ARMED_FILE ".nftables",
};

static bool complain(const char *file)
{
	log_error("%s: %s", file, strerror(errno));
	return false;
}

int armed_is_noted(enum armed what)
{
	if (!access(files[what], F_OK))
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

bool armed_note(enum armed what)
{
	int fd = open(files[what], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return complain(files[what]);
	close(fd);
	return true;
}

bool armed_forget(enum armed what)
{
	return !unlink(files[what]) || errno == ENOENT || complain(files[what]);
}
