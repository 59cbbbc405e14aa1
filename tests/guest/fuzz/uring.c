// SPDX-License-Identifier: MIT
/* Reading, writing and polling by io_uring, by raw calls. */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

enum { ENTRIES = 4, REQUEST = 1, CANCEL = 2 };

static struct io_uring_params params;
static unsigned char *sq, *cq;
static struct io_uring_sqe *sqes;

static uint32_t *at(unsigned char *base, uint32_t offset)
{
	return (uint32_t *)(void *)(base + offset);
}

static void *map_ring(int ring, uint64_t offset, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		       (off_t)offset);

	if (p == MAP_FAILED)
		wrong(NULL, "cannot map the ring: %s", strerror(errno));
	return p;
}

int uring_open(void)
{
	int ring;

	memset(&params, 0, sizeof(params));
	ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &params);
	if (ring < 0)
		return -1;
	sq = map_ring(ring, IORING_OFF_SQ_RING,
		      params.sq_off.array + ENTRIES * sizeof(uint32_t));
	cq = map_ring(ring, IORING_OFF_CQ_RING,
		      params.cq_off.cqes +
			      params.cq_entries * sizeof(struct io_uring_cqe));
	sqes = map_ring(ring, IORING_OFF_SQES, ENTRIES * sizeof(*sqes));
	return ring;
}

void uring_close(int ring)
{
	if (ring >= 0)
		close(ring);
}

static void submit(struct world *w, const struct io_uring_sqe *sqe)
{
	uint32_t tail = *at(sq, params.sq_off.tail),
		 mask = *at(sq, params.sq_off.ring_mask);

	sqes[tail & mask] = *sqe;
	at(sq, params.sq_off.array)[tail & mask] = tail & mask;
	__atomic_store_n(at(sq, params.sq_off.tail), tail + 1,
			 __ATOMIC_RELEASE);
	if (CALL(w, SYS_io_uring_enter, w->ring, 1, 0, 0, NULL, 0) != 1)
		wrong(w, "io_uring takes no request");
}

/* The next result, if there is one. */
static bool take(struct io_uring_cqe *cqe)
{
	uint32_t head = *at(cq, params.cq_off.head),
		 mask = *at(cq, params.cq_off.ring_mask);
	struct io_uring_cqe *cqes =
		(struct io_uring_cqe *)(void *)(cq + params.cq_off.cqes);

	if (head ==
	    __atomic_load_n(at(cq, params.cq_off.tail), __ATOMIC_ACQUIRE))
		return false;
	*cqe = cqes[head & mask];
	__atomic_store_n(at(cq, params.cq_off.head), head + 1,
			 __ATOMIC_RELEASE);
	return true;
}

static void next(struct world *w, struct io_uring_cqe *cqe)
{
	while (!take(cqe))
		CALL(w, SYS_io_uring_enter, w->ring, 0, 1,
		     IORING_ENTER_GETEVENTS, NULL, 0);
}

/* Also one that would never come. */
static int result(struct world *w, bool sleeps)
{
	struct io_uring_sqe cancel = { .opcode = IORING_OP_ASYNC_CANCEL,
				       .addr = REQUEST,
				       .user_data = CANCEL };
	struct io_uring_cqe cqe;
	bool canceled = false, done = false;
	int ret = 0;

	if (sleeps) {
		submit(w, &cancel);
	} else {
		next(w, &cqe);
		return cqe.res;
	}
	while (!canceled || !done) {
		next(w, &cqe);
		if (cqe.user_data == CANCEL) {
			canceled = true;
		} else {
			done = true;
			ret = cqe.res;
		}
	}
	return ret;
}

/*
 * slot, what, where, how many bytes, value. Where the file may sleep, io_uring
 * polls before it reads or writes: a write waits for an EPOLLOUT that never
 * comes. After EAGAIN io_uring polls, too.
 */
void op_uring(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	uint64_t where = place(w, op->a[2], 0x40);
	struct io_uring_sqe sqe = { .fd = s->fd,
				    .user_data = REQUEST,
				    .addr = where,
				    .len = op->a[3] % 3 ? 4 :
							  op->a[3] % 9 + 1 };
	uint32_t value = near(w, op->a[4]), what = op->a[1] % 3;
	struct file *f = s->file;
	bool sleeps, unused;
	long want;
	int got;

	if (w->blind || w->ring < 0 || !f || f->node != GENERATION ||
	    f->path_only)
		return;
	f->uring = true;
	if (what == 2)
		sleeps = !f->nonblock;
	else
		sleeps = !is_outdated(w, f) &&
			 (!what || !f->nonblock || sqe.len >= 4);
	if (what == 2)
		put(w, where, &value, sizeof(value));
	image_begin(w);
	if (what == 0) {
		sqe = (struct io_uring_sqe){ .opcode = IORING_OP_POLL_ADD,
					     .fd = s->fd,
					     .user_data = REQUEST,
					     .poll32_events = POLLIN };
		want = POLLIN;
	} else if (what == 1) {
		sqe.opcode = IORING_OP_READ;
		want = f->readable ? sleeps ?
				     0 :
				     model_read(w, f, where, sqe.len, &unused) :
				     -EBADF;
	} else {
		sqe.opcode = IORING_OP_WRITE;
		want = f->writable ?
			       sleeps ? 0 : model_write(w, f, where, sqe.len) :
			       -EBADF;
	}
	sleeps &= want >= 0;
	submit(w, &sqe);
	got = result(w, sleeps);
	if (sleeps)
		want = -ECANCELED;
	EXPECT(w, got, "io_uring", want,
	       what && is_hopeless(where, sqe.len) ? -EFAULT : want);
	if (want != -EFAULT)
		image_check(w);
}
