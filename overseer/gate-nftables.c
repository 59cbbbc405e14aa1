// SPDX-License-Identifier: MIT
/* The gate of nftables: what rules.c writes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate-nftables.h"
#include "log.h"
#include "nftables.h"
#include "rules.h"
#include "switching.h"

/* An interface may go between the look at them and the transaction. */
#define TRIES 5

struct gate_nftables {
	const struct config *config;
	struct nftables *nft;
	struct rules_options options;
	/* Changes of rules, changes of interfaces, and an epoll of both; -1: nobody watches. */
	int rules, links, events;
	/* NULL: every change goes by libnftables. */
	struct switching *switching;
	/* What this gate has set, if @knows: nobody is known to have changed it since. */
	struct situation set;
	bool knows;
	/* While it is open, an interface came: it has no rules yet. */
	bool has_new_links;
};

static int subscribe(int protocol, unsigned int group)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1u << (group - 1),
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			protocol);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool open_events(struct gate_nftables *gate)
{
	struct epoll_event readable = { .events = EPOLLIN };

	gate->rules = subscribe(NETLINK_NETFILTER, NFNLGRP_NFTABLES);
	gate->links = subscribe(NETLINK_ROUTE, RTNLGRP_LINK);
	gate->events = epoll_create1(EPOLL_CLOEXEC);
	return gate->rules >= 0 && gate->links >= 0 && gate->events >= 0 &&
	       !epoll_ctl(gate->events, EPOLL_CTL_ADD, gate->rules,
			  &readable) &&
	       !epoll_ctl(gate->events, EPOLL_CTL_ADD, gate->links, &readable);
}

/* What this kernel and this nftables can, found by asking for it. */
static void find_options(struct gate_nftables *gate)
{
	gate->options.egress = nftables_would_run(
		gate->nft, "table netdev " RULES_TABLE "-probe {\n"
			   "chain egress {\n"
			   "type filter hook egress device \"lo\" priority 0;\n"
			   "}\n}\n");
	gate->options.owner =
		nftables_would_run(gate->nft, "table inet " RULES_TABLE " {\n"
					      "flags owner, persist;\n}\n");
}

struct gate_nftables *gate_nftables_new(const struct config *c, bool watches)
{
	struct gate_nftables *gate = calloc(1, sizeof(*gate));

	if (!gate) {
		log_error("no memory for the gate");
		return NULL;
	}
	gate->config = c;
	gate->rules = gate->links = gate->events = -1;
	if (watches && !open_events(gate)) {
		log_error("netlink: %s", strerror(errno));
		gate_nftables_free(gate);
		return NULL;
	}
	gate->nft = nftables_new();
	if (!gate->nft) {
		gate_nftables_free(gate);
		return NULL;
	}
	find_options(gate);
	if (!watches)
		return gate;
	/* A table with an owner is changed by the socket that made it. */
	if (!gate->options.owner)
		gate->switching = switching_new();
	if (!gate->options.egress)
		log_warning(
			"this kernel has no netdev egress hook: packet sockets, those of a DHCP client for example, can send while the gate is closed");
	return gate;
}

void gate_nftables_free(struct gate_nftables *gate)
{
	if (!gate)
		return;
	nftables_free(gate->nft);
	switching_free(gate->switching);
	for (int i = 0; i < 3; i++) {
		const int fd =
			(int[]){ gate->rules, gate->links, gate->events }[i];

		if (fd >= 0)
			close(fd);
	}
	free(gate);
}

/* 1, 0 or -errno. libnftables has only words for why it cannot list. */
static int table_is_there(const char *name)
{
	/* mnl_attr_put_strz() leaves the padding as it was. */
	_Alignas(struct nlmsghdr) char buffer[8192] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *body = mnl_nlmsg_put_extra_header(h, sizeof(*body));
	struct mnl_socket *s =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	ssize_t n;
	int r;

	/* A kernel without netfilter has no rules. */
	if (!s)
		return errno == EPROTONOSUPPORT ? 0 : -errno;
	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	body->nfgen_family = NFPROTO_INET;
	body->version = NFNETLINK_V0;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, name);
	n = mnl_socket_sendto(s, h, h->nlmsg_len);
	if (n >= 0)
		n = mnl_socket_recvfrom(s, buffer, sizeof(buffer));
	r = n < 0 ? -1 : mnl_cb_run(buffer, (size_t)n, 0, 0, NULL, NULL);
	r = r < 0 ? -errno : 1;
	mnl_socket_close(s);
	/* EINVAL: a kernel without nftables; every member of the request is an old one. */
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

int gate_nftables_is_there(void)
{
	const int r = table_is_there(RULES_TABLE);

	return r ? r : table_is_there(RULES_TABLE_ON_TOP);
}

enum recalled gate_nftables_recall(struct gate_nftables *gate,
				   struct situation *s)
{
	const int there = table_is_there(RULES_TABLE);
	const char *listed;

