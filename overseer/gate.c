// SPDX-License-Identifier: MIT
/* The gate: keeps what rules.c writes in the kernel, or the state in a file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate.h"
#include "log.h"
#include "rules.h"

/* On a tmpfs: a reboot is no restore. */
#ifndef STATE_FILE
#define STATE_FILE "/run/sysgenid/overseer.state"
#endif

/* An interface may go between the look at them and the transaction. */
#define TRIES 5

struct gate {
	const struct config *config;
	/* NULL: no gate, the file. */
	struct nft_ctx *nft;
	struct rules_options options;
	/* Changes of rules, changes of interfaces, and an epoll of both. */
	int rules, links, events;
};

/* All or nothing; @quiet where it is a question. */
static bool run(struct gate *gate, const char *commands, bool quiet)
{
	int r = nft_run_cmd_from_buffer(gate->nft, commands);
	const char *error = nft_ctx_get_error_buffer(gate->nft);

	if (r && !quiet)
		log_error("nftables: %.*s", (int)strcspn(error, "\n"), error);
	return !r;
}

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

static bool open_events(struct gate *gate)
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
static void find_options(struct gate *gate)
{
	nft_ctx_set_dry_run(gate->nft, true);
	gate->options.egress =
		run(gate,
		    "table netdev " RULES_TABLE "-probe {\n"
		    "chain egress {\n"
		    "type filter hook egress device \"lo\" priority 0;\n"
		    "}\n}\n",
		    true);
	gate->options.owner = run(gate,
				  "table inet " RULES_TABLE " {\n"
				  "flags owner, persist;\n}\n",
				  true);
	nft_ctx_set_dry_run(gate->nft, false);
	if (!gate->options.egress)
		log_warning(
			"this kernel has no netdev egress hook: packet sockets, those of a DHCP client for example, can send while the gate is closed");
}

struct gate *gate_new(const struct config *c)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (!gate)
		return NULL;
	gate->config = c;
	gate->rules = gate->links = gate->events = -1;
	if (c->gate == GATE_NONE)
		return gate;
	gate->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!gate->nft || nft_ctx_buffer_output(gate->nft) ||
	    nft_ctx_buffer_error(gate->nft)) {
		log_error("nftables cannot be used: %s", strerror(errno));
		gate_free(gate);
		return NULL;
	}
	/* As rules.c writes them. */
	nft_ctx_output_set_flags(gate->nft, NFT_CTX_OUTPUT_NUMERIC_PRIO);
	if (!open_events(gate)) {
		log_error("netlink: %s", strerror(errno));
		gate_free(gate);
		return NULL;
	}
	find_options(gate);
	return gate;
}

void gate_free(struct gate *gate)
{
	if (!gate)
		return;
	if (gate->nft)
		nft_ctx_free(gate->nft);
	for (int i = 0; i < 3; i++) {
		const int fd =
			(int[]){ gate->rules, gate->links, gate->events }[i];

		if (fd >= 0)
			close(fd);
	}
	free(gate);
}

static bool recall_from_file(struct situation *s)
{
	FILE *f = fopen(STATE_FILE, "re");
	char name[16];
	int until_resume;
	bool ok;

	if (!f)
		return false;
	ok = fscanf(f, "%15s %" SCNu32 " %d", name, &s->generation,
		    &until_resume) == 3 &&
	     state_from_name(name, &s->state);
	s->until_resume = ok && until_resume;
	fclose(f);
	return ok;
}

static bool store_in_file(const struct situation *s)
{
	FILE *f = fopen(STATE_FILE ".new", "we");
	bool ok;

	if (!f) {
		log_error(STATE_FILE ".new: %s", strerror(errno));
		return false;
	}
	ok = fprintf(f, "%s %" PRIu32 " %d\n", state_name(s->state),
		     s->generation, s->until_resume) > 0;
	if (fclose(f) || !ok || rename(STATE_FILE ".new", STATE_FILE)) {
		log_error(STATE_FILE ": %s", strerror(errno));
		return false;
	}
	return true;
}

/* NULL if there is none. Once: the buffer is empty when it has been asked for. */
static const char *list_table(struct gate *gate, const char *command)
{
	return run(gate, command, true) ? nft_ctx_get_output_buffer(gate->nft) :
					  NULL;
}

bool gate_recall(struct gate *gate, struct situation *s)
{
	const char *listed;

	if (!gate->nft)
		return recall_from_file(s);
	listed = list_table(gate, "list table inet " RULES_TABLE);
	return listed && rules_situation(listed, s);
}

bool gate_set(struct gate *gate, const struct situation *s)
{
	bool ok = false;

	if (!gate->nft)
		return store_in_file(s);
	for (int i = 1; !ok && i <= TRIES; i++) {
		char *text = rules_text(gate->config, s, gate->options);

		ok = text && run(gate, text, i < TRIES);
		free(text);
	}
	return ok;
}

bool gate_remove(struct gate *gate)
{
	if (!gate->nft) {
		unlink(STATE_FILE);
		return true;
	}
	return gate_set(gate, NULL);
}

int gate_fd(const struct gate *gate)
{
	return gate->events;
}

/* With its state, and, but in READY, both of the places that are closed. */
static bool is_in_place(struct gate *gate, const struct situation *s)
{
	const char *listed = list_table(gate, "list table inet " RULES_TABLE);
	struct situation there;
	char *inet;
	bool closed;

	if (!listed || !rules_situation(listed, &there) ||
	    there.state != s->state || there.generation != s->generation)
		return false;
	if (s->state == READY)
		return true;
	inet = strdup(listed);
	listed = list_table(gate, "list table netdev " RULES_TABLE);
	closed = inet && listed && rules_close_all(gate->config, inet, listed);
	free(inet);
	return closed;
}

/* What was lost (ENOBUFS) is no matter: what counts is what is there now. */
static bool drain(int fd)
{
	char unused[8192];
	bool any = false;

	while (recv(fd, unused, sizeof(unused), 0) > 0 || errno == ENOBUFS) {
		any = true;
		errno = 0;
	}
	return any;
}

void gate_check(struct gate *gate, const struct situation *s)
{
	bool rules = drain(gate->rules), links = drain(gate->links);

	if ((!rules && !links) || is_in_place(gate, s))
		return;
	if (s->state != READY && rules)
		log_warning(
			"somebody changed the rules of the gate: closed again");
	else if (s->state != READY)
		log_notice("there is a new interface: closed, too");
	gate_set(gate, s);
}
