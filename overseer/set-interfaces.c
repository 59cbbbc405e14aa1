// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"
#include "set-interfaces.h"

/* How often a list may change while it is read. */
#define TRIES 20
/* The metric of an IPv6 route for which nobody has set one. */
#define IPV6_METRIC 1024
#define MAC_SIZE    6

/* The interface as it is, and what of it is not wanted. */
struct interface {
	const struct request_interface *wanted;
	struct mnl_socket *socket;
	unsigned int index, flags;
	unsigned char mac[MAC_SIZE];
	/* Messages of the kernel, each to be sent back as a removal. */
	char *unwanted;
	size_t len;
	/* The IPv6 address that was made of the MAC address before. */
	bool has_link_local;
	unsigned char link_local[16];
};

struct message {
	_Alignas(struct nlmsghdr) char space[256];
	struct nlmsghdr *h;
};

static struct nlmsghdr *begin(struct message *m, uint16_t type, uint16_t flags)
{
	/* mnl_attr_put() leaves the padding as it was. */
	memset(m, 0, sizeof(*m));
	m->h = mnl_nlmsg_put_header(m->space);
	m->h->nlmsg_type = type;
	m->h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	return m->h;
}

static int send_message(const struct interface *i, const struct nlmsghdr *h)
{
	const int r = netlink_send(i->socket, h, h->nlmsg_len);

	return r ? r : netlink_acknowledged(i->socket);
}

static size_t address_len(unsigned int family)
{
	return family == AF_INET ? 4 : 16;
}

/* ---- lists ---- */

static int list(uint16_t type, size_t body, mnl_cb_t each, struct interface *i)
{
	int r = -EINTR;

	for (int n = 0; r == -EINTR && n < TRIES; n++) {
		struct message m;

		begin(&m, type, 0);
		mnl_nlmsg_put_extra_header(m.h, body);
		i->len = 0;
		r = netlink_list(NETLINK_ROUTE, m.h, each, i);
	}
	return r;
}

/* MNL_ALIGN() has a conversion of its sign. */
static size_t message_size(const struct nlmsghdr *h)
{
	return (h->nlmsg_len + 3u) & ~(size_t)3;
}

static int note_unwanted(struct interface *i, const struct nlmsghdr *h)
{
	const size_t len = message_size(h);
	char *more = realloc(i->unwanted, i->len + len);

	if (!more)
		return MNL_CB_ERROR;
	memset(more + i->len, 0, len);
	memcpy(more + i->len, h, h->nlmsg_len);
	i->unwanted = more;
	i->len += len;
	return MNL_CB_OK;
}

/* What another removal has taken along, or somebody else, is gone. */
static bool is_gone(int r)
{
	return r == -EADDRNOTAVAIL || r == -ESRCH;
}

static int remove_unwanted(struct interface *i, uint16_t type)
{
	int r = 0;

	for (size_t at = 0; !r && at < i->len;) {
		struct nlmsghdr *h =
			(struct nlmsghdr *)(void *)(i->unwanted + at);

		at += message_size(h);
		h->nlmsg_type = type;
		h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
		h->nlmsg_seq = h->nlmsg_pid = 0;
		r = send_message(i, h);
		if (is_gone(r))
			r = 0;
	}
	return r;
}

static int take_link(const struct nlmsghdr *h, void *user)
{
	const struct ifinfomsg *body = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr, *mac = NULL;
	struct interface *i = user;
	const char *name = "";

	netlink_each(attr, h, sizeof(*body))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			name = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == IFLA_ADDRESS)
			mac = attr;
	}
	if (strcmp(name, i->wanted->name))
		return MNL_CB_OK;
	i->index = (unsigned int)body->ifi_index;
	i->flags = body->ifi_flags;
	if (mac && mnl_attr_get_payload_len(mac) == MAC_SIZE)
		memcpy(i->mac, mnl_attr_get_payload(mac), MAC_SIZE);
	return MNL_CB_OK;
}

