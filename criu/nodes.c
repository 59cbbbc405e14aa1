// SPDX-License-Identifier: MIT
/* Which files are of our device: the two nodes, and the attributes in sysfs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "nodes.h"

#define ATTRIBUTES 64

static const char *const directories[] = {
	[NODE_COUNTER] = "/sys/class/misc/sysgenid",
	[NODE_HARDWARE] = "/sys/class/misc/sysgenid-hw",
};

static dev_t numbers[sizeof(directories) / sizeof(*directories)];
static ino_t attributes[ATTRIBUTES];
static size_t attribute_count;

static int find_number(enum node node)
{
	unsigned int major, minor;
	char path[64];
	FILE *file;
	int r = 0;

	numbers[node] = 0;
	snprintf(path, sizeof(path), "%s/dev", directories[node]);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	if (fscanf(file, "%u:%u", &major, &minor) == 2)
		numbers[node] = makedev(major, minor);
	else
		r = -EBADMSG;
	fclose(file);
	return r;
}

/* A sysfs of another network namespace is another file system, with the same inodes. */
static int find_attributes(void)
{
	DIR *dir = opendir(directories[NODE_COUNTER]);
	struct dirent *entry;
	struct stat st;
	int r = 0;

	attribute_count = 0;
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!r) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			r = -errno;
			break;
		}
		if (fstatat(dirfd(dir), entry->d_name, &st,
			    AT_SYMLINK_NOFOLLOW))
			r = -errno;
		else if (!S_ISREG(st.st_mode))
			continue;
		else if (attribute_count == ATTRIBUTES)
			r = -E2BIG;
		else
			attributes[attribute_count++] = st.st_ino;
	}
	closedir(dir);
	return r;
}

int nodes_find(void)
{
	int r = find_number(NODE_COUNTER);

	if (!r)
		r = find_number(NODE_HARDWARE);
	return r ? r : find_attributes();
}

enum node node_of(const struct stat *st)
{
	if (!S_ISCHR(st->st_mode) || !st->st_rdev)
		return NODE_NONE;
	if (st->st_rdev == numbers[NODE_COUNTER])
		return NODE_COUNTER;
	return st->st_rdev == numbers[NODE_HARDWARE] ? NODE_HARDWARE :
						       NODE_NONE;
}

bool node_has_attribute(const struct stat *st)
{
	for (size_t i = 0; i < attribute_count; i++)
		if (st->st_ino == attributes[i])
			return true;
	return false;
}
