// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec.h"

int run_command(const char *command, uint32_t generation)
{
	char sh[] = "sh", option[] = "-c";
	char *argv[] = { sh, option, (char *)(uintptr_t)command, NULL };
	char number[sizeof("4294967295")];
	int r, status;
	pid_t pid;

	snprintf(number, sizeof(number), "%" PRIu32, generation);
	if (setenv("SYSGENID_GENERATION", number, 1))
		return -errno;
	r = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
	if (r)
		return -r;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}
