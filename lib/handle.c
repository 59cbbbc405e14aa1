// SPDX-License-Identifier: MIT
/*
 * What a handle is made of: files, mappings, and whose they are.
 *
 * The library is a guest in its program. A daemon closes every descriptor, and
 * the number that we keep comes to mean a file of the program. So nothing is
 * written to a number, closed, or believed of it before it has been compared
 * with what was opened. Another thread that does this between the comparison
 * and the call cannot be found out.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "internal.h"

/*
 * In a child the kernel clears this page. A comparison of pids would not do. A
 * process with pid 1 can have a child with pid 1, in another pid namespace.
 */
static int mark_for_fork(struct sysgenid *g)
{
	void *p = mmap(NULL, g->page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (p == MAP_FAILED)
		return -errno;
	if (madvise(p, g->page_size, MADV_WIPEONFORK)) {
		r = -errno;
		munmap(p, g->page_size);
		/* Before Linux 4.14. */
		return r == -EINVAL ? 0 : r;
	}
	g->fork_mark = p;
	*g->fork_mark = SYSGENID_FORK_MAGIC;
	return 0;
}

int sysgenid_handle_start(struct sysgenid *g)
{
	*g = (struct sysgenid){
		.page_size = (size_t)sysconf(_SC_PAGESIZE),
		.file.fd = -1,
		.waiter.fd = -1,
		.pid = getpid(),
	};
	return mark_for_fork(g);
}

void sysgenid_handle_end(struct sysgenid *g)
{
	sysgenid_unmap(g, g->record);
	sysgenid_unmap(g, g->hardware);
	sysgenid_unmap(g, g->page);
	sysgenid_unmap(g, g->fork_mark);
	sysgenid_fd_close(&g->waiter);
	sysgenid_fd_close(&g->file);
}

static bool is_child(const struct sysgenid *g)
{
	if (!g->fork_mark)
		return getpid() != g->pid;
	/* At each call anew: a fork changes it. */
	return *(const volatile uint64_t *)g->fork_mark != SYSGENID_FORK_MAGIC;
}

int sysgenid_usable(const struct sysgenid *g)
{
	if (!g)
		return -EINVAL;
	return is_child(g) ? -ECHILD : 0;
}

int sysgenid_fd_note(struct sysgenid_fd *file, bool is_device)
{
	struct stat st;
	int r;

	if (fstat(file->fd, &st)) {
		r = -errno;
		/* Just opened; later the file could not be told apart. */
		close(file->fd);
		file->fd = -1;
		return r;
	}
	file->device = st.st_dev;
	file->inode = st.st_ino;
	file->node = st.st_rdev;
	return !is_device || S_ISCHR(st.st_mode) ? 0 : -ENODEV;
}

int sysgenid_fd_check(const struct sysgenid_fd *file)
{
	struct stat st;

	if (fstat(file->fd, &st))
		return -errno;
	return st.st_dev == file->device && st.st_ino == file->inode &&
			       st.st_rdev == file->node ?
		       0 :
		       -EBADF;
}

int sysgenid_fd_close(struct sysgenid_fd *file)
{
	int r = file->fd < 0 ? -EBADF : sysgenid_fd_check(file);

	if (!r)
		close(file->fd);
	file->fd = -1;
	return r;
}

/* What ioctl(2) takes: in glibc an unsigned long, in POSIX and musl an int. */
#ifdef __GLIBC__
typedef unsigned long ioctl_command;
#else
typedef int ioctl_command;
#endif

int sysgenid_ioctl(int fd, unsigned long command, void *arg)
{
	int r = ioctl(fd, (ioctl_command)command, arg);

	if (r < 0)
		return -errno;
	return r > 0 ? -ENODEV : 0;
}

void *sysgenid_map(const struct sysgenid *g, const struct sysgenid_fd *file,
		   size_t offset)
{
	void *p = mmap(NULL, g->page_size, PROT_READ, MAP_SHARED, file->fd,
		       (off_t)offset);

	return p == MAP_FAILED ? NULL : p;
}

void sysgenid_unmap(const struct sysgenid *g, void *p)
{
	if (p)
		munmap(p, g->page_size);
}

int sysgenid_map_page(struct sysgenid *g, const struct sysgenid_fd *file)
{
	const struct sysgenid_page *page;
	int r;

	g->page = sysgenid_map(g, file, 0);
	if (!g->page)
		return -errno;
	/* Another file, mapped by mistake, could be cut short under us. */
	r = sysgenid_fd_check(file);
	if (r)
		return r;
	page = g->page;
	/* An old driver's page is zero beyond the generation, so no_id is too. */
	if (!g->old_driver && (page->magic != SYSGENID_PAGE_MAGIC ||
			       page->size < SYSGENID_FIRST_PAGE_SIZE))
		return -ENODEV;
	g->view.generation = &page->generation;
	g->view.hardware_id = (const uint64_t *)page->no_id;
	g->view.recorded_id = (const uint64_t *)page->no_id;
	return 0;
}
