// SPDX-License-Identifier: MIT
/*
 * The page file of a publisher, for machines that cannot load modules.
 *
 * Who could write to it, or put another one in its place, could have every
 * program go on as the clone of another. So nobody but root may be able to.
 *
 * The publisher holds a write lock while it lives. To ask for that takes no
 * lock, so that readers are in nobody's way. Only who can write to the file can
 * pass for a publisher.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "internal.h"

static bool only_root_writes(const struct stat *st)
{
	return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* Anything else by this name is not the publisher's. */
static int open_error(void)
{
	if (errno == ENOTDIR || errno == ELOOP || errno == ENXIO)
		return -ENODEV;
	return -errno;
}

static int check_folder(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return only_root_writes(&st) ? 0 : -ENODEV;
}

/* A file on a disk could be from before the machine was started. */
static int check_file(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || fstatfs(fd, &fs))
		return -errno;
	if (!S_ISREG(st.st_mode) || !only_root_writes(&st) ||
	    fs.f_type != TMPFS_MAGIC ||
	    st.st_size < (off_t)SYSGENID_FIRST_PAGE_SIZE)
		return -ENODEV;
	return 0;
}

static int open_page(const char *folder)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int dir = open(folder, flags | O_DIRECTORY);
	int r, fd = -1;

	if (dir < 0)
		return open_error();
	r = check_folder(dir);
	if (!r) {
		fd = openat(dir, SYSGENID_SOFT_PAGE, flags);
		if (fd < 0)
			r = open_error();
	}
	close(dir);
	return r ? r : fd;
}

int sysgenid_publisher(const struct sysgenid *g)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	int r = sysgenid_fd_check(&g->file);

	/* Of another file that is locked, somebody else is alive. */
	if (r)
		return r;
	if (fcntl(g->file.fd, F_OFD_GETLK, &lock))
		return -errno;
	return lock.l_type == F_UNLCK ? -EOWNERDEAD : 0;
}

int sysgenid_open_soft(struct sysgenid *g, const char *folder)
{
	int r;

	g->file.fd = open_page(folder);
	r = g->file.fd < 0 ? g->file.fd : sysgenid_fd_note(&g->file, false);
	if (!r)
		r = check_file(g->file.fd);
	if (!r)
		r = sysgenid_map_page(g, &g->file);
	if (!r)
		r = sysgenid_publisher(g);
	g->soft = true;
	/* A page that nobody keeps up to date is as good as none. */
	return r == -EOWNERDEAD ? -ENODEV : r;
}

/* Of 8 bytes that may change meanwhile: whoever reads them looks at @seq, too. */
static uint64_t load_halves(const void *p)
{
	typedef uint32_t __attribute__((__may_alias__)) half;
	const half *h = p;
	union {
		uint32_t half[2];
		uint64_t whole;
	} u;

	u.half[0] = __atomic_load_n(&h[0], __ATOMIC_ACQUIRE);
	u.half[1] = __atomic_load_n(&h[1], __ATOMIC_ACQUIRE);
	return u.whole;
}

/* A publisher that was stopped in the middle leaves @source and @time unknown. */
static void load_source(const struct sysgenid_page *page,
			struct sysgenid_info *info)
{
	for (int tries = 0; tries < 8; tries++) {
		uint32_t seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);
		uint32_t source =
			__atomic_load_n(&page->source, __ATOMIC_ACQUIRE);
		uint64_t time = load_halves(&page->time);

		if (seq % 2 == 0 &&
		    __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE) == seq) {
			info->source = source;
			info->time = time;
			return;
		}
	}
}

int sysgenid_soft_info(const struct sysgenid *g, struct sysgenid_info *info)
{
	const struct sysgenid_page *page = g->page;

	info->generation = sysgenid_load(g);
	info->features = page->features;
	load_source(page, info);
	info->sources = 1u << SYSGENID_SOURCE_SOFTWARE;
	info->handle = SYSGENID_HANDLE_SOFT;
	return sysgenid_publisher(g);
}
