/* SPDX-License-Identifier: MIT */
#ifndef SYSGENID_INTERNAL_H
#define SYSGENID_INTERNAL_H

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

#include <sysgenid.h>

#define SYSGENID_PUBLIC __attribute__((visibility("default")))
#define SYSGENID_HIDDEN __attribute__((visibility("hidden")))

/*
 * An open file, and what fstat(2) said of it then. A program may close our
 * number together with its own, and the number comes to mean another file.
 */
struct sysgenid_fd {
	int fd;
	bool writable;
	dev_t device;
	ino_t inode;
	dev_t node;
};

/*
 * Nothing here changes between open and close: the state is the kernel's, and
 * the calls need no lock.
 *
 * @file: what the program tracks, confirms and polls; or the page file.
 * @vmclock: @hardware is the page of vmclock.
 * @waiter: never tracked. The page is mapped through this file. A mapping keeps
 *	its open file alive, and with the file its watcher. What
 *	sysgenid_wait() confirms here does not count for the program.
 */
struct sysgenid {
	struct sysgenid_view view;
	void *page;
	void *hardware;
	void *record;
	size_t page_size;
	struct sysgenid_fd file;
	struct sysgenid_fd waiter;
	/* SYSGENID_FORK_MAGIC, and in a child 0; NULL before Linux 4.14. */
	uint64_t *fork_mark;
	pid_t pid;
	bool old_driver;
	bool soft;
	bool vmclock;
};

static inline uint32_t sysgenid_load(const struct sysgenid *g)
{
	return __atomic_load_n(g->view.generation, __ATOMIC_ACQUIRE);
}

/* handle.c: what a handle is made of, and who may use it. */
SYSGENID_HIDDEN int sysgenid_handle_start(struct sysgenid *g);
SYSGENID_HIDDEN void sysgenid_handle_end(struct sysgenid *g);
/* -ECHILD in a child: it shares the open file, and would confirm for its parent. */
SYSGENID_HIDDEN int sysgenid_usable(const struct sysgenid *g);
/* -ENODEV if this is no character device. */
SYSGENID_HIDDEN int sysgenid_fd_note(struct sysgenid_fd *file, bool is_device);
/* -EBADF if the number means another file now, or none. */
SYSGENID_HIDDEN int sysgenid_fd_check(const struct sysgenid_fd *file);
/* 0; else it stays open: -EBADF if the number means another file, or -errno. */
SYSGENID_HIDDEN int sysgenid_fd_close(struct sysgenid_fd *file);
/* No command returns a positive number; who does is no sysgenid. */
SYSGENID_HIDDEN int sysgenid_ioctl(int fd, unsigned long command, void *arg);
SYSGENID_HIDDEN void *sysgenid_map(const struct sysgenid *g,
				   const struct sysgenid_fd *file,
				   size_t offset);
SYSGENID_HIDDEN void sysgenid_unmap(const struct sysgenid *g, void *p);
/* -ENODEV if this is no counter page. */
SYSGENID_HIDDEN int sysgenid_map_page(struct sysgenid *g,
				      const struct sysgenid_fd *file);

/* Bytes of the first version of the counter page: all that the library needs. */
#define SYSGENID_FIRST_PAGE_SIZE offsetof(struct sysgenid_page, instance_id)

/* soft.c */
SYSGENID_HIDDEN int sysgenid_open_soft(struct sysgenid *g, const char *folder);
/* -EOWNERDEAD if the publisher has ended. */
SYSGENID_HIDDEN int sysgenid_publisher(const struct sysgenid *g);
SYSGENID_HIDDEN int sysgenid_soft_info(const struct sysgenid *g,
				       struct sysgenid_info *info);

/* open.c: with the paths of the nodes and of the page file's directory, for tests. */
SYSGENID_HIDDEN int sysgenid_open_paths(struct sysgenid **out, const char *path,
					const char *hw_path, const char *folder,
					unsigned int flags);

/* sysgenid.c */
SYSGENID_HIDDEN int sysgenid_confirm_fd(const struct sysgenid *g,
					const struct sysgenid_fd *file,
					uint32_t generation);

#endif /* SYSGENID_INTERNAL_H */
