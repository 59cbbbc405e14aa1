// SPDX-License-Identifier: MIT
/* What the module has to know and say: open files, generations, counts. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define SYSFS "/sys/class/misc/sysgenid/"
#define NEVER UINT64_MAX
/* What the kernel does behind a caller's back may take a while. */
enum { PATIENCE_MS = 20000 };

static void open_epoll(struct world *w)
{
	struct epoll_event event = { .events = EPOLLIN };

	w->inner = epoll_create1(EPOLL_CLOEXEC);
	w->outer = epoll_create1(EPOLL_CLOEXEC);
	if (w->inner < 0 ||
	    epoll_ctl(w->outer, EPOLL_CTL_ADD, w->inner, &event))
		wrong(w, "cannot make epoll sets: %s", strerror(errno));
	w->inner_unknown = false;
}

static unsigned int number_of(const char *path)
{
	char text[64];

	return (unsigned int)strtoul(text_of(path, text, sizeof(text)), NULL,
				     10);
}

void world_open(struct world *w)
{
	memory_open(&w->memory);
	for (int i = 0; i < SLOTS; i++)
		w->slots[i].fd = -1;
	w->ring = -1;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       w->sockets))
		wrong(w, "cannot make sockets: %s", strerror(errno));
	open_epoll(w);
}

void world_close(struct world *w)
{
	for (int i = 0; i < SLOTS; i++)
		clear_slot(w, &w->slots[i]);
	for (int i = 0; i < MAPS; i++) {
		struct map *map = &w->maps[i];

		if (map->at && munmap(map->at, PAGE))
			wrong(w, "munmap: %s", strerror(errno));
		if (map->at)
			file_put(w, map->file);
		map->at = NULL;
	}
	while (w->flying) {
		struct op op = { .a = { 0 } };

		op_receive(w, &op);
		clear_slot(w, &w->slots[0]);
	}
	gate_close(w);
	if (w->inner_unknown) {
		close(w->inner);
		close(w->outer);
		open_epoll(w);
	}
}

/* As root, before the process becomes somebody else. */
void world_learn(struct world *w)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };
	struct sysgenid_watcher entry;
	struct sysgenid_list_args list = { .size = sizeof(list),
					   .flags = SYSGENID_LIST_ALL,
					   .count = 1,
					   .entries = (uintptr_t)&entry,
					   .entry_size = sizeof(entry) };
	int fd = open(SYSGENID_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, SYSGENID_GET, &get) ||
	    ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 1) ||
	    ioctl(fd, SYSGENID_LIST_WATCHERS, &list) || list.count != 1)
		wrong(w, "%s: %s", SYSGENID_DEVICE, strerror(errno));
	close(fd);
	w->generation = get.generation;
	w->source = get.source;
	w->sources = get.sources;
	w->features = get.features;
	w->standing_flags = get.flags & SYSGENID_GET_RESEED_FAILED;
	w->has_instance = get.flags & SYSGENID_GET_INSTANCE;
	w->instance_known = true;
	memcpy(w->instance_id, get.instance_id, sizeof(w->instance_id));
	w->time = get.time;
	w->time_known = true;
	w->last_seen = get.generation;
	w->cgroup_id = entry.cgroup_id;
	w->hw_error = (int)number_of(SYSFS "hw_page_error");
	w->pid = getpid();
	gate_learn(w);
	/* The process goes on under the same number. */
	w->start_time = entry.start_time;
}

struct file *file_new(struct world *w, enum node node)
{
	for (int i = 0; i < FILES; i++) {
		struct file *f = &w->files[i];

		if (f->refs)
			continue;
		*f = (struct file){ .node = node };
		return f;
	}
	wrong(w, "the model has no room for more files");
}

void file_put(struct world *w, struct file *f)
{
	if (!f || --f->refs || !f->uring)
		return;
	w->loose |= f->tracked;
	w->closes_late = true;
	w->inner_unknown |= f->watched;
}

bool is_outdated(const struct world *w, const struct file *f)
{
	return f->confirmed_at != w->published;
}

unsigned int watchers(const struct world *w)
{
	unsigned int n = 0;

	for (int i = 0; i < FILES; i++)
		n += w->files[i].refs && w->files[i].tracked;
	return n;
}

unsigned int outdated(const struct world *w)
{
	unsigned int n = 0;

	for (int i = 0; i < FILES; i++)
		n += w->files[i].refs && w->files[i].tracked &&
		     is_outdated(w, &w->files[i]);
	return n;
}

void publish(struct world *w, uint32_t generation, bool entropy)
{
	w->generation = generation;
	w->published++;
	w->source = SYSGENID_SOURCE_SOFTWARE;
	w->time_known = false;
	w->has_instance = entropy &&
			  !(w->standing_flags & SYSGENID_GET_RESEED_FAILED);
	w->instance_known = !w->has_instance;
	memset(w->instance_id, 0, sizeof(w->instance_id));
}

void identify(struct world *w, struct file *f)
{
	/* A child is dead by the time that anybody asks. */
	f->pid = w->where == CHILD ? 0 : w->pid;
	f->start_time = w->where == CHILD ? 0 : w->start_time;
}

