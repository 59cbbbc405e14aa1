// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "armed.h"
#include "log.h"

/* On a tmpfs: the gate ends with the kernel. */
#ifndef ARMED_FILE
#define ARMED_FILE "/run/sysgenid/overseer.armed"
#endif

int armed_is_noted(void)
{
	if (!access(ARMED_FILE, F_OK))
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

bool armed_note(void)
{
	int fd = open(ARMED_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		log_error(ARMED_FILE ": %s", strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

bool armed_forget(void)
{
	if (!unlink(ARMED_FILE) || errno == ENOENT)
		return true;
	log_error(ARMED_FILE ": %s", strerror(errno));
	return false;
}
