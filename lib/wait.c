// SPDX-License-Identifier: MIT
/*
 * Sleeping until the generation is another one.
 *
 * poll(2) tells whether the open file has confirmed the current generation, not
 * whether it is the one that the caller has seen. So confirm what is current,
 * on a file that is ours alone, and poll that. A generation that comes between
 * the two makes poll return at once; one that comes before them makes the
 * confirmation fail, or was read. A page file is looked at now and then.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <poll.h>
#include <time.h>

#include "internal.h"

/* How often to look where nothing wakes us. */
#define LOOK_MS 10

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Never less than what is left: the clock's part of a millisecond is dropped. */
static int left_ms(int64_t deadline)
{
	int64_t left;

	if (deadline < 0)
		return -1;
	left = deadline - now_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

static int sleep_on(const struct sysgenid *g, int timeout_ms)
{
	struct pollfd p = { .fd = g->waiter.fd, .events = POLLIN };
	bool wakes = !g->soft && (!g->old_driver || g->waiter.writable);

	if (!wakes && (timeout_ms < 0 || timeout_ms > LOOK_MS))
		timeout_ms = LOOK_MS;
	if (poll(&p, wakes ? 1 : 0, timeout_ms) < 0)
		return -errno;
	if (p.revents & POLLNVAL)
		return -EBADF;
	/* Would return at once for ever. */
	return p.revents & ~POLLIN ? -EIO : 0;
}

SYSGENID_PUBLIC int sysgenid_wait(struct sysgenid *g, uint32_t seen,
				  int timeout_ms, uint32_t *generation)
{
	int64_t deadline = -1;
	uint32_t now;
	int left, r;

	if (!generation)
		return -EINVAL;
	if (timeout_ms > 0)
		deadline = now_ms() + timeout_ms + 1;
	for (;;) {
		r = sysgenid_read(g, &now);
		if (r)
			return r;
		if (now != seen) {
			*generation = now;
			return 0;
		}
		left = timeout_ms == 0 ? 0 : left_ms(deadline);
		if (left == 0)
			return -ETIMEDOUT;
		if (!g->soft)
			r = sysgenid_confirm_fd(g, &g->waiter, now);
		if (r == -ESTALE)
			continue;
		/* An old driver and no write access: looked at now and then. */
		if (r && r != -EACCES)
			return r;
		r = sleep_on(g, left);
		if (r)
			return r;
	}
}
