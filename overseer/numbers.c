// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "numbers.h"

bool numbers_ended(int error)
{
	return error == ENOENT || error == ESRCH;
}

int numbers_each(int at, const char *path, numbers_fn *fn, void *user)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (!r) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			r = -errno;
			break;
		}
		if (isdigit((unsigned char)entry->d_name[0]))
			r = fn(user, dirfd(dir), entry->d_name);
	}
	closedir(dir);
	return r;
}
