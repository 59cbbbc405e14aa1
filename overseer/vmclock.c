// SPDX-License-Identifier: MIT
/* The hypervisor's page behind /dev/vmclock0, as its specification lays it out; little endian. */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmclock.h"

#define MAGIC		0x4b4c4356 /* "VCLK" */
#define COUNTER_PRESENT (1ull << 8)

/* A writer that was stopped in the middle goes on some time. */
#define TRIES 100000

enum {
	AT_MAGIC = 0x00,
	AT_SEQ = 0x0c,
	AT_FLAGS = 0x18,
	AT_COUNTER = 0x68,
};

static uint32_t load32(const void *page, size_t at)
{
	const uint32_t *word = (const void *)((const char *)page + at);

	return le32toh(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}

static uint64_t get64(const void *copy, size_t at)
{
	uint64_t value;

	memcpy(&value, (const char *)copy + at, sizeof(value));
	return le64toh(value);
}

static int copy_page(const struct vmclock *v, void *copy)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = load32(v->page, AT_SEQ);

		if (seq & 1)
			continue;
		memcpy(copy, v->page, VMCLOCK_SIZE);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (load32(v->page, AT_SEQ) == seq)
			return 0;
	}
	return -EAGAIN;
}

int vmclock_open(struct vmclock *v, const char *path)
{
	unsigned char copy[VMCLOCK_SIZE];
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page;
	int r = 0;

	v->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (v->fd < 0)
		return -errno;
	page = mmap(NULL, size, PROT_READ, MAP_SHARED, v->fd, 0);
	if (page == MAP_FAILED) {
		r = -errno;
		close(v->fd);
		return r;
	}
	v->page = page;
	if (load32(page, AT_MAGIC) != MAGIC)
		r = -EMEDIUMTYPE;
	if (!r)
		r = copy_page(v, copy);
	if (!r && !(get64(copy, AT_FLAGS) & COUNTER_PRESENT))
		r = -EOPNOTSUPP;
	if (r)
		vmclock_close(v);
	else
		v->counter = get64(copy, AT_COUNTER);
	return r;
}

int vmclock_look(struct vmclock *v, void *copy)
{
	int r = copy_page(v, copy);
	uint64_t counter;

	if (r)
		return r;
	counter = get64(copy, AT_COUNTER);
	r = counter != v->counter;
	v->counter = counter;
	return r;
}

void vmclock_close(struct vmclock *v)
{
	munmap((void *)(uintptr_t)v->page, (size_t)sysconf(_SC_PAGESIZE));
	close(v->fd);
}
