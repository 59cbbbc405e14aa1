// SPDX-License-Identifier: MIT
/* Opening and closing: find out what the node is, map what may be mapped. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

/* SYSGENID_HW_DEVICE is SYSGENID_DEVICE with it. */
#define HW_SUFFIX "-hw"

static int open_node(const char *path, struct sysgenid_fd *file)
{
	file->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	file->writable = file->fd >= 0;
	if (file->fd < 0 &&
	    (errno == EACCES || errno == EPERM || errno == EROFS))
		file->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (file->fd >= 0)
		return sysgenid_fd_note(file, true);
	/* A directory; a socket or a node without a driver. */
	if (errno == EISDIR || errno == ENXIO)
		return -ENODEV;
	return -errno;
}

static int identify(struct sysgenid *g)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };
	int r = sysgenid_ioctl(g->file.fd, SYSGENID_GET, &get);

	/* What both an old driver and a stranger say to an unknown command. */
	if (r != -EINVAL && r != -ENOTTY)
		return r;
	g->old_driver = true;
	r = sysgenid_ioctl(g->file.fd, SYSGENID_SET_WATCHER_TRACKING, NULL);
	return r ? -ENODEV : 0;
}

static bool record_makes_sense(const struct sysgenid *g)
{
	const struct sysgenid_record *record = g->record;

	return record->size >= sizeof(*record) && record->hw_offset % 8 == 0 &&
	       record->hw_offset <= g->page_size - sizeof(record->id);
}

/*
 * Not there, or not for us: then there is the counter alone. EBUSY, EOPNOTSUPP
 * and ENODEV are how the module says that it has no page to show.
 */
static bool is_refusal(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENXIO:
	case -ENODEV:
	case -EBUSY:
	case -EOPNOTSUPP:
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return true;
	default:
		return false;
	}
}

/* @hardware, @record: in pages. */
static int map_pages(struct sysgenid *g, const struct sysgenid_fd *file,
		     size_t hardware, size_t record)
{
	g->hardware = sysgenid_map(g, file, hardware * g->page_size);
	if (!g->hardware)
		return -errno;
	g->record = sysgenid_map(g, file, record * g->page_size);
	return g->record ? 0 : -errno;
}

/*
 * The view is exact, if @error is 0 and the record makes sense. Else the pages go.
 * Out of memory is a failure: who may be exact would not be, for good.
 */
static int use_pages(struct sysgenid *g, int error)
{
	const struct sysgenid_record *record = g->record;

	if (error || !record_makes_sense(g)) {
		sysgenid_unmap(g, g->hardware);
		sysgenid_unmap(g, g->record);
		g->hardware = NULL;
		g->record = NULL;
		return is_refusal(error) ? 0 : error;
	}
	g->view.recorded_id = (const uint64_t *)record->id;
	g->view.hardware_id =
		(const uint64_t *)(const void *)((const char *)g->hardware +
						 record->hw_offset);
	return 0;
}

/* Out of descriptors, too. */
static int map_hardware(struct sysgenid *g, const char *hw_path)
{
	struct sysgenid_fd file = {
		.fd = open(hw_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC),
	};
	int r, closed;

	if (file.fd < 0)
		return is_refusal(-errno) ? 0 : -errno;
	r = sysgenid_fd_note(&file, true);
	if (!r)
		r = map_pages(g, &file, 0, 1);
	closed = file.fd < 0 ? 0 : sysgenid_fd_close(&file);
	if (!r || closed == -EBADF)
		r = closed;
	return use_pages(g, r);
}

/* For who may not map the VM generation id, which is the better one. */
static int map_vmclock(struct sysgenid *g)
{
	const struct sysgenid_page *page = g->page;
	int r;

	if (g->hardware || !(page->features & SYSGENID_FEATURE_VMCLOCK_PAGE))
		return 0;
	r = map_pages(g, &g->waiter, SYSGENID_VMCLOCK_PAGE,
		      SYSGENID_VMCLOCK_RECORD);
	if (!r)
		r = sysgenid_fd_check(&g->waiter);
	r = use_pages(g, r);
	g->vmclock = g->hardware;
	return r;
}

static int open_device(struct sysgenid *g, const char *path,
		       const char *hw_path)
{
	int r = open_node(path, &g->file);

	if (!r)
		r = identify(g);
	if (!r)
		r = open_node(path, &g->waiter);
	if (!r)
		r = sysgenid_map_page(g, &g->waiter);
	if (!r && !g->old_driver)
		r = map_hardware(g, hw_path);
	if (!r && !g->old_driver)
		r = map_vmclock(g);
	return r;
}

int sysgenid_open_paths(struct sysgenid **out, const char *path,
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
	r = sysgenid_handle_start(g);
	if (!r)
		r = open_device(g, path, hw_path);
	if (flags & SYSGENID_OPEN_SOFT && (r == -ENOENT || r == -ENODEV)) {
		sysgenid_handle_end(g);
		soft = sysgenid_handle_start(g);
		if (!soft)
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
	return sysgenid_open_paths(out, SYSGENID_DEVICE, SYSGENID_HW_DEVICE,
				   SYSGENID_SOFT_FOLDER, flags);
}

SYSGENID_PUBLIC int sysgenid_open_at(struct sysgenid **out, const char *path,
				     unsigned int flags)
{
	char hw_path[PATH_MAX];

	if (!out)
		return -EINVAL;
	*out = NULL;
	if (!path || flags)
		return -EINVAL;
	if (snprintf(hw_path, sizeof(hw_path), "%s" HW_SUFFIX, path) >=
	    (int)sizeof(hw_path))
		return -ENAMETOOLONG;
	return sysgenid_open_paths(out, path, hw_path, SYSGENID_SOFT_FOLDER, 0);
}

SYSGENID_PUBLIC void sysgenid_close(struct sysgenid *g)
{
	int saved = errno;

	if (!g)
		return;
	sysgenid_handle_end(g);
	free(g);
	errno = saved;
}
