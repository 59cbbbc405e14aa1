// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "rules.h"
#include "switching.h"

struct switching {
	struct mnl_socket *socket;
	uint32_t sequence;
};

/* Some ten messages of at most 160 bytes. */
#define ROOM 4096

struct batch {
	_Alignas(struct nlmsghdr) char buffer[ROOM];
	char *end;
	uint32_t sequence;
};

struct switching *switching_new(void)
{
	struct switching *sw = calloc(1, sizeof(*sw));

	if (!sw)
		return NULL;
	sw->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (sw->socket &&
	    mnl_socket_bind(sw->socket, 0, MNL_SOCKET_AUTOPID) >= 0)
		return sw;
	switching_free(sw);
	return NULL;
}

void switching_free(struct switching *sw)
{
	if (!sw)
		return;
	if (sw->socket)
		mnl_socket_close(sw->socket);
	free(sw);
}

uint32_t switching_port(const struct switching *sw)
{
	return mnl_socket_get_portid(sw->socket);
}

static struct nlmsghdr *add(struct batch *b, int type, int flags,
			    uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(b->end);
	struct nfgenmsg *body = mnl_nlmsg_put_extra_header(h, sizeof(*body));

	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = b->sequence;
	body->nfgen_family = family;
	body->version = NFNETLINK_V0;
	return h;
}

static void finish(struct batch *b, const struct nlmsghdr *h)
{
	b->end += h->nlmsg_len;
}

static void mark(struct batch *b, int type)
{
	struct nlmsghdr *h = add(b, type, 0, AF_UNSPEC);
	struct nfgenmsg *body = mnl_nlmsg_get_payload(h);

	body->res_id = htons(NFNL_SUBSYS_NFTABLES);
	finish(b, h);
}

static struct nlmsghdr *add_rule(struct batch *b, int type, int flags,
				 uint8_t family)
{
	struct nlmsghdr *h =
		add(b, NFNL_SUBSYS_NFTABLES << 8 | type, flags, family);

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, RULES_TABLE);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, RULES_OPENING);
	return h;
}

/* Without a handle: all rules of the chain. */
static void close_table(struct batch *b, uint8_t family)
{
	finish(b, add_rule(b, NFT_MSG_DELRULE, 0, family));
}

/* The one rule: accept. */
static void open_table(struct batch *b, uint8_t family)
{
	struct nlmsghdr *h = add_rule(b, NFT_MSG_NEWRULE,
				      NLM_F_CREATE | NLM_F_APPEND, family);
	struct nlattr *all = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	struct nlattr *one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	struct nlattr *expression, *data, *verdict;

	mnl_attr_put_strz(h, NFTA_EXPR_NAME, "immediate");
	expression = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	mnl_attr_put_u32(h, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	data = mnl_attr_nest_start(h, NFTA_IMMEDIATE_DATA);
	verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl(NF_ACCEPT));
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, expression);
	mnl_attr_nest_end(h, one);
	mnl_attr_nest_end(h, all);
	finish(b, h);
}

static void chain(struct batch *b, int type, int flags, const char *name)
{
	struct nlmsghdr *h =
		add(b, NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET);

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, RULES_TABLE);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	finish(b, h);
}

/* The chains whose names remember @s; see rules.c. */
static void chains(struct batch *b, int type, int flags,
		   const struct situation *s)
{
	char name[64];

	snprintf(name, sizeof(name), "state-%s", state_name(s->state));
	chain(b, type, flags, name);
	snprintf(name, sizeof(name), "generation-%" PRIu32, s->generation);
	chain(b, type, flags, name);
	if (s->until_resume)
		chain(b, type, flags, "until-resume");
}

/*
 * The kernel has queued all acknowledgements and errors when it returns from sendto().
 * Messages of a transaction that failed may be acknowledged, too: one error is enough.
 */
static int send_and_wait(const struct switching *sw, const struct batch *b)
{
	char answer[ROOM];
	ssize_t n = mnl_socket_sendto(sw->socket, b->buffer,
				      (size_t)(b->end - b->buffer));
	int r = n < 0 ? -errno : -EPROTO;
	bool any = false;

	while (n >= 0) {
		n = recv(mnl_socket_get_fd(sw->socket), answer, sizeof(answer),
			 MSG_DONTWAIT);
		if (n < 0)
			break;
		if (mnl_cb_run(answer, (size_t)n, b->sequence,
			       mnl_socket_get_portid(sw->socket), NULL,
			       NULL) >= 0)
			r = any ? r : 0;
		else if (!any || !r)
			r = -errno;
		any = true;
	}
	return any && errno != EAGAIN ? -errno : r;
}

int switching_run(struct switching *sw, const struct situation *from,
		  const struct situation *to)
{
	struct batch b = { .sequence = ++sw->sequence };
	const bool opens = to->state == READY, was_open = from->state == READY;

	b.end = b.buffer;
	mark(&b, NFNL_MSG_BATCH_BEGIN);
	chains(&b, NFT_MSG_DELCHAIN, 0, from);
	for (int i = 0; i < 2 && opens != was_open; i++) {
		const uint8_t family = i ? NFPROTO_INET : NFPROTO_NETDEV;

		if (opens)
			open_table(&b, family);
		else
			close_table(&b, family);
	}
	/* The last one is acknowledged: the kernel has done all, or nothing. */
	chains(&b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK, to);
	mark(&b, NFNL_MSG_BATCH_END);
	return send_and_wait(sw, &b);
}
