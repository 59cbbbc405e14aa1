// SPDX-License-Identifier: MIT
/*
 * A file for each generation, named by its number. link(2) gives the file
 * that name when it is whole. Of two processes that set at once one gets EEXIST.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "slot.h"

static struct policy *read_file(int dir, const char *name, char *why,
				size_t size)
{
	size_t len;
	char *text = json_slurp_at(dir, name, &len, why, size);
	struct policy *p = text ? policy_parse(text, len, why, size) : NULL;

	free(text);
	return p;
}

static bool is_number(const char *name)
{
	return *name && !name[strspn(name, "0123456789")];
}

/* How many other files there are; the last one's name. -1: unknown. */
static int find_others(int dir, const char *but, char *name, size_t size)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int n = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (errno = 0, (e = readdir(d))) {
		if (is_number(e->d_name) && strcmp(e->d_name, but)) {
			snprintf(name, size, "%s", e->d_name);
			n++;
		}
	}
	if (errno)
		n = -1;
	closedir(d);
	return n;
}

static struct policy *read_inherited(int dir, const char *name, char *why,
				     size_t size)
{
	char other[NAME_MAX + 1];
	struct policy *p = NULL;

	/* Of two, either may be the last. */
	if (find_others(dir, name, other, sizeof(other)) == 1)
		p = read_file(dir, other, why, size);
	if (p && policy_inherits(p))
		return p;
	policy_free(p);
	snprintf(why, size, "no policy has been set in generation %s", name);
	return NULL;
}

struct policy *slot_read(uint32_t generation, char *why, size_t size)
{
	int dir = open(SLOT_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct policy *p;
	char name[16];

	snprintf(name, sizeof(name), "%" PRIu32, generation);
	if (dir < 0) {
		snprintf(why, size, "no policy has been set in generation %s",
			 name);
		return NULL;
	}
	if (!faccessat(dir, name, F_OK, 0))
		p = read_file(dir, name, why, size);
	else
		p = read_inherited(dir, name, why, size);
	close(dir);
	return p;
}

static int write_whole(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

static void remove_others(int dir, const char *but)
{
	char other[NAME_MAX + 1];

	while (find_others(dir, but, other, sizeof(other)) > 0) {
		if (unlinkat(dir, other, 0))
			return;
	}
}

int slot_set(uint32_t generation, const char *text, size_t len)
{
	char name[16], unnamed[32];
	int dir, fd, error = 0;

	if ((mkdir("/run/sysgenid", 0755) && errno != EEXIST) ||
	    (mkdir(SLOT_DIRECTORY, 0700) && errno != EEXIST))
		return -errno;
	dir = open(SLOT_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	snprintf(name, sizeof(name), "%" PRIu32, generation);
	/* Without a name: a process that is killed leaves nothing. */
	fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0400);
	snprintf(unnamed, sizeof(unnamed), "/proc/self/fd/%d", fd);
	if (fd < 0)
		error = -errno;
	else
		error = write_whole(fd, text, len);
	if (!error && linkat(AT_FDCWD, unnamed, dir, name, AT_SYMLINK_FOLLOW))
		error = -errno;
	if (fd >= 0)
		close(fd);
	if (!error)
		remove_others(dir, name);
	close(dir);
	return error;
}
