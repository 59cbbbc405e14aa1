// SPDX-License-Identifier: MIT
/* sock_diag(7): the kernel lists its connections, and destroys those it is told. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connections.h"
#include "netlink.h"

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

/* Which of them; NULL is all. */
typedef bool wanted_fn(const struct nlmsghdr *h);

/* @killer, @own: -1 and NULL until there is a connection. @failed: 0, or why one is still there. */
struct search {
	int list, killer;
	struct ifaddrs *own;
	uint32_t states;
	wanted_fn *wanted;
	int count, failed;
};

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

/* An IPv4 address as IPv6 has it. */
static struct in6_addr mapped(const uint32_t *four)
{
	struct in6_addr a = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	memcpy(&a.s6_addr[12], four, sizeof(*four));
	return a;
}

static bool has_address(const struct ifaddrs *own, const struct in6_addr *a)
{
	for (; own; own = own->ifa_next) {
		const struct sockaddr *address = own->ifa_addr;
		struct in6_addr one;

		if (!address)
			continue;
		if (address->sa_family == AF_INET6)
			one = ((const struct sockaddr_in6 *)(const void *)
				       address)
				      ->sin6_addr;
		else if (address->sa_family == AF_INET)
			one = mapped(
				&((const struct sockaddr_in *)(const void *)
					  address)
					 ->sin_addr.s_addr);
		else
			continue;
		if (IN6_ARE_ADDR_EQUAL(&one, a))
			return true;
	}
	return false;
}

/* Both ends are in this machine: a clone has both, and the connection goes on. */
static bool is_within(const struct inet_diag_msg *m, const struct ifaddrs *own)
{
	struct in6_addr to;

	if (m->idiag_family == AF_INET)
		to = mapped(m->id.idiag_dst);
	else
		memcpy(&to, m->id.idiag_dst, sizeof(to));
	if (IN6_IS_ADDR_V4MAPPED(&to) && to.s6_addr[12] == IN_LOOPBACKNET)
		return true;
	return IN6_IS_ADDR_LOOPBACK(&to) || has_address(own, &to);
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

/* 0, or why the kernel broke it off. */
static int end_of_list(const struct nlmsghdr *h)
{
	const int *error = NLMSG_DATA(h);

	return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*error)) && *error < 0 ?
		       *error :
		       0;
}

/* Where there is no connection nobody asks for that. */
static int be_ready_to_kill(struct search *s)
{
	if (s->killer >= 0)
		return 0;
	if (!s->own && getifaddrs(&s->own))
		return -errno;
	s->killer = open_diag();
	return s->killer < 0 ? s->killer : 0;
}

/* One part of a list: 1 if there is more to come. */
static int destroy_each(struct search *s, const struct nlmsghdr *h, size_t len)
{
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		const struct inet_diag_msg *m = NLMSG_DATA(h);
		int r;

		if (h->nlmsg_type == NLMSG_DONE)
			return end_of_list(h);
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		r = be_ready_to_kill(s);
		if (r)
			return r;
		if (is_within(m, s->own) || (s->wanted && !s->wanted(h)))
			continue;
		r = destroy(s->killer, m);
		if (r)
			s->failed = r;
		else
			s->count++;
	}
	return 1;
}

static int destroy_family(struct search *s, uint8_t family)
{
	const struct inet_diag_req_v2 all = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		/* With what is above TCP. */
		.idiag_ext = s->wanted ? 1u << (INET_DIAG_INFO - 1) : 0,
		.idiag_states = s->states,
	};
	/* As much as the kernel puts into one message. */
	_Alignas(struct nlmsghdr) char part[32768];
	int r = ask(s->list, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &all);

	if (!r)
		r = 1;
	while (r > 0) {
		ssize_t n = recv(s->list, part, sizeof(part), 0);

		r = n < 0 ? -errno :
			    destroy_each(s, (struct nlmsghdr *)part, (size_t)n);
	}
	return r ? r : s->failed;
}

/* 1, 0 or -errno. A file of /proc that is not there is of a kernel without that family. */
static int has_sockets(const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), used;
	char text[1024];
	const char *line;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	line = strstr(text, name);
	if (!line || sscanf(line + strlen(name), " inuse %d", &used) != 1)
		return -ENODATA;
	return used != 0;
}

/* Listening ones are counted, too. What cannot be read may have some. */
static bool is_without_tcp(void)
{
	return !has_sockets("/proc/self/net/sockstat", "TCP:") &&
	       !has_sockets("/proc/self/net/sockstat6", "TCP6:");
}

static int destroy_in(uint32_t states, wanted_fn *wanted)
{
	struct search s = {
		.list = open_diag(),
		.killer = -1,
		.states = states,
		.wanted = wanted,
	};
	int r;

	if (s.list < 0)
		return s.list;
	r = destroy_family(&s, AF_INET);
	if (!r)
		r = destroy_family(&s, AF_INET6);
	/* A kernel without IPv6. */
	if (r == -ENOENT)
		r = 0;
	close(s.list);
	if (s.killer >= 0)
		close(s.killer);
	if (s.own)
		freeifaddrs(s.own);
	return r ? r : s.count;
}

int connections_destroy(void)
{
	return is_without_tcp() ? 0 : destroy_in(CONNECTED, NULL);
}

int connections_prepare(void)
{
	return destroy_in(0, NULL);
}

/* The kernel itself encrypts what goes through it. */
static bool is_tls(const struct nlmsghdr *h)
{
	const struct nlattr *info, *attr;

	netlink_each(info, h, sizeof(struct inet_diag_msg))
	{
		if (mnl_attr_get_type(info) != INET_DIAG_ULP_INFO)
			continue;
		netlink_each_in(attr, info)
		{
			if (mnl_attr_get_type(attr) == INET_ULP_INFO_NAME)
				return !strcmp(mnl_attr_get_str(attr), "tls");
		}
	}
	return false;
}

int connections_tls_is_there(void)
{
	char names[256] = "", *rest = names, *name;
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_available_ulp", "re");
	int r = 0;

	/* The first network namespace alone has this file; the kernel may have it all the same. */
	if (!f)
		return errno == ENOENT ? 1 : -errno;
	if (!fgets(names, sizeof(names), f) && ferror(f))
		r = -EIO;
	fclose(f);
	while (!r && (name = strsep(&rest, " \n")))
		r = !strcmp(name, "tls");
	return r;
}

int connections_destroy_tls(void)
{
	return destroy_in(CONNECTED, is_tls);
}
