// SPDX-License-Identifier: MIT
/*
 * The page file, from the side of the publisher. <sysgenid.h> says what readers
 * count on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid.h>

#include "page.h"

#define LOCK	 "lock"
#define PREPARED SYSGENID_SOFT_PAGE ".new"

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static int set_lock(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static int open_folder(const char *path)
{
	struct statfs fs;
	struct stat st;
	int fd, r = 0;

	if (!mkdir(path, 0755))
		r = chmod(path, 0755);
	else if (errno != EEXIST)
		r = -1;
	if (r)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || fstatfs(fd, &fs)) {
		int error = -errno;

		close(fd);
		return error;
	}
	if (st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
	    fs.f_type == TMPFS_MAGIC)
		return fd;
	close(fd);
	return fs.f_type == TMPFS_MAGIC ? -EPERM : -EMEDIUMTYPE;
}

static struct sysgenid_page *map(int fd)
{
	void *p = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void store(uint32_t *to, uint32_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

/* The lock that readers look for; theirs cannot be in the way. */
static bool is_kept(int fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type != F_UNLCK;
}

/*
 * A publisher was killed, and there may have been a resume since. So its readers
 * have to see a change, and the numbers go on where the publisher left off.
 */
static int succeed(int folder, uint32_t *generation)
{
	int fd = openat(folder, SYSGENID_SOFT_PAGE,
			O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct sysgenid_page *page;
	struct stat st;
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (is_kept(fd)) {
		r = -EBUSY;
	} else if (!fstat(fd, &st) && st.st_size >= (off_t)sizeof(*page)) {
		page = map(fd);
		if (page && page->magic == SYSGENID_PAGE_MAGIC) {
			*generation = page->generation + 1;
			store(&page->generation, *generation);
		}
		if (page)
			munmap(page, page_size());
	}
	close(fd);
	return r;
}

/* Nobody sees it before it is whole and locked. */
static int prepare(struct page_file *f, uint32_t generation)
{
	int r;

	if (unlinkat(f->folder, PREPARED, 0) && errno != ENOENT)
		return -errno;
	f->fd = openat(f->folder, PREPARED,
		       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0644);
	/* Everybody may look, whatever the umask. */
	if (f->fd < 0 || fchmod(f->fd, 0644))
		return -errno;
	/* Without memory for it the store would be fatal. */
	r = -posix_fallocate(f->fd, 0, (off_t)page_size());
	if (r)
		return r;
	f->page = map(f->fd);
	if (!f->page)
		return -errno;
	f->page->generation = generation;
	f->page->magic = SYSGENID_PAGE_MAGIC;
	f->page->size = sizeof(*f->page);
	r = set_lock(f->fd, F_WRLCK);
	if (r)
		return r;
	if (renameat(f->folder, PREPARED, f->folder, SYSGENID_SOFT_PAGE))
		return -errno;
	return 0;
}

static void give_back(struct page_file *f)
{
	if (f->page)
		munmap(f->page, page_size());
	if (f->fd >= 0)
		close(f->fd);
	if (f->lock >= 0)
		close(f->lock);
	if (f->folder >= 0)
		close(f->folder);
}

int page_create(struct page_file *f, const char *folder)
{
	uint32_t generation = 0;
	int r = 0;

	*f = (struct page_file){ .folder = -1, .lock = -1, .fd = -1 };
	f->folder = open_folder(folder);
	if (f->folder < 0)
		return f->folder;
	f->lock = openat(f->folder, LOCK,
			 O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->lock < 0)
		r = -errno;
	if (!r)
		r = set_lock(f->lock, F_WRLCK);
	if (!r)
		r = succeed(f->folder, &generation);
	if (!r)
		r = prepare(f, generation);
	if (r)
		give_back(f);
	return r;
}

int page_attach(struct page_file *f, const char *folder)
{
	struct stat st;
	int r = 0;

	*f = (struct page_file){ .folder = -1, .lock = -1, .fd = -1 };
	f->folder =
		open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->folder < 0)
		return -errno;
	f->fd = openat(f->folder, SYSGENID_SOFT_PAGE,
		       O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st))
		r = -errno;
	else if (st.st_size < (off_t)sizeof(*f->page))
		r = -ENODEV;
	else if (!is_kept(f->fd))
		r = -EOWNERDEAD;
	if (!r) {
		f->page = map(f->fd);
		r = f->page ? 0 : -errno;
	}
	if (r)
		give_back(f);
	return r;
}

void page_detach(struct page_file *f)
{
	give_back(f);
}

/* 8 bytes at once may need a lock here. */
static void store_halves(void *to, uint64_t value)
{
	typedef uint32_t __attribute__((__may_alias__)) half;
	union {
		uint64_t whole;
		uint32_t half[2];
	} u = { .whole = value };
	half *h = to;

	__atomic_store_n(&h[0], u.half[0], __ATOMIC_RELEASE);
	__atomic_store_n(&h[1], u.half[1], __ATOMIC_RELEASE);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* In the order of the module: see generation_store() in module/generation.c. */
uint32_t page_publish(const struct page_file *f)
{
	struct sysgenid_page *page = f->page;
	uint32_t generation = page->generation + 1;
	uint64_t time = now_ns();

	/* Each store comes after those before it; readers look at @seq twice. */
	store(&page->seq, page->seq + 1);
	store(&page->source, SYSGENID_SOURCE_SOFTWARE);
	store_halves(&page->time, time);
	/* Pairs with the load-acquires of sysgenid_changed(). */
	store(&page->generation, generation);
	store(&page->seq, page->seq + 1);
	return generation;
}

void page_remove(struct page_file *f)
{
	unlinkat(f->folder, SYSGENID_SOFT_PAGE, 0);
	/* Who sees the last generation finds that nobody vouches for it. */
	set_lock(f->fd, F_UNLCK);
	store(&f->page->generation, f->page->generation + 1);
	give_back(f);
}
