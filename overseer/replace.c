// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replace.h"

static int write_text(int fd, const char *text)
{
	const size_t len = strlen(text);

	errno = 0;
	if (write(fd, text, len) == (ssize_t)len)
		return 0;
	return errno ? -errno : -EIO;
}

static int close_after(int fd, int r)
{
	return close(fd) && !r ? -errno : r;
}

/* As it was; what is new is for everybody to read. */
static int keep_owner(int fd, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT && !fchmod(fd, 0644) ? 0 : -errno;
	return fchown(fd, st.st_uid, st.st_gid) ||
			       fchmod(fd, st.st_mode & 07777) ?
		       -errno :
		       0;
}

/* A mount point cannot be replaced. */
static int write_into(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd < 0 ? -errno : close_after(fd, write_text(fd, text));
}

int replace_file(const char *path, const char *text)
{
	char target[PATH_MAX], aside[PATH_MAX + 16];
	int fd, r;

	/* What is not there yet has no other name. */
	if (!realpath(path, target)) {
		if (errno != ENOENT)
			return -errno;
		snprintf(target, sizeof(target), "%s", path);
	}
	snprintf(aside, sizeof(aside), "%s.sysgenid", target);
	/* One that was left behind is not to be written through. */
	if (unlink(aside) && errno != ENOENT)
		return -errno;
	fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = keep_owner(fd, target);
	if (!r)
		r = write_text(fd, text);
	r = close_after(fd, r);
	if (!r && rename(aside, target))
		r = -errno;
	if (r)
		unlink(aside);
	return r == -EBUSY ? write_into(target, text) : r;
}

int replace_line(const char *path, const char *line)
{
	char text[512];

	if (snprintf(text, sizeof(text), "%s\n", line) >= (int)sizeof(text))
		return -ENAMETOOLONG;
	return replace_file(path, text);
}
