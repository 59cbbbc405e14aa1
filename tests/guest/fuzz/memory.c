// SPDX-License-Identifier: MIT
/* Addresses, good and bad, and what memory has to look like after a call. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static void *map_at(void *at, size_t len, int prot, int fd, off_t offset)
{
	int flags = (at ? MAP_FIXED : 0) |
		    (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
	void *p = mmap(at, len, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		wrong(NULL, "cannot map memory: %s", strerror(errno));
	return p;
}

void memory_open(struct memory *m)
{
	int fd = memfd_create("arguments", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, READABLE))
		wrong(NULL, "cannot make memory: %s", strerror(errno));
	m->all = map_at(NULL, READABLE, PROT_READ | PROT_WRITE, fd, 0);
	m->at = map_at(NULL, READABLE + PAGE, PROT_NONE, -1, 0);
	map_at(m->at, WRITABLE, PROT_READ | PROT_WRITE, fd, 0);
	map_at(m->at + WRITABLE, PAGE, PROT_READ, fd, WRITABLE);
	m->edge = map_at(NULL, 2 * PAGE, PROT_NONE, -1, 0);
	map_at(m->edge, PAGE, PROT_READ | PROT_WRITE, fd, WRITABLE - PAGE);
	close(fd);
}

void memory_close(struct memory *m)
{
	munmap(m->all, READABLE);
	munmap(m->at, READABLE + PAGE);
	munmap(m->edge, 2 * PAGE);
}

uint64_t place(const struct world *w, uint32_t kind, size_t offset)
{
	const struct memory *m = &w->memory;
	uint64_t near_end = kind >> 8 & 0x7f;
	const struct map *map = &w->maps[(kind >> 8) % MAPS];

	switch (kind % 40) {
	case 1:
		return (uintptr_t)m->at + offset + 1 + (kind >> 8) % 7;
	case 2:
		return 0;
	case 3:
		return 8;
	case 4:
		return (uintptr_t)m->at + WRITABLE + offset % 2048;
	case 5:
		return (uintptr_t)m->at + WRITABLE - near_end;
	case 6:
		return (uintptr_t)m->at + READABLE - near_end;
	case 7:
		return (uintptr_t)m->at + READABLE;
	case 8:
		return 0xffff888000001000;
	case 9:
		return 0xffffffff81000000;
	case 10:
		return 0x0000800000000000 - near_end;
	case 11:
		return 0x8000000000000000;
	case 12:
		return -near_end;
	case 13:
	case 14:
		return (uintptr_t)m->edge + PAGE - near_end;
	case 15:
		if (map->at)
			return (uintptr_t)map->at;
		/* fall through */
	default:
		return (uintptr_t)m->at + offset;
	}
}

static bool within(uint64_t at, size_t len, const void *from, size_t size)
{
	return at >= (uintptr_t)from && at - (uintptr_t)from <= size &&
	       len <= size - (at - (uintptr_t)from);
}

bool can_write(const struct world *w, uint64_t at, size_t len)
{
	return !len || within(at, len, w->memory.at, WRITABLE) ||
	       within(at, len, w->memory.edge, PAGE);
}

bool can_read(const struct world *w, uint64_t at, size_t len)
{
	if (!len || within(at, len, w->memory.at, READABLE) ||
	    within(at, len, w->memory.edge, PAGE))
		return true;
	for (int i = 0; i < MAPS; i++) {
		const struct map *map = &w->maps[i];

		if (map->at && map->readable && within(at, len, map->at, PAGE))
			return true;
	}
	return false;
}

/* Where this byte is in @all, or -1. */
static ssize_t offset_of(const struct world *w, uint64_t at)
{
	const struct memory *m = &w->memory;

	if (within(at, 1, m->at, READABLE))
		return (ssize_t)(at - (uintptr_t)m->at);
	if (within(at, 1, m->edge, PAGE))
		return (ssize_t)(at - (uintptr_t)m->edge) + WRITABLE - PAGE;
	return -1;
}

static size_t room(const struct world *w, uint64_t at, size_t len)
{
	size_t most = within(at, 1, w->memory.edge, PAGE) ?
			      (uintptr_t)w->memory.edge + PAGE - at :
			      (uintptr_t)w->memory.at + READABLE - at;

	return len < most ? len : most;
}

void put(struct world *w, uint64_t at, const void *data, size_t len)
{
	ssize_t offset = offset_of(w, at);

	if (offset >= 0)
		memcpy(w->memory.all + offset, data, room(w, at, len));
}

void image_begin(struct world *w)
{
	if (!w->blind)
		memcpy(w->memory.image, w->memory.all, READABLE);
}

unsigned char *image_at(struct world *w, uint64_t at)
{
	return w->memory.image + offset_of(w, at);
}

unsigned char *memory_at(struct world *w, uint64_t at)
{
	return w->memory.all + offset_of(w, at);
}

void image_put(struct world *w, uint64_t at, const void *data, size_t len)
{
	if (len && !w->blind)
		memcpy(image_at(w, at), data, len);
}

void image_get(struct world *w, uint64_t at, void *data, size_t len)
{
	bool shown = !w->blind && offset_of(w, at) >= 0;

	if (len)
		memcpy(data, shown ? image_at(w, at) : (void *)(uintptr_t)at,
		       len);
}

void image_check(struct world *w)
{
	const unsigned char *is = w->memory.all, *want = w->memory.image;
	size_t i = 0;

	if (w->blind || !memcmp(is, want, READABLE))
		return;
	while (is[i] == want[i])
		i++;
	wrong(w,
	      "memory at %p + %#zx is %02x %02x %02x %02x instead of %02x %02x %02x %02x",
	      (void *)w->memory.at, i, is[i], is[i + 1], is[i + 2], is[i + 3],
	      want[i], want[i + 1], want[i + 2], want[i + 3]);
}
