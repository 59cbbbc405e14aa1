// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../tools/doctor.h"
#include "doctor-root.h"

char root[64];

void root_make(void)
{
	strcpy(root, "/tmp/sysgenid-root-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void root_remove(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void whole(const char *path, char *name, size_t size)
{
	snprintf(name, size, "%s%s", root, path);
	for (char *c = name + strlen(root) + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = 0;
		mkdir(name, 0755);
		*c = '/';
	}
}

void root_bytes(const char *path, const void *bytes, size_t len,
		unsigned int mode)
{
	char name[4096];
	int fd;

	whole(path, name, sizeof(name));
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);
	ck_assert_msg(fd >= 0, "%s", name);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	chmod(name, mode);
}

void root_file(const char *path, const char *text)
{
	root_bytes(path, text, strlen(text), 0644);
}

void root_link(const char *path, const char *target)
{
	char name[4096];

	whole(path, name, sizeof(name));
	unlink(name);
	ck_assert_int_eq(symlink(target, name), 0);
}

void root_process(const char *pid, const char *comm, const char *cgroup,
		  const char *maps)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	root_file(path, comm);
	snprintf(path, sizeof(path), "/proc/%s/cgroup", pid);
	root_file(path, cgroup);
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	root_file(path, maps);
	snprintf(path, sizeof(path), "/proc/%s/root", pid);
	root_link(path, root);
}

const char *printed_by(examine_fn *examine, struct doctor *d)
{
	static char text[65536];
	int saved = dup(STDOUT_FILENO);
	FILE *f = tmpfile();
	size_t n;

	ck_assert_ptr_nonnull(f);
	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	d->root = root;
	d->problems = d->unknown = d->findings = 0;
	examine(d);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}
