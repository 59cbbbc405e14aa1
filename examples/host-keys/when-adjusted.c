// SPDX-License-Identifier: MIT
/*
 * when-adjusted COMMAND...: runs a command in each new generation, when all that
 * asked to be waited for have confirmed it.
 */
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <sysgenid.h>

extern char **environ;

/* Until there is a generation that all have adjusted to, other than @seen. */
static int wait_for_all(struct sysgenid *g, uint32_t *seen)
{
	uint32_t generation = *seen;
	int ret;

	do {
		ret = sysgenid_wait(g, *seen, -1, &generation);
		if (!ret)
			ret = sysgenid_wait_watchers(g, generation, -1, NULL,
						     NULL);
		/* -ESTALE: it was cloned again meanwhile. */
	} while (ret == -EINTR || ret == -ESTALE);
	*seen = generation;
	return ret;
}

static int run(char *const command[])
{
	int status;
	pid_t pid;
	int error =
		posix_spawnp(&pid, command[0], NULL, NULL, command, environ);

	if (error)
		return -error;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (status)
		fprintf(stderr, "when-adjusted: %s failed\n", command[0]);
	return 0;
}

int main(int argc, char *argv[])
{
	struct sysgenid *g;
	uint32_t seen;
	int ret;

	if (argc < 2) {
		fprintf(stderr, "usage: when-adjusted COMMAND...\n");
		return 2;
	}
	ret = sysgenid_open(&g, 0);
	if (!ret)
		ret = sysgenid_read(g, &seen);
	while (!ret) {
		ret = wait_for_all(g, &seen);
		if (!ret)
			ret = run(argv + 1);
	}
	fprintf(stderr, "when-adjusted: %s\n", strerror(-ret));
	return 1;
}
