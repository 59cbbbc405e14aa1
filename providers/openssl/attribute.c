// SPDX-License-Identifier: MIT
/*
 * /sys/class/misc/sysgenid/generation. "Not there" counts only in a /sys or a
 * /proc that is the kernel's. In an empty chroot nothing is there, which says
 * nothing about the module.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "attribute.h"

/* Otherwise in tests. */
#ifndef ROOT
#define ROOT ""
#endif
#define CLASS	ROOT "/sys/class/misc"
#define DRIVER	CLASS "/sysgenid"
#define CURRENT DRIVER "/generation"
#define MISC	ROOT "/proc/misc"

/* "4294967295\n", and one more, by which too long a line is found. */
#define LINE_MAX_BYTES 12

static bool is_ours(const struct attribute *a)
{
	struct stat st;

	return !fstat(a->fd, &st) && st.st_dev == a->device &&
	       st.st_ino == a->inode;
}

bool attribute_read(const struct attribute *a, uint32_t *generation)
{
	char line[LINE_MAX_BYTES];
	uint64_t value = 0;
	ssize_t n;

	/*
	 * A second system call: many files of /sys and /proc say "0". One of them
	 * may have got our number in a program that closes all descriptors.
	 */
	if (!is_ours(a))
		return false;
	n = pread(a->fd, line, sizeof(line), 0);
	if (n < 2 || n == sizeof(line) || line[n - 1] != '\n')
		return false;
	for (ssize_t i = 0; i < n - 1; i++) {
		if (line[i] < '0' || line[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(line[i] - '0');
	}
	if (value > UINT32_MAX)
		return false;
	*generation = (uint32_t)value;
	return true;
}

static bool is_sysfs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == SYSFS_MAGIC;
}

/* " 58 sysgenid" in the list of the kernel's miscellaneous devices. */
static enum attribute_found look_in_proc(void)
{
	char line[128], name[64];
	enum attribute_found found = ATTRIBUTE_ABSENT;
	struct statfs fs;
	FILE *f = fopen(MISC, "re");

	if (!f)
		return ATTRIBUTE_UNKNOWN;
	if (fstatfs(fileno(f), &fs) || fs.f_type != PROC_SUPER_MAGIC)
		found = ATTRIBUTE_UNKNOWN;
	while (found == ATTRIBUTE_ABSENT && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*u %63s", name) == 1 &&
		    !strcmp(name, "sysgenid"))
			found = ATTRIBUTE_UNKNOWN;
	}
	if (ferror(f))
		found = ATTRIBUTE_UNKNOWN;
	fclose(f);
	return found;
}

/* After the attribute was not found: is that because there is no driver? */
static enum attribute_found look_for_driver(void)
{
	if (!is_sysfs(CLASS))
		return look_in_proc();
	/* A driver that is not ours shows no generation. */
	if (!access(DRIVER, F_OK) || errno != ENOENT)
		return ATTRIBUTE_UNKNOWN;
	return ATTRIBUTE_ABSENT;
}

enum attribute_found attribute_open(struct attribute *a)
{
	struct statfs fs;
	uint32_t generation;
	struct stat st;

	a->fd = open(CURRENT, O_RDONLY | O_CLOEXEC);
	if (a->fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? look_for_driver() :
							     ATTRIBUTE_UNKNOWN;
	if (!fstat(a->fd, &st) && !fstatfs(a->fd, &fs) &&
	    fs.f_type == SYSFS_MAGIC) {
		a->device = st.st_dev;
		a->inode = st.st_ino;
		if (attribute_read(a, &generation))
			return ATTRIBUTE_OPEN;
	}
	close(a->fd);
	return ATTRIBUTE_UNKNOWN;
}

void attribute_close(const struct attribute *a)
{
	if (is_ours(a))
		close(a->fd);
}