void confirmed(struct world *w, struct file *f, bool identified)
{
	f->confirmed = w->generation;
	f->confirmed_at = w->published;
	f->unknown = f->fresh = false;
	if (identified)
		identify(w, f);
}

bool may_open(const struct world *w, enum node node, bool for_writing)
{
	if (w->open_to_all || w->persona == ROOT ||
	    w->persona == ROOT_NAMESPACE)
		return true;
	return node == GENERATION && !for_writing;
}

bool may_trigger(const struct world *w)
{
	return w->persona == ROOT;
}

bool is_limited(const struct world *w)
{
	return w->persona != ROOT;
}

uint32_t near(const struct world *w, uint32_t raw)
{
	switch (raw % 16) {
	case 0:
		return w->generation + 1;
	case 1:
		return w->generation - 1;
	case 2:
		return 0;
	case 3:
		return UINT32_MAX;
	case 4:
		return raw;
	case 5:
		return w->generation + (raw >> 4 & 0xff);
	default:
		return w->generation;
	}
}

static void check_page(struct world *w, const struct map *map)
{
	struct sysgenid_page page;
	struct sysgenid_record record;
	size_t i = map->shows == SHOWS_COUNTER ? sizeof(page) : sizeof(record);

	if (map->shows == SHOWS_COUNTER) {
		memcpy(&page, map->at, sizeof(page));
		if (page.generation != w->generation ||
		    page.magic != SYSGENID_PAGE_MAGIC ||
		    page.size != sizeof(page) || page.seq % 2 ||
		    page.features != w->features ||
		    (w->time_known && page.time != w->time) ||
		    page.source != w->source ||
		    page.flags !=
			    (w->has_instance ? SYSGENID_PAGE_INSTANCE : 0) ||
		    (w->instance_known &&
		     memcmp(page.instance_id, w->instance_id,
			    sizeof(page.instance_id))) ||
		    page.reserved[0] || page.reserved[1] || page.no_id[0] ||
		    page.no_id[1])
			wrong(w,
			      "the counter page is wrong: generation %u instead of %u",
			      page.generation, w->generation);
	} else if (map->shows == SHOWS_RECORD) {
		memcpy(&record, map->at, sizeof(record));
		if (record.size != sizeof(record) ||
		    record.hw_offset > PAGE - 16)
			wrong(w, "the record page is wrong");
	} else {
		return;
	}
	for (; i < PAGE; i++)
		if (map->at[i])
			wrong(w, "byte %zu of a mapped page is %#x", i,
			      map->at[i]);
}

void check_pages(struct world *w)
{
	const struct sysgenid_page *page;

	for (int i = 0; i < MAPS; i++) {
		const struct map *map = &w->maps[i];

		if (!map->at || !map->readable)
			continue;
		if (!w->blind) {
			check_page(w, map);
		} else if (map->shows == SHOWS_COUNTER) {
			uint32_t now;

			page = (const struct sysgenid_page *)(const void *)
				       map->at;
			now = __atomic_load_n(&page->generation,
					      __ATOMIC_ACQUIRE);
			if ((int32_t)(now - w->last_seen) < 0)
				wrong(w,
				      "the generation goes back from %u to %u",
				      w->last_seen, now);
			w->last_seen = now;
		}
	}
}

const char *text_of(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n < 0 ? 0 : n] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}

/* At once; or, where the kernel may close files later, in the end. */
static void settles(struct world *w, const char *path, unsigned int want,
		    bool late)
{
	unsigned int is = 0;

	for (int ms = 0; ms < (late ? PATIENCE_MS : 1); ms++) {
		is = number_of(path);
		if (is == want)
			return;
		usleep(1000);
	}
	wrong(w, "%s is %u instead of %u", path, is, want);
}

uint32_t lowest_index(const struct world *w)
{
	uint32_t index = 1;

	for (int i = 0; i < FILES; i++) {
		const struct file *f = &w->files[i];

		if (f->refs && f->node == GENERATION && f->index == index) {
			index++;
			i = -1;
		}
	}
	return index;
}

void wait_for_closes(struct world *w)
{
	/* An armed gate holds the module as an open file does. */
	unsigned int files = w->gate.armed;

	if (!w->closes_late || w->blind)
		return;
	for (int i = 0; i < FILES; i++)
		files += w->files[i].refs && w->files[i].node != OTHER &&
			 !w->files[i].path_only;
	settles(w, "/sys/module/sysgenid/refcnt", files, true);
	w->closes_late = false;
}

void check_counts(struct world *w)
{
	settles(w, SYSFS "watchers", watchers(w), w->loose);
	settles(w, SYSFS "outdated", outdated(w), w->loose);
	w->loose = false;
}

void check_nothing_is_left(struct world *w)
{
	settles(w, SYSFS "watchers", 0, w->blind || w->loose);
	settles(w, SYSFS "outdated", 0, w->blind || w->loose);
	settles(w, "/sys/module/sysgenid/refcnt", 0, true);
	w->loose = false;
}
