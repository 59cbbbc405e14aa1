// SPDX-License-Identifier: MIT
/*
 * The gate as text of nftables. The state is written into the table as names of
 * empty chains, so that rules and state cannot disagree.
 *
 * Two places are closed. The inet hooks see every packet of IP, with the
 * connection it belongs to. Packet sockets, those of a DHCP client for example,
 * go past them: these meet the hooks of each interface.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

#define INET   "inet " RULES_TABLE
#define NETDEV "netdev " RULES_TABLE

/* After the tracking of connections (-200): marks of replies are known then. */
#define INET_PRIORITY	"-150"
#define NETDEV_PRIORITY "-500"

static bool is_one_of(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++) {
		if (!strcmp(words->word[i], word))
			return true;
	}
	return false;
}

static bool is_closed(const struct config *c, const char *interface)
{
	return strcmp(interface, "lo") &&
	       !is_one_of(&c->except_interfaces, interface);
}

static const char *flags(struct rules_options options)
{
	return options.owner ? "flags owner, persist;\n" : "";
}

static bool has_exceptions_on_all(const struct config *c)
{
	return c->except_marks.count || c->except_ports.count;
}

static void interfaces(FILE *f, const struct config *c, const char *key)
{
	for (size_t i = 0; i < c->except_interfaces.count; i++)
		fprintf(f, "%s \"%s\" accept\n", key,
			c->except_interfaces.word[i]);
}

/* Ports that this machine serves: @ours is "dport" of what comes in. */
static void ports(FILE *f, const struct config *c, const char *ours)
{
	for (size_t i = 0; i < c->except_ports.count; i++) {
		const char *word = c->except_ports.word[i];
		const char *slash = strchr(word, '/');

		fprintf(f, "meta l4proto %s th %s %.*s accept\n", slash + 1,
			ours, (int)(slash - word), word);
	}
}

/* Who does not find its neighbour reaches nobody. */
static void neighbours(FILE *f, const struct config *c)
{
	if (has_exceptions_on_all(c))
		fputs("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n",
		      f);
}

static void marks_out(FILE *f, const struct config *c)
{
	for (size_t i = 0; i < c->except_marks.count; i++)
		fprintf(f, "meta mark %s ct mark set meta mark accept\n",
			c->except_marks.word[i]);
}

static void marks_of_replies(FILE *f, const struct config *c)
{
	for (size_t i = 0; i < c->except_marks.count; i++)
		fprintf(f, "ct mark %s ct direction reply accept\n",
			c->except_marks.word[i]);
}

/* Routed between two that stay open, or by a mark. */
static void forward(FILE *f, const struct config *c)
{
	for (size_t i = 0; i < c->except_interfaces.count; i++) {
		fprintf(f, "iifname \"%s\" ", c->except_interfaces.word[i]);
		fputs("oifname { ", f);
		for (size_t j = 0; j < c->except_interfaces.count; j++)
			fprintf(f, "%s\"%s\"", j ? ", " : "",
				c->except_interfaces.word[j]);
		fputs(" } accept\n", f);
	}
	marks_out(f, c);
	marks_of_replies(f, c);
}

static void begin(FILE *f, const char *hook)
{
	fprintf(f,
		"chain %s {\ntype filter hook %s priority " INET_PRIORITY
		"; policy drop;\n",
		hook, hook);
}

static void end(FILE *f)
{
	fputs("counter drop\n}\n", f);
}

static void inet_chains(FILE *f, const struct config *c)
{
	begin(f, "input");
	fputs("iifname \"lo\" accept\n", f);
	interfaces(f, c, "iifname");
	ports(f, c, "dport");
	neighbours(f, c);
	marks_of_replies(f, c);
	end(f);
	begin(f, "output");
	fputs("oifname \"lo\" accept\n", f);
	interfaces(f, c, "oifname");
	ports(f, c, "sport");
	neighbours(f, c);
	marks_out(f, c);
	end(f);
	begin(f, "forward");
	forward(f, c);
	end(f);
}

/* A mark is known only further in, so with one IP has to pass here. */
static void netdev_rules(FILE *f, const struct config *c, const char *ours)
{
	if (has_exceptions_on_all(c))
		fputs("ether type arp accept\n", f);
	neighbours(f, c);
	ports(f, c, ours);
	if (c->except_marks.count)
		fputs("ether type { ip, ip6 } accept\n", f);
	end(f);
}

static void netdev_chains(FILE *f, const struct config *c, unsigned int index,
			  const char *name, bool egress)
{
	fprintf(f,
		"chain ingress-%u {\ntype filter hook ingress device \"%s\" priority " NETDEV_PRIORITY
		"; policy drop;\n",
		index, name);
	netdev_rules(f, c, "dport");
	if (!egress)
		return;
	fprintf(f,
		"chain egress-%u {\ntype filter hook egress device \"%s\" priority " NETDEV_PRIORITY
		"; policy drop;\n",
		index, name);
	netdev_rules(f, c, "sport");
}

static void netdev_table(FILE *f, const struct config *c,
			 struct rules_options options)
{
	struct if_nameindex *all = if_nameindex();

	fprintf(f, "table " NETDEV " {\n%s", flags(options));
	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		if (is_closed(c, i->if_name))
			netdev_chains(f, c, i->if_index, i->if_name,
				      options.egress);
	}
	fputs("}\n", f);
	if_freenameindex(all);
}

/*
 * Of a table that may not be there: added first, so that nothing can fail. With
 * the flags of one that its owner left behind it is adopted.
 */
static void remove_table(FILE *f, const char *table,
			 struct rules_options options)
{
	fprintf(f, "add table %s {\n%s}\ndelete table %s\n", table,
		flags(options), table);
}

char *rules_text(const struct config *c, const struct situation *s,
		 struct rules_options options)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	remove_table(f, INET, options);
	remove_table(f, NETDEV, options);
	if (s) {
		fprintf(f, "table " INET " {\n%s", flags(options));
		fprintf(f, "chain state-%s {\n}\n", state_name(s->state));
		fprintf(f, "chain generation-%" PRIu32 " {\n}\n",
			s->generation);
		if (s->until_resume)
			fputs("chain until-resume {\n}\n", f);
		if (s->state != READY)
			inet_chains(f, c);
		fputs("}\n", f);
		if (s->state != READY)
			netdev_table(f, c, options);
	}
	if (ferror(f) | fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

bool rules_close_all(const struct config *c, const char *inet,
		     const char *netdev)
{
	static const char *const hooks[] = { "input", "output", "forward" };
	struct if_nameindex *all = if_nameindex();
	bool closed = true;
	char chain[64];

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		snprintf(chain, sizeof(chain),
			 "hook %s priority " INET_PRIORITY "; policy drop",
			 hooks[i]);
		closed = closed && strstr(inet, chain);
	}
	for (struct if_nameindex *i = all; closed && i && i->if_index; i++) {
		snprintf(chain, sizeof(chain), "chain ingress-%u {",
			 i->if_index);
		closed = !is_closed(c, i->if_name) || strstr(netdev, chain);
	}
	if_freenameindex(all);
	return closed;
}

bool rules_situation(const char *listed, struct situation *s)
{
	const char *state = strstr(listed, "chain state-");
	const char *generation = strstr(listed, "chain generation-");
	char name[16];

	if (!state || !generation ||
	    sscanf(state, "chain state-%15[a-z]", name) != 1 ||
	    sscanf(generation, "chain generation-%" SCNu32, &s->generation) !=
		    1)
		return false;
	s->until_resume = strstr(listed, "chain until-resume");
	return state_from_name(name, &s->state);
}
