// SPDX-License-Identifier: MIT
/*
 * Which criu(8) runs: it loads plugins of older versions, whose hooks may have other
 * arguments, and offers no way to ask.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "running.h"

bool running_parse(const char *text, unsigned int *major, unsigned int *minor)
{
	return sscanf(text, "Version: %u.%u", major, minor) == 2;
}

static int ask(int out)
{
	char *const argv[] = { "criu", "--version", NULL };
	char *const environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	int r, status;
	pid_t pid;

	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!r)
		r = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv,
				environment);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Two lines are less than a pipe holds. */
int running_version(unsigned int *major, unsigned int *minor)
{
	char text[256] = "";
	int ends[2], r;
	ssize_t n = 0;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	r = ask(ends[1]);
	close(ends[1]);
	if (!r) {
		n = read(ends[0], text, sizeof(text) - 1);
		if (n < 0)
			r = -errno;
		else if (!running_parse(text, major, minor))
			r = -EBADMSG;
	}
	close(ends[0]);
	return r;
}