	if (!there)
		return NOTHING_THERE;
	if (there < 0) {
		log_error("nftables: the rules cannot be listed: %s",
			  strerror(-there));
		return CANNOT_LOOK;
	}
	listed =
		nftables_list(gate->nft, "list table inet " RULES_TABLE, false);
	if (!listed)
		return CANNOT_LOOK;
	if (rules_situation(listed, s))
		return RECALLED;
	log_error("nftables: the table inet " RULES_TABLE
		  " is not as the overseer leaves it");
	return CANNOT_LOOK;
}

/* The names that a text cannot write come right after, in JSON. */
static bool run_json(struct gate_nftables *gate, bool on_top, bool quiet)
{
	char *text = rules_json(gate->config, on_top, gate->options);
	const bool ok = text &&
			(!*text || nftables_run_json(gate->nft, text, quiet));

	free(text);
	return ok;
}

/* Any message of somebody else. The changes that switching.c makes have its port. */
static bool has_others(const struct gate_nftables *gate, const char *messages,
		       size_t len)
{
	const struct nlmsghdr *h =
		(const struct nlmsghdr *)(const void *)messages;
	const uint32_t ours =
		gate->switching ? switching_port(gate->switching) : 0;
	int left = (int)len;

	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (!ours || h->nlmsg_pid != ours)
			return true;
	}
	return false;
}

/* What was lost (ENOBUFS) is no matter: what counts is what is there now. */
static bool drain(const struct gate_nftables *gate, int fd)
{
	_Alignas(struct nlmsghdr) char messages[8192];
	bool any = false;
	ssize_t n;

	while ((n = recv(fd, messages, sizeof(messages), 0)) > 0 ||
	       errno == ENOBUFS) {
		any = any || n < 0 || has_others(gate, messages, (size_t)n);
		errno = 0;
	}
	return any;
}

/* Without libnftables, from what is there. False: nothing has changed. */
static bool switch_rules(struct gate_nftables *gate, const struct situation *s)
{
	/* Both: what came later wakes the loop, and gate_nftables_changed() tells. */
	const bool rules = drain(gate, gate->rules);
	const bool links = drain(gate, gate->links) || gate->has_new_links;

	if (rules || !gate->knows)
		return false;
	if (situation_is(&gate->set, s) && (!links || s->state == READY)) {
		gate->has_new_links = links;
		return true;
	}
	if (!gate->switching || (links && gate->set.state != READY) ||
	    switching_run(gate->switching, &gate->set, s))
		return false;
	gate->set = *s;
	/* What had rules is closed; the new interfaces are next. */
	return !links;
}

bool gate_nftables_set(struct gate_nftables *gate, const struct situation *s)
{
	bool ok = false;

	if (s && switch_rules(gate, s))
		return true;
	gate->knows = false;
	gate->has_new_links = false;

	for (int i = 1; !ok && i <= TRIES; i++) {
		char *text = rules_text(gate->config, s, gate->options);

		if (!text)
			log_error("the rules cannot be written: %s",
				  strerror(errno));
		ok = text && nftables_run(gate->nft, text, i < TRIES) &&
		     (!s || run_json(gate, false, i < TRIES));
		free(text);
	}
	gate->knows = ok && s;
	if (gate->knows)
		gate->set = *s;
	return ok;
}

bool gate_nftables_close_on_top(struct gate_nftables *gate)
{
	bool ok = false;

	gate->knows = false;
	for (int i = 1; !ok && i <= TRIES; i++) {
		char *text = rules_text_on_top(gate->config, gate->options);

		ok = text && nftables_run(gate->nft, text, i < TRIES) &&
		     run_json(gate, true, i < TRIES);
		free(text);
	}
	return ok;
}

int gate_nftables_fd(const struct gate_nftables *gate)
{
	return gate->events;
}

/* With its state, in both of the places. One that is open needs no rules of a new interface yet. */
static bool is_in_place(struct gate_nftables *gate, const struct situation *s)
{
	const char *listed =
		nftables_list(gate->nft, "list table inet " RULES_TABLE, true);
	struct situation there;
	char *inet;
	bool right;

	if (!listed || !rules_situation(listed, &there) ||
	    !situation_is(&there, s))
		return false;
	inet = strdup(listed);
	listed = nftables_list(gate->nft, "list table netdev " RULES_TABLE,
			       true);
	right = inet && listed && rules_are_open(inet) == (s->state == READY) &&
		rules_are_open(listed) == (s->state == READY) &&
		(s->state == READY ||
		 rules_close_all(gate->config, gate->options, inet, listed));
	free(inet);
	return right;
}

bool gate_nftables_is_in_place(struct gate_nftables *gate,
			       const struct situation *s)
{
	const bool there = is_in_place(gate, s);

	gate->knows = gate->knows && there;
	return there;
}

bool gate_nftables_changed(struct gate_nftables *gate, bool *rules)
{
	const bool links = drain(gate, gate->links);

	*rules = drain(gate, gate->rules);
	gate->has_new_links = gate->has_new_links || links;
	/* Rules of new ones are written when the gate closes: in a machine with containers many come and go. */
	return *rules || (links && (!gate->knows || gate->set.state != READY));
}