/* ---- MAC address ---- */

static void put_link(struct message *m, const struct interface *i)
{
	struct ifinfomsg *body;

	begin(m, RTM_NEWLINK, 0);
	body = mnl_nlmsg_put_extra_header(m->h, sizeof(*body));
	body->ifi_index = (int)i->index;
}

static int set_up(const struct interface *i, bool up)
{
	struct message m;
	struct ifinfomsg *body;

	put_link(&m, i);
	body = mnl_nlmsg_get_payload(m.h);
	body->ifi_change = IFF_UP;
	body->ifi_flags = up ? IFF_UP : 0;
	return send_message(i, m.h);
}

static int send_mac(const struct interface *i)
{
	struct message m;

	put_link(&m, i);
	mnl_attr_put(m.h, IFLA_ADDRESS, MAC_SIZE, i->wanted->mac);
	return send_message(i, m.h);
}

/* Most drivers take one at any time; others when the interface is down, and then its routes and IPv6 addresses go. */
static int set_mac(struct interface *i, char *why, size_t size)
{
	int r = send_mac(i);

	if (r != -EBUSY || !(i->flags & IFF_UP))
		return r;
	if (!i->wanted->has_addresses || !i->wanted->has_routes) {
		snprintf(
			why, size,
			"%s: its driver takes a MAC address only while it is down, so that \"addresses\" and \"routes\" are needed, too",
			i->wanted->name);
		return r;
	}
	r = set_up(i, false);
	if (r)
		return r;
	i->flags &= ~(unsigned int)IFF_UP;
	return send_mac(i);
}

/* RFC 4291: a clone would keep the one of the MAC address before. */
static void link_local_of(const unsigned char mac[MAC_SIZE],
			  unsigned char address[16])
{
	memset(address, 0, 16);
	address[0] = 0xfe;
	address[1] = 0x80;
	memcpy(address + 8, mac, 3);
	address[8] ^= 2;
	address[11] = 0xff;
	address[12] = 0xfe;
	memcpy(address + 13, mac + 3, 3);
}

/* ---- addresses ---- */

static struct ifaddrmsg *put_address(struct message *m, uint16_t type,
				     uint16_t flags, const struct interface *i,
				     const struct request_address *a)
{
	const size_t len = address_len(a->family);
	struct ifaddrmsg *body;

	begin(m, type, flags);
	body = mnl_nlmsg_put_extra_header(m->h, sizeof(*body));
	body->ifa_family = a->family;
	body->ifa_prefixlen = a->prefix;
	body->ifa_index = i->index;
	mnl_attr_put(m->h, IFA_LOCAL, len, a->bytes);
	mnl_attr_put(m->h, IFA_ADDRESS, len, a->bytes);
	return body;
}

static int add_address(const struct interface *i,
		       const struct request_address *a)
{
	struct message m;
	uint32_t broadcast;

	put_address(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, i, a);
	/* As DHCP clients do; a net of two has none. */
	if (a->family == AF_INET && a->prefix < 31) {
		memcpy(&broadcast, a->bytes, sizeof(broadcast));
		broadcast |= htonl(UINT32_MAX >> a->prefix);
		mnl_attr_put_u32(m.h, IFA_BROADCAST, broadcast);
	}
	return send_message(i, m.h);
}

static bool is_wanted_address(const struct request_interface *w,
			      const struct ifaddrmsg *body, const void *bytes)
{
	for (int n = 0; n < w->addresses; n++) {
		const struct request_address *a = &w->address[n];

		if (a->family == body->ifa_family &&
		    a->prefix == body->ifa_prefixlen &&
		    !memcmp(a->bytes, bytes, address_len(a->family)))
			return true;
	}
	return false;
}

