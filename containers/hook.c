// SPDX-License-Identifier: MIT
/*
 * A file may change between the look at it and its start, and a hook may run long
 * after its container was created. So what is run is a copy in memory, which nobody
 * can change, of what has the digest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sha256.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"
#include "hook.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

static int memory_file(void)
{
	int fd = memfd_create("hook",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	/* Before Linux 6.3 every one may be run. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("hook", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

/* Its SHA-256 in @hex. */
static bool copy(int from, int to, char *hex)
{
	unsigned char block[16384];
	SHA256_CTX sum;
	ssize_t n;

	SHA256Init(&sum);
	while ((n = read(from, block, sizeof(block))) > 0) {
		SHA256Update(&sum, block, (size_t)n);
		if (write(to, block, (size_t)n) != n)
			return false;
	}
	SHA256End(&sum, hex);
	return !n &&
	       !fcntl(to, F_ADD_SEALS,
		      F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

/* The interpreter of a script opens the copy by its number. */
static void keep_for_script(int fd)
{
	char start[2];

	if (pread(fd, start, 2, 0) == 2 && !memcmp(start, "#!", 2))
		fcntl(fd, F_SETFD, 0);
}

int hook_run(char **words)
{
	const char *digest = words[0], *path = digest ? words[1] : NULL;
	char hex[SHA256_DIGEST_STRING_LENGTH];
	struct stat st;
	int from, to;

	if (!path || !words[2])
		return fail(ERROR_BAD_REQUEST,
			    "hook: a digest, a path and words are needed");
	from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	to = memory_file();
	if (from < 0 || to < 0)
		return fail(ERROR_FAILED, "hook %s: %s", path, strerror(errno));
	if (fstat(from, &st) || !S_ISREG(st.st_mode))
		return fail(ERROR_DENIED, "hook %s: not a file", path);
	if (!copy(from, to, hex))
		return fail(ERROR_FAILED, "hook %s: %s", path, strerror(errno));
	if (strcmp(hex, digest))
		return fail(ERROR_DENIED,
			    "hook %s is not the program that the policy names",
			    path);
	close(from);
	keep_for_script(to);
	fexecve(to, words + 2, environ);
	return fail(ERROR_FAILED, "hook %s: %s", path, strerror(errno));
}
