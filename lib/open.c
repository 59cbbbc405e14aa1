// SPDX-License-Identifier: MIT
/* Opening and closing: find out what the node is, map what may be mapped. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "internal.h"

static int open_node(const char *path, bool *writable)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	*writable = fd >= 0;
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	/* A folder; a socket or a node without a driver. */
	if (errno == EISDIR || errno == ENXIO)
		return -ENODEV;
	return -errno;
}

static int check_char_device(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return S_ISCHR(st.st_mode) ? 0 : -ENODEV;
}

static int identify(struct sysgenid *g)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };
	int r = check_char_device(g->fd);

	if (r)
		return r;
	r = sysgenid_ioctl(g->fd, SYSGENID_GET, &get);
	/* What both an old driver and a stranger say to an unknown command. */
	if (r != -EINVAL && r != -ENOTTY)
		return r;
	g->old_driver = true;
	r = sysgenid_ioctl(g->fd, SYSGENID_SET_WATCHER_TRACKING, NULL);
	return r ? -ENODEV : 0;
}

static void *map(const struct sysgenid *g, int fd, size_t offset)
{
	void *p = mmap(NULL, g->page_size, PROT_READ, MAP_SHARED, fd,
		       (off_t)offset);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap(const struct sysgenid *g, void *p)
{
	if (p)
		munmap(p, g->page_size);
}

int sysgenid_map_page(struct sysgenid *g, int fd)
{
	const struct sysgenid_page *page;

	g->page = map(g, fd, 0);
	if (!g->page)
		return -errno;
	page = g->page;
	/* An old driver's page is zero beyond the generation, so no_id is too. */
	if (!g->old_driver &&
	    (page->magic != SYSGENID_PAGE_MAGIC || page->size < sizeof(*page)))
		return -ENODEV;
	g->view.generation = &page->generation;
	g->view.hardware_id = (const uint64_t *)page->no_id;
	g->view.recorded_id = (const uint64_t *)page->no_id;
	return 0;
}

static bool record_makes_sense(const struct sysgenid *g)
{
	const struct sysgenid_record *record = g->record;

	return record->size >= sizeof(*record) && record->hw_offset % 8 == 0 &&
	       record->hw_offset <= g->page_size - sizeof(record->id);
}

/* Whatever goes wrong here, the counter is still there. */
static void map_hardware(struct sysgenid *g, const char *hw_path)
{
	int fd = open(hw_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const struct sysgenid_record *record;

	if (fd < 0)
		return;
	if (check_char_device(fd) == 0) {
		g->hardware = map(g, fd, 0);
		g->record = map(g, fd, g->page_size);
	}
	close(fd);
	if (!g->hardware || !g->record || !record_makes_sense(g)) {
		unmap(g, g->hardware);
		unmap(g, g->record);
		g->hardware = NULL;
		g->record = NULL;
		return;
	}
	record = g->record;
	g->view.recorded_id = (const uint64_t *)record->id;
	g->view.hardware_id =
		(const uint64_t *)(const void *)((const char *)g->hardware +
						 record->hw_offset);
}

static int open_device(struct sysgenid *g, const char *path,
		       const char *hw_path)
{
	int r;

	g->fd = open_node(path, &g->writable);
	r = g->fd < 0 ? g->fd : identify(g);
	if (r)
		return r;
	g->wait_fd = open_node(path, &g->wait_writable);
	r = g->wait_fd < 0 ? g->wait_fd : sysgenid_map_page(g, g->wait_fd);
	if (r)
		return r;
	if (!g->old_driver)
		map_hardware(g, hw_path);
	return 0;
}

static void start(struct sysgenid *g)
{
	*g = (struct sysgenid){
		.page_size = (size_t)sysconf(_SC_PAGESIZE),
		.fd = -1,
		.wait_fd = -1,
		.pid = getpid(),
	};
}

static void give_back(struct sysgenid *g)
{
	unmap(g, g->record);
	unmap(g, g->hardware);
	unmap(g, g->page);
	if (g->wait_fd >= 0)
		close(g->wait_fd);
	if (g->fd >= 0)
		close(g->fd);
}

int sysgenid_open_at(struct sysgenid **out, const char *path,
		     const char *hw_path, const char *folder,
		     unsigned int flags)
{
	struct sysgenid *g;
	int r, soft;

	if (!out)
		return -EINVAL;
	*out = NULL;
	if (flags & ~SYSGENID_OPEN_SOFT)
		return -EINVAL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	start(g);
	r = open_device(g, path, hw_path);
	if (flags & SYSGENID_OPEN_SOFT && (r == -ENOENT || r == -ENODEV)) {
		give_back(g);
		start(g);
		soft = sysgenid_open_soft(g, folder);
		/* If there is neither, the device is what was looked for. */
		if (soft != -ENOENT)
			r = soft;
	}
	if (r)
		sysgenid_close(g);
	else
		*out = g;
	return r;
}

SYSGENID_PUBLIC int sysgenid_open(struct sysgenid **out, unsigned int flags)
{
	return sysgenid_open_at(out, SYSGENID_DEVICE, SYSGENID_HW_DEVICE,
				SYSGENID_SOFT_FOLDER, flags);
}

SYSGENID_PUBLIC void sysgenid_close(struct sysgenid *g)
{
	int saved = errno;

	if (!g)
		return;
	give_back(g);
	free(g);
	errno = saved;
}

SYSGENID_PUBLIC int sysgenid_get_fd(const struct sysgenid *g)
{
	if (!g)
		return -EINVAL;
	return g->soft ? -EOPNOTSUPP : g->fd;
}

SYSGENID_PUBLIC const struct sysgenid_view *
sysgenid_get_view(const struct sysgenid *g)
{
	return g ? &g->view : NULL;
}

SYSGENID_PUBLIC bool sysgenid_is_exact(const struct sysgenid *g)
{
	return g && g->hardware;
}
