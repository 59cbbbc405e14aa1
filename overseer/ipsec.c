// SPDX-License-Identifier: MIT
/*
 * States expire and are not deleted. IKE daemons such as strongSwan's charon
 * listen to the group of expiries and make a new state; they do not listen to
 * that of deletions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/xfrm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipsec.h"
#include "netlink.h"

/* Kernel sockets are in it, too: who answers to NETLINK_XFRM. */
#define NETLINK_LIST "/proc/thread-self/net/netlink"
#define PFKEY_LIST   "/proc/thread-self/net/pfkey"

int ipsec_is_there(void)
{
	FILE *f = fopen(NETLINK_LIST, "re");
	unsigned int protocol;
	char line[256];
	int r = 0;

	if (!f)
		return -errno;
	while (!r && fgets(line, sizeof(line), f))
		r = sscanf(line, "%*s %u", &protocol) == 1 &&
		    protocol == NETLINK_XFRM;
	if (ferror(f))
		r = -EIO;
	fclose(f);
	if (r || !access(PFKEY_LIST, F_OK))
		return r ? r : 1;
	return errno == ENOENT ? 0 : -errno;
}

struct states {
	struct mnl_socket *socket;
	int count;
};

struct state_attrs {
	bool key;
	const struct xfrm_mark *mark;
};

static struct state_attrs read_attrs(const struct nlmsghdr *h)
{
	struct state_attrs found = { 0 };
	const struct nlattr *attr;

	netlink_each(attr, h, sizeof(struct xfrm_usersa_info))
	{
		switch (mnl_attr_get_type(attr)) {
		case XFRMA_ALG_AEAD:
		case XFRMA_ALG_CRYPT:
		case XFRMA_ALG_AUTH:
		case XFRMA_ALG_AUTH_TRUNC:
			found.key = true;
			break;
		case XFRMA_MARK:
			if (mnl_attr_get_payload_len(attr) >=
			    sizeof(*found.mark))
				found.mark = mnl_attr_get_payload(attr);
			break;
		default:
			break;
		}
	}
	return found;
}

static int ask(struct states *s, struct nlmsghdr *h,
	       const struct xfrm_mark *mark)
{
	int r;

	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (mark)
		mnl_attr_put(h, XFRMA_MARK, sizeof(*mark), mark);
	r = netlink_send(s->socket, h, h->nlmsg_len);
	return r ? r : netlink_acknowledged(s->socket);
}

static int expire(struct states *s, const struct xfrm_usersa_info *state,
		  const struct xfrm_mark *mark)
{
	_Alignas(struct nlmsghdr) char buffer[512];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct xfrm_user_expire *body =
		mnl_nlmsg_put_extra_header(h, sizeof(*body));

	h->nlmsg_type = XFRM_MSG_EXPIRE;
	body->state = *state;
	body->hard = 1;
	return ask(s, h, mark);
}

static int delete (struct states *s, const struct xfrm_usersa_info *state,
		   const struct xfrm_mark *mark)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct xfrm_usersa_id *body =
		mnl_nlmsg_put_extra_header(h, sizeof(*body));

	h->nlmsg_type = XFRM_MSG_DELSA;
	body->daddr = state->id.daddr;
	body->spi = state->id.spi;
	body->family = state->family;
	body->proto = state->id.proto;
	return ask(s, h, mark);
}

static int reset_state(const struct nlmsghdr *h, void *user)
{
	const struct xfrm_usersa_info *state = mnl_nlmsg_get_payload(h);
	const struct state_attrs attrs = read_attrs(h);
	struct states *s = user;
	int r;

	/* A number that a daemon has reserved, of which nothing is made yet. */
	if (!attrs.key)
		return MNL_CB_OK;
	r = expire(s, state, attrs.mark);
	/* One that is not in use, at its end for example. */
	if (r == -EINVAL)
		r = delete (s, state, attrs.mark);
	/* The state has gone by itself. */
	if (r == -ENOENT || r == -ESRCH)
		return MNL_CB_OK;
	if (r) {
		errno = -r;
		return MNL_CB_ERROR;
	}
	s->count++;
	return MNL_CB_OK;
}

static int count_state(const struct nlmsghdr *h, void *user)
{
	struct states *s = user;

	s->count += read_attrs(h).key;
	return MNL_CB_OK;
}

static int list_states(struct states *s, mnl_cb_t each)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	int r;

	mnl_nlmsg_put_extra_header(request, sizeof(struct xfrm_usersa_id));
	request->nlmsg_type = XFRM_MSG_GETSA;
	r = netlink_list(NETLINK_XFRM, request, each, s);
	return r ? r : s->count;
}

int ipsec_count(void)
{
	struct states s = { 0 };

	return list_states(&s, count_state);
}

int ipsec_reset(void)
{
	struct states s = { .socket = netlink_open(NETLINK_XFRM) };
	int r;

	if (!s.socket)
		return -errno;
	r = list_states(&s, reset_state);
	mnl_socket_close(s.socket);
	return r;
}
