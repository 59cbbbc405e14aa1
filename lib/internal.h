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
 * Nothing here changes between open and close: the state is the kernel's, and
 * the calls need no lock.
 *
 * @fd: what the program tracks, confirms and polls; or the page file.
 * @wait_fd: never tracked. The page is mapped through it, as a mapping keeps
 *	its open file alive and with it the watcher; sysgenid_wait() confirms
 *	on it, which must not confirm for the program.
 */
struct sysgenid {
	struct sysgenid_view view;
	void *page;
	void *hardware;
	void *record;
	size_t page_size;
	int fd;
	int wait_fd;
	pid_t pid;
	bool writable;
	bool wait_writable;
	bool old_driver;
	bool soft;
};

/* With the paths of the nodes and of the page file's folder, for tests. */
SYSGENID_HIDDEN int sysgenid_open_at(struct sysgenid **out, const char *path,
				     const char *hw_path, const char *folder,
				     unsigned int flags);
/* -ENODEV if this is no counter page. */
SYSGENID_HIDDEN int sysgenid_map_page(struct sysgenid *g, int fd);
SYSGENID_HIDDEN int sysgenid_open_soft(struct sysgenid *g, const char *folder);
/* -EOWNERDEAD if the publisher has ended. */
SYSGENID_HIDDEN int sysgenid_publisher(const struct sysgenid *g);
SYSGENID_HIDDEN int sysgenid_soft_info(const struct sysgenid *g,
				       struct sysgenid_info *info);

/*
 * The child of a fork shares the open file: what it confirms, its parent would
 * have confirmed.
 */
static inline int sysgenid_usable(const struct sysgenid *g)
{
	if (!g)
		return -EINVAL;
	if (getpid() != g->pid)
		return -ECHILD;
	return 0;
}

static inline uint32_t sysgenid_load(const struct sysgenid *g)
{
	return __atomic_load_n(g->view.generation, __ATOMIC_ACQUIRE);
}

/* No command returns a positive number; who does is no sysgenid. */
SYSGENID_HIDDEN int sysgenid_ioctl(int fd, unsigned long command, void *arg);
SYSGENID_HIDDEN int sysgenid_confirm_fd(const struct sysgenid *g, int fd,
					bool writable, uint32_t generation);

#endif /* SYSGENID_INTERNAL_H */