static int take_address(const struct nlmsghdr *h, void *user)
{
	const struct ifaddrmsg *body = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr, *own = NULL, *local = NULL;
	struct interface *i = user;
	const void *bytes;

	if (body->ifa_index != i->index ||
	    (body->ifa_family != AF_INET && body->ifa_family != AF_INET6))
		return MNL_CB_OK;
	netlink_each(attr, h, sizeof(*body))
	{
		if (mnl_attr_get_type(attr) == IFA_ADDRESS)
			own = attr;
		else if (mnl_attr_get_type(attr) == IFA_LOCAL)
			local = attr;
	}
	own = local ? local : own;
	if (!own ||
	    mnl_attr_get_payload_len(own) < address_len(body->ifa_family))
		return MNL_CB_OK;
	bytes = mnl_attr_get_payload(own);
	if (body->ifa_family == AF_INET6 && body->ifa_scope == RT_SCOPE_LINK) {
		if (!memcmp(bytes, i->link_local, 16))
			i->has_link_local = true;
		return MNL_CB_OK;
	}
	return i->wanted->has_addresses &&
			       !is_wanted_address(i->wanted, body, bytes) ?
		       note_unwanted(i, h) :
		       MNL_CB_OK;
}

/* The new one first: an interface without any IPv6 address loses its IPv6 routes. */
static int renew_link_local(const struct interface *i)
{
	struct request_address a = { .family = AF_INET6, .prefix = 64 };
	struct ifaddrmsg *body;
	struct message m;
	int r;

	link_local_of(i->wanted->mac, a.bytes);
	body = put_address(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, i,
			   &a);
	body->ifa_scope = RT_SCOPE_LINK;
	r = send_message(i, m.h);
	if (r)
		return r;
	memcpy(a.bytes, i->link_local, sizeof(a.bytes));
	put_address(&m, RTM_DELADDR, 0, i, &a);
	r = send_message(i, m.h);
	return is_gone(r) ? 0 : r;
}

/* Old ones first: in the net of an older address a new one would go with it. */
static int set_addresses(struct interface *i)
{
	int r = list(RTM_GETADDR, sizeof(struct ifaddrmsg), take_address, i);

	if (!r && i->has_link_local)
		r = renew_link_local(i);
	if (!r)
		r = remove_unwanted(i, RTM_DELADDR);
	for (int n = 0; !r && n < i->wanted->addresses; n++)
		r = add_address(i, &i->wanted->address[n]);
	return r;
}

/* ---- routes ---- */

static uint32_t metric_of(const struct request_route *route)
{
	return !route->metric && route->to.family == AF_INET6 ? IPV6_METRIC :
								route->metric;
}

static bool has_bytes(const struct nlattr *attr,
		      const struct request_address *a)
{
	const size_t len = address_len(a->family);

	return attr && mnl_attr_get_payload_len(attr) == len &&
	       !memcmp(mnl_attr_get_payload(attr), a->bytes, len);
}

static bool is_wanted_route(const struct request_interface *w,
			    const struct rtmsg *body, const struct nlattr *to,
			    const struct nlattr *via, uint32_t metric)
{
	for (int n = 0; n < w->routes; n++) {
		const struct request_route *r = &w->route[n];

		if (r->to.family == body->rtm_family &&
		    r->to.prefix == body->rtm_dst_len &&
		    (!r->to.prefix || has_bytes(to, &r->to)) &&
		    (r->via.family ? has_bytes(via, &r->via) : !via) &&
		    metric_of(r) == metric)
			return true;
	}
	return false;
}

