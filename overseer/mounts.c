// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mounts.h"
#include "numbers.h"
#include "seen.h"

/* musl has the call since 1.2.5. */
#ifndef STATX_INO
#include <linux/stat.h>
#include <sys/syscall.h>
#define statx(...) ((int)syscall(SYS_statx, __VA_ARGS__))
#endif

struct walk {
	/* A mount namespace, and then the root directory that was met in it. */
	struct seen seen;
	mounts_fn *fn;
	void *user;
};

void mounts_unescape(char *path)
{
	char *to = path;

	for (; *path; path++, to++) {
		*to = *path;
		if (*path != '\\' || strspn(path + 1, "01234567") < 3)
			continue;
		*to = (char)((path[1] - '0') << 6 | (path[2] - '0') << 3 |
			     (path[3] - '0'));
		path += 3;
	}
	*to = 0;
}

/* "36 35 98:0 /root /point rw,noatime master:1 - type source options" */
static int take_line(const struct walk *w, const char *pid, char *line)
{
	struct mount m = { .pid = pid };
	char *end = strstr(line, " - "), *rest = line;

	if (!end)
		return -EPROTO;
	*end = 0;
	strsep(&rest, " ");
	strsep(&rest, " ");
	m.device = strsep(&rest, " ");
	m.root = strsep(&rest, " ");
	m.point = strsep(&rest, " ");
	rest = end + 3;
	m.type = strsep(&rest, " ");
	strsep(&rest, " ");
	m.options = strsep(&rest, "\n");
	if (!m.point || !m.options)
		return -EPROTO;
	return w->fn(w->user, &m);
}

static int read_mounts(const struct walk *w, int proc, const char *pid)
{
	char path[32], *line = NULL;
	size_t size = 0;
	FILE *f;
	int fd, r = 0;

	snprintf(path, sizeof(path), "%s/mountinfo", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	/* EINVAL: it ends, and is in no mount namespace any more. */
	if (fd < 0)
		return numbers_ended(errno) || errno == EINVAL ? 0 : -errno;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	while (!r && getline(&line, &size, f) > 0)
		r = take_line(w, pid, line);
	if (!r && ferror(f))
		r = -EIO;
	free(line);
	fclose(f);
	return r;
}

/* A root directory on a server that does not answer must not stop this. */
static int find_root(int proc, const char *pid, struct seen_file *root)
{
	struct statx st;
	char path[32];

	snprintf(path, sizeof(path), "%s/root", pid);
	if (statx(proc, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO,
		  &st))
		return -errno;
	root->device = makedev(st.stx_dev_major, st.stx_dev_minor);
	root->inode = st.stx_ino;
	return 0;
}

static bool walk_has(const struct walk *w, const struct stat *space,
		     const struct seen_file *root)
{
	for (size_t i = 0; i + 1 < w->seen.count; i += 2) {
		const struct seen_file *file = &w->seen.file[i];

		if (file[0].device == space->st_dev &&
		    file[0].inode == space->st_ino &&
		    file[1].device == root->device &&
		    file[1].inode == root->inode)
			return true;
	}
	return false;
}

static int look_at_process(void *user, int proc, const char *pid)
{
	struct walk *w = user;
	struct seen_file root = { 0 };
	struct stat space;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "%s/ns/mnt", pid);
	r = fstatat(proc, path, &space, 0) ? -errno :
					     find_root(proc, pid, &root);
	if (r)
		return numbers_ended(-r) ? 0 : r;
	if (walk_has(w, &space, &root))
		return 0;
	r = seen_add(&w->seen, space.st_dev, space.st_ino);
	if (!r)
		r = seen_add(&w->seen, root.device, root.inode);
	return r ? r : read_mounts(w, proc, pid);
}

int mounts_each(mounts_fn *fn, void *user)
{
	struct walk w = { .fn = fn, .user = user };
	int r = numbers_each(AT_FDCWD, "/proc", look_at_process, &w);

	/* There is our own at least. */
	if (!r && !w.seen.count)
		r = -ENOENT;
	seen_free(&w.seen);
	return r;
}

static bool starts_with(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

int mounts_are_possible(void)
{
	FILE *f = fopen("/proc/filesystems", "re");
	bool any = false;
	char line[64];
	int r = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		const char *type = strchr(line, '\t');

		any |= type && (starts_with(type + 1, "cifs") ||
				starts_with(type + 1, "smb3") ||
				starts_with(type + 1, "nfs"));
	}
	if (ferror(f))
		r = -EIO;
	fclose(f);
	return r ? r : any;
}

const char *mounts_session(const struct mount *m)
{
	if (!strcmp(m->type, "cifs") || !strcmp(m->type, "smb3"))
		return "SMB";
	if (!strncmp(m->type, "nfs", 3) && strstr(m->options, "sec=krb5"))
		return "NFS with Kerberos";
	return NULL;
}
