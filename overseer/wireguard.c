// SPDX-License-Identifier: MIT
/*
 * The driver ends the sessions of all peers when the private key of their
 * interface changes. Setting the key that is there does nothing, so the key is
 * removed and set again. Removing the peers instead would lose their endpoints
 * and counters, and the time stamp by which the driver refuses old handshakes.
 *
 * Both requests are in one system call: whoever kills this process meets the
 * interface before or after it. A key that somebody else sets between our look at
 * it and that call is lost; nothing else of theirs is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "netlink.h"
#include "wireguard.h"

/* A key that cannot be set again is lost for good, so more than once. */
#define TRIES 3

struct key {
	bool there;
	uint8_t bytes[WG_KEY_LEN];
};

static struct nlmsghdr *put_request(void *buffer, int family, uint8_t command,
				    unsigned int index)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *body =
		mnl_nlmsg_put_extra_header(h, sizeof(struct genlmsghdr));

	h->nlmsg_type = (uint16_t)family;
	body->cmd = command;
	body->version = WG_GENL_VERSION;
	mnl_attr_put_u32(h, WGDEVICE_A_IFINDEX, index);
	return h;
}

static int take_key(const struct nlmsghdr *h, void *user)
{
	struct key *key = user;
	const struct nlattr *attr;

	netlink_each(attr, h, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) != WGDEVICE_A_PRIVATE_KEY)
			continue;
		if (mnl_attr_get_payload_len(attr) != WG_KEY_LEN) {
			errno = EPROTO;
			return MNL_CB_ERROR;
		}
		memcpy(key->bytes, mnl_attr_get_payload(attr), WG_KEY_LEN);
		key->there = true;
	}
	/* The first part of the list has the key; the others have only peers. */
	return MNL_CB_STOP;
}

static int read_key(int family, unsigned int index, struct key *key)
{
	_Alignas(struct nlmsghdr) char buffer[64];
	struct nlmsghdr *h =
		put_request(buffer, family, WG_CMD_GET_DEVICE, index);

	*key = (struct key){ 0 };
	return netlink_list(NETLINK_GENERIC, h, take_key, key);
}

static size_t put_key(void *buffer, int family, unsigned int index,
		      const struct key *key)
{
	struct nlmsghdr *h =
		put_request(buffer, family, WG_CMD_SET_DEVICE, index);

	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_attr_put(h, WGDEVICE_A_PRIVATE_KEY, WG_KEY_LEN, key->bytes);
	return h->nlmsg_len;
}

/* Removes the key, if @remove, and sets it. @set: what became of the second. */
static int exchange_key(struct mnl_socket *s, int family, unsigned int index,
			const struct key *key, bool remove, int *set)
{
	static const struct key none;
	_Alignas(struct nlmsghdr) char buffer[256];
	size_t len = 0;
	int r, removed = 0;

	if (remove)
		len = put_key(buffer, family, index, &none);
	len += put_key(buffer + len, family, index, key);
	r = netlink_send(s, buffer, len);
	explicit_bzero(buffer, sizeof(buffer));
	if (r)
		return r;
	if (remove)
		removed = netlink_acknowledged(s);
	*set = netlink_acknowledged(s);
	return removed;
}

static int reset_with(struct mnl_socket *s, int family, unsigned int index,
		      const struct key *key)
{
	int set = 0, r = exchange_key(s, family, index, key, true, &set);

	for (int i = 1; !r && set && set != -ENODEV && i < TRIES; i++)
		r = exchange_key(s, family, index, key, false, &set);
	if (!r && set)
		r = set == -ENODEV ? set : -ENOKEY;
	return r;
}

int wireguard_reset(int family, unsigned int index)
{
	struct mnl_socket *s = netlink_open(NETLINK_GENERIC);
	struct key key, now;
	int r;

	if (!s)
		return -errno;
	r = read_key(family, index, &key);
	if (!r && key.there) {
		r = reset_with(s, family, index, &key);
		if (!r)
			r = read_key(family, index, &now);
		/* With none there is no session, and no tunnel: not what was there before. */
		if (!r && !now.there)
			r = -ENOKEY;
	}
	explicit_bzero(&key, sizeof(key));
	explicit_bzero(&now, sizeof(now));
	mnl_socket_close(s);
	return r == -ENODEV ? 0 : r;
}
