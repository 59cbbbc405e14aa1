// SPDX-License-Identifier: MIT
/* A poll by io_uring, by raw calls: liburing is not worth a dependency for one. */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <sys/syscall.h>

#include "conformance.h"

static struct io_uring_params params;
static int ring;

static void *map_ring(uint64_t offset, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		       (off_t)offset);

	if (p == MAP_FAILED)
		fail("cannot map the ring: %s", strerror(errno));
	return p;
}

static uint32_t *at(void *base, uint32_t offset)
{
	return (uint32_t *)((char *)base + offset);
}

static int enter(unsigned int submit, unsigned int wait)
{
	return (int)syscall(__NR_io_uring_enter, ring, submit, wait,
			    wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

void uring_poll(void)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	void *sq, *cq;
	uint32_t tail;
	int fd = open_rw();

	ring = (int)syscall(__NR_io_uring_setup, 1, &params);
	if (ring < 0)
		skip("no io_uring: %s", strerror(errno));
	sq = map_ring(IORING_OFF_SQ_RING,
		      params.sq_off.array + sizeof(uint32_t));
	cq = map_ring(IORING_OFF_CQ_RING,
		      params.cq_off.cqes + params.cq_entries * sizeof(*cqe));
	sqe = map_ring(IORING_OFF_SQES, sizeof(*sqe));

	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = fd;
	sqe->poll32_events = POLLIN;
	*at(sq, params.sq_off.array) = 0;
	tail = *at(sq, params.sq_off.tail);
	__atomic_store_n(at(sq, params.sq_off.tail), tail + 1,
			 __ATOMIC_RELEASE);
	EXPECT_EQ(1, enter(1, 0));

	sleep_ms(50);
	EXPECT_EQ(*at(cq, params.cq_off.head),
		  __atomic_load_n(at(cq, params.cq_off.tail),
				  __ATOMIC_ACQUIRE));
	trigger();
	EXPECT(enter(0, 1) >= 0);
	cqe = (struct io_uring_cqe *)at(cq, params.cq_off.cqes);
	EXPECT(cqe->res > 0 && cqe->res & POLLIN);
	confirm(fd);
	EXPECT(!readable(fd));
}