static int take_route(const struct nlmsghdr *h, void *user)
{
	const struct rtmsg *body = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr, *to = NULL, *via = NULL;
	struct interface *i = user;
	uint32_t table = body->rtm_table, index = 0, metric = 0;

	netlink_each(attr, h, sizeof(*body))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_TABLE:
			table = mnl_attr_get_u32(attr);
			break;
		case RTA_OIF:
			index = mnl_attr_get_u32(attr);
			break;
		case RTA_PRIORITY:
			metric = mnl_attr_get_u32(attr);
			break;
		case RTA_DST:
			to = attr;
			break;
		case RTA_GATEWAY:
			via = attr;
			break;
		default:
			break;
		}
	}
	if (table != RT_TABLE_MAIN || index != i->index ||
	    body->rtm_type != RTN_UNICAST ||
	    body->rtm_protocol == RTPROT_KERNEL ||
	    body->rtm_flags & RTM_F_CLONED ||
	    is_wanted_route(i->wanted, body, to, via, metric))
		return MNL_CB_OK;
	return note_unwanted(i, h);
}

static int add_route(const struct interface *i, const struct request_route *r)
{
	const bool is_link = r->to.family == AF_INET && !r->via.family;
	struct rtmsg *body;
	struct message m;

	begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	body = mnl_nlmsg_put_extra_header(m.h, sizeof(*body));
	body->rtm_family = r->to.family;
	body->rtm_dst_len = r->to.prefix;
	body->rtm_table = RT_TABLE_MAIN;
	body->rtm_protocol = RTPROT_STATIC;
	body->rtm_scope = is_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	body->rtm_type = RTN_UNICAST;
	if (r->to.prefix)
		mnl_attr_put(m.h, RTA_DST, address_len(r->to.family),
			     r->to.bytes);
	if (r->via.family)
		mnl_attr_put(m.h, RTA_GATEWAY, address_len(r->via.family),
			     r->via.bytes);
	mnl_attr_put_u32(m.h, RTA_OIF, i->index);
	if (r->metric)
		mnl_attr_put_u32(m.h, RTA_PRIORITY, r->metric);
	return send_message(i, m.h);
}

/* Those on the link first: a gateway has to be reached by one of them. */
static int set_routes(struct interface *i)
{
	int r = list(RTM_GETROUTE, sizeof(struct rtmsg), take_route, i);

	if (!r)
		r = remove_unwanted(i, RTM_DELROUTE);
	for (int pass = 0; pass < 2; pass++) {
		for (int n = 0; !r && n < i->wanted->routes; n++) {
			const struct request_route *route =
				&i->wanted->route[n];

			if ((pass == 0) == (route->via.family == 0))
				r = add_route(i, route);
		}
	}
	return r;
}

/* ---- all of it ---- */

static bool has_other_mac(const struct interface *i)
{
	return i->wanted->has_mac && memcmp(i->mac, i->wanted->mac, MAC_SIZE);
}

/* The part that failed, or NULL; @r: 0 or -errno. */
static const char *set_parts(struct interface *i, int *r, char *why,
			     size_t size)
{
	const bool renews = has_other_mac(i);

	*r = renews ? set_mac(i, why, size) : 0;
	if (*r)
		return "MAC address";
	if (!(i->flags & IFF_UP))
		*r = set_up(i, true);
	if (*r)
		return "it cannot be brought up";
	if (renews)
		link_local_of(i->mac, i->link_local);
	if (renews || i->wanted->has_addresses)
		*r = set_addresses(i);
	if (*r)
		return "addresses";
	if (i->wanted->has_routes)
		*r = set_routes(i);
	return *r ? "routes" : NULL;
}

int set_interface(const struct request_interface *wanted, char *why,
		  size_t size)
{
	struct interface i = { .wanted = wanted };
	const char *part = NULL;
	int r = list(RTM_GETLINK, sizeof(struct ifinfomsg), take_link, &i);

	why[0] = 0;
	if (!r && !i.index)
		r = -ENODEV;
	if (!r) {
		i.socket = netlink_open(NETLINK_ROUTE);
		r = i.socket ? 0 : -errno;
	}
	if (!r)
		part = set_parts(&i, &r, why, size);
	if (r && !why[0])
		snprintf(why, size, "%s%s%s", wanted->name, part ? ": " : "",
			 part ? part : "");
	if (i.socket)
		mnl_socket_close(i.socket);
	free(i.unwanted);
	return r;
}
