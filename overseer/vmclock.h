/* SPDX-License-Identifier: MIT */
#ifndef VMCLOCK_H
#define VMCLOCK_H

#include <stddef.h>
#include <stdint.h>

#define VMCLOCK_DEVICE "/dev/vmclock0"
/* The part of the page that has a meaning. */
#define VMCLOCK_SIZE 0x70

/* The page that the hypervisor writes, and what stood in it last. */
struct vmclock {
	const void *page;
	int fd;
	uint64_t counter;
};

/* 0 or -errno; -EMEDIUMTYPE: no vmclock; -EOPNOTSUPP: one without a generation counter. */
int vmclock_open(struct vmclock *v, const char *path);
/*
 * A copy of one moment. 1: the generation counter has changed since the last
 * look, 0: it has not, or -errno; -EAGAIN: the page changes on every read.
 */
int vmclock_look(struct vmclock *v, void *copy);
void vmclock_close(struct vmclock *v);

#endif /* VMCLOCK_H */
