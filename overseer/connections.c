// SPDX-License-Identifier: MIT
/* sock_diag(7): the kernel lists its connections, and destroys those it is told. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connections.h"

/* All but who only listens, and what is closed. */
#define CONNECTED (~(1u << TCP_LISTEN | 1u << TCP_CLOSE | 1u << TCP_TIME_WAIT))

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static int open_diag(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

static int ask(int fd, uint16_t type, uint16_t flags,
	       const struct inet_diag_req_v2 *body)
{
	const struct request r = {
		.header = {
			.nlmsg_len = sizeof(r),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags,
		},
		.body = *body,
	};

	return send(fd, &r, sizeof(r), 0) < 0 ? -errno : 0;
}

static bool is_within(const struct inet_diag_msg *m)
{
	const uint32_t *a = m->id.idiag_src;
	const bool four = m->idiag_family == AF_INET || IN6_IS_ADDR_V4MAPPED(a);

	if (four)
		return ntohl(a[m->idiag_family == AF_INET ? 0 : 3]) >> 24 ==
		       IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(a);
}

/* 0: it is gone; it may have gone by itself. */
static int destroy(int fd, const struct inet_diag_msg *m)
{
	const struct inet_diag_req_v2 body = {
		.sdiag_family = m->idiag_family,
		.sdiag_protocol = IPPROTO_TCP,
		.id = m->id,
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char more[512];
	} answer;
	int r = ask(fd, SOCK_DESTROY, NLM_F_ACK, &body);

	if (r)
		return r;
	if (recv(fd, &answer, sizeof(answer), 0) < 0)
		return -errno;
	r = answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error :
						      -EPROTO;
	/* What is left of one that was closed: nothing but its name, and not to be destroyed. */
	if (r == -EOPNOTSUPP && m->idiag_state == TCP_FIN_WAIT2)
		return 0;
	return r == -ENOENT ? 0 : r;
}

/* One part of a list: 1 if there is more to come. */
static int destroy_each(int killer, const struct nlmsghdr *h, size_t len,
			int *count, int *failed)
{
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		const struct inet_diag_msg *m = NLMSG_DATA(h);
		int r;

		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		if (is_within(m))
			continue;
		r = destroy(killer, m);
		if (r)
			*failed = r;
		else
			++*count;
	}
	return 1;
}

static int destroy_family(int killer, uint8_t family, uint32_t states,
			  int *count)
{
	const struct inet_diag_req_v2 all = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = states,
	};
	/* As much as the kernel puts into one message. */
	static _Alignas(struct nlmsghdr) char part[32768];
	int fd = open_diag(), r, failed = 0;

	if (fd < 0)
		return fd;
	r = ask(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &all);
	if (!r)
		r = 1;
	while (r > 0) {
		ssize_t n = recv(fd, part, sizeof(part), 0);

		r = n < 0 ? -errno :
			    destroy_each(killer, (struct nlmsghdr *)part,
					 (size_t)n, count, &failed);
	}
	close(fd);
	return r ? r : failed;
}

static int destroy_in(uint32_t states)
{
	int killer = open_diag(), count = 0, r;

	if (killer < 0)
		return killer;
	r = destroy_family(killer, AF_INET, states, &count);
	if (!r)
		r = destroy_family(killer, AF_INET6, states, &count);
	/* A kernel without IPv6. */
	if (r == -ENOENT)
		r = 0;
	close(killer);
	return r ? r : count;
}

int connections_destroy(void)
{
	return destroy_in(CONNECTED);
}

int connections_prepare(void)
{
	return destroy_in(0);
}
