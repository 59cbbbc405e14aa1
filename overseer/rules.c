// SPDX-License-Identifier: MIT
/*
 * The gate as text of nftables. The state is written into the table as names of
 * empty chains, so that rules and state cannot disagree.
 *
 * Two places are closed. The inet hooks see every packet of IP, with the
 * connection it belongs to. Packet sockets, those of a DHCP client for example,
 * go past them: these meet the hooks of each interface.
 *
 * Every chain jumps first to one that holds nothing while the gate is closed, and one
 * rule that accepts while it is open. So the rules stay, and switching.c opens and
 * closes by that rule alone. What closes on top has no such chain.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

#define INET	      "inet " RULES_TABLE
#define NETDEV	      "netdev " RULES_TABLE
#define INET_ON_TOP   "inet " RULES_TABLE_ON_TOP
#define NETDEV_ON_TOP "netdev " RULES_TABLE_ON_TOP

/* After the tracking of connections (-200): marks of replies are known then. */
#define INET_PRIORITY	"-150"
#define NETDEV_PRIORITY -500

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

/* For a rule: neither the end of a quotation nor a pattern. */
static bool can_be_quoted(const char *name)
{
	return !strpbrk(name, "\"*");
}

/*
 * The index of an exception that rules cannot name, or 0: there is no such interface.
 * Or the index is the name of another interface, which nftables would take.
 */
static unsigned int index_of_exception(const char *name)
{
	const unsigned int index = can_be_quoted(name) ? 0 :
							 if_nametoindex(name);
	char number[16];

	snprintf(number, sizeof(number), "%u", index);
	return if_nametoindex(number) ? 0 : index;
}

/* @way: iif or oif. False: there is no way to match it now. */
static bool match(FILE *f, const char *way, const char *name)
{
	const unsigned int index = index_of_exception(name);

	if (can_be_quoted(name))
		fprintf(f, "%sname \"%s\" ", way, name);
	else if (index)
		fprintf(f, "%s %u ", way, index);
	else
		return false;
	return true;
}

static void interfaces(FILE *f, const struct config *c, const char *way)
{
	for (size_t i = 0; i < c->except_interfaces.count; i++) {
		if (match(f, way, c->except_interfaces.word[i]))
			fputs("accept\n", f);
	}
}

/* Which indices are in the rules: they are to be written anew when one changes. */
static void mark_indices(FILE *f, const struct config *c)
{
	for (size_t i = 0; i < c->except_interfaces.count; i++) {
		const unsigned int index =
			index_of_exception(c->except_interfaces.word[i]);

		if (index)
			fprintf(f, "chain except-%u {\n}\n", index);
	}
}

static bool has_indices(const char *inet, const struct config *c)
{
	char chain[32];

	for (size_t i = 0; i < c->except_interfaces.count; i++) {
		const unsigned int index =
			index_of_exception(c->except_interfaces.word[i]);

		snprintf(chain, sizeof(chain), "chain except-%u {", index);
		if (index && !strstr(inet, chain))
			return false;
	}
	return true;
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
	const struct words *open = &c->except_interfaces;

	for (size_t i = 0; i < open->count * open->count; i++) {
		if (match(f, "iif", open->word[i / open->count]) &&
		    match(f, "oif", open->word[i % open->count]))
			fputs("accept\n", f);
	}
	marks_out(f, c);
	marks_of_replies(f, c);
}

static const char *opening(bool on_top)
{
	return on_top ? "" : "jump " RULES_OPENING "\n";
}

static void opening_chain(FILE *f, bool open)
{
	fprintf(f, "chain " RULES_OPENING " {\n%s}\n", open ? "accept\n" : "");
}

static void begin(FILE *f, const char *hook, bool on_top)
{
	fprintf(f,
		"chain %s {\ntype filter hook %s priority " INET_PRIORITY
		"; policy drop;\n%s",
		hook, hook, opening(on_top));
}

static void end(FILE *f)
{
	fputs("counter drop\n}\n", f);
}

static void inet_chains(FILE *f, const struct config *c, bool on_top)
{
	begin(f, "input", on_top);
	fputs("iifname \"lo\" accept\n", f);
	interfaces(f, c, "iif");
	ports(f, c, "dport");
	neighbours(f, c);
	marks_of_replies(f, c);
	end(f);
	begin(f, "output", on_top);
	fputs("oifname \"lo\" accept\n", f);
	interfaces(f, c, "oif");
	ports(f, c, "sport");
	neighbours(f, c);
	marks_out(f, c);
	end(f);
	begin(f, "forward", on_top);
	forward(f, c);
	end(f);
	mark_indices(f, c);
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

static void netdev_chain(FILE *f, const struct config *c, const char *hook,
			 const struct if_nameindex *i, const char *ours,
			 bool on_top)
{
	fprintf(f,
		"chain %s-%u {\ntype filter hook %s device \"%s\" priority %d; policy drop;\n%s",
		hook, i->if_index, hook, i->if_name, NETDEV_PRIORITY,
		opening(on_top));
	netdev_rules(f, c, ours);
}

/* A text of nftables has no way to write a quotation mark within a name. */
static bool has_name_for_text(const char *name)
{
	return !strchr(name, '"');
}

/* False, and errno: the interfaces cannot be listed. */
static bool netdev_table(FILE *f, const struct config *c,
			 struct rules_options options, bool on_top, bool open)
{
	const char *table = on_top ? NETDEV_ON_TOP : NETDEV;
	struct if_nameindex *all = if_nameindex();

	if (!all)
		return false;
	fprintf(f, "table %s {\n%s", table, flags(options));
	if (!on_top)
		opening_chain(f, open);
	for (struct if_nameindex *i = all; i->if_index; i++) {
		if (!is_closed(c, i->if_name) || !has_name_for_text(i->if_name))
			continue;
		netdev_chain(f, c, "ingress", i, "dport", on_top);
		if (options.egress)
			netdev_chain(f, c, "egress", i, "sport", on_top);
	}
	fputs("}\n", f);
	if_freenameindex(all);
	return true;
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

static void remove_tables(FILE *f, struct rules_options options)
{
	remove_table(f, INET_ON_TOP, options);
	remove_table(f, NETDEV_ON_TOP, options);
}

static bool write_rules(FILE *f, const struct config *c,
			const struct situation *s, struct rules_options options)
{
	remove_table(f, INET, options);
	remove_table(f, NETDEV, options);
	remove_tables(f, options);
	if (!s)
		return true;
	fprintf(f, "table " INET " {\n%s", flags(options));
	fprintf(f, "chain state-%s {\n}\n", state_name(s->state));
	fprintf(f, "chain generation-%" PRIu32 " {\n}\n", s->generation);
	if (s->until_resume)
		fputs("chain until-resume {\n}\n", f);
	opening_chain(f, s->state == READY);
	inet_chains(f, c, false);
	fputs("}\n", f);
	return netdev_table(f, c, options, false, s->state == READY);
}

static bool write_on_top(FILE *f, const struct config *c,
			 struct rules_options options)
{
	remove_tables(f, options);
	fprintf(f, "table " INET_ON_TOP " {\n%s", flags(options));
	inet_chains(f, c, true);
	fputs("}\n", f);
	return netdev_table(f, c, options, true, false);
}

/* The text, if all of it is there; errno is that of what failed. */
static char *finish(FILE *f, char **text, bool ok)
{
	const int error = ok ? ENOMEM : errno;

	if (ferror(f) | fclose(f) || !ok) {
		free(*text);
		errno = error;
		return NULL;
	}
	return *text;
}

char *rules_text(const struct config *c, const struct situation *s,
		 struct rules_options options)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	return f ? finish(f, &text, write_rules(f, c, s, options)) : NULL;
}

char *rules_text_on_top(const struct config *c, struct rules_options options)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	return f ? finish(f, &text, write_on_top(f, c, options)) : NULL;
}

static void add_member(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void add_command(struct json_object *commands, const char *key,
			struct json_object *value)
{
	struct json_object *command = json_object_new_object();
	struct json_object *what = json_object_new_object();

	json_object_object_add(what, key, value);
	json_object_object_add(command, "add", what);
	json_object_array_add(commands, command);
}

static void add_jump(struct json_object *commands, const char *table,
		     const char *chain)
{
	struct json_object *rule = json_object_new_object();
	struct json_object *jump = json_object_new_object();
	struct json_object *target = json_object_new_object();
	struct json_object *all = json_object_new_array();

	add_member(rule, "family", "netdev");
	add_member(rule, "table", table);
	add_member(rule, "chain", chain);
	add_member(target, "target", RULES_OPENING);
	json_object_object_add(jump, "jump", target);
	json_object_array_add(all, jump);
	json_object_object_add(rule, "expr", all);
	add_command(commands, "rule", rule);
}

/* While it is closed all is dropped: the exceptions of its kind are written in text alone. */
static void add_chain(struct json_object *commands, bool on_top,
		      const char *hook, const struct if_nameindex *i)
{
	const char *table = on_top ? RULES_TABLE_ON_TOP : RULES_TABLE;
	struct json_object *chain = json_object_new_object();
	char name[32];

	snprintf(name, sizeof(name), "%s-%u", hook, i->if_index);
	add_member(chain, "family", "netdev");
	add_member(chain, "table", table);
	add_member(chain, "name", name);
	add_member(chain, "type", "filter");
	add_member(chain, "hook", hook);
	json_object_object_add(chain, "prio",
			       json_object_new_int(NETDEV_PRIORITY));
	add_member(chain, "policy", "drop");
	add_member(chain, "dev", i->if_name);
	add_command(commands, "chain", chain);
	if (!on_top)
		add_jump(commands, table, name);
}

char *rules_json(const struct config *c, bool on_top,
		 struct rules_options options)
{
	struct if_nameindex *all = if_nameindex();
	struct json_object *root, *commands;
	char *text;

	if (!all)
		return NULL;
	root = json_object_new_object();
	commands = json_object_new_array();
	json_object_object_add(root, "nftables", commands);
	for (struct if_nameindex *i = all; i->if_index; i++) {
		if (!is_closed(c, i->if_name) || has_name_for_text(i->if_name))
			continue;
		add_chain(commands, on_top, "ingress", i);
		if (options.egress)
			add_chain(commands, on_top, "egress", i);
	}
	text = strdup(json_object_array_length(commands) ?
			      json_object_to_json_string_ext(
				      root, JSON_C_TO_STRING_PLAIN) :
			      "");
	json_object_put(root);
	if_freenameindex(all);
	return text;
}

static bool closes(const char *netdev, const char *hook, const char *name)
{
	char text[64 + IF_NAMESIZE];

	snprintf(text, sizeof(text),
		 "hook %s device \"%s\" priority %d; policy drop", hook, name,
		 NETDEV_PRIORITY);
	return strstr(netdev, text);
}

bool rules_close_all(const struct config *c, struct rules_options options,
		     const char *inet, const char *netdev)
{
	static const char *const hooks[] = { "input", "output", "forward" };
	struct if_nameindex *all = if_nameindex();
	bool closed = all && has_indices(inet, c);
	char chain[64];

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		snprintf(chain, sizeof(chain),
			 "hook %s priority " INET_PRIORITY "; policy drop",
			 hooks[i]);
		closed = closed && strstr(inet, chain);
	}
	/* By the names that they have now: a hook may not follow a new name. */
	for (struct if_nameindex *i = all; closed && i->if_index; i++) {
		if (is_closed(c, i->if_name))
			closed = closes(netdev, "ingress", i->if_name) &&
				 (!options.egress ||
				  closes(netdev, "egress", i->if_name));
	}
	if (all)
		if_freenameindex(all);
	return closed;
}

bool rules_are_open(const char *table)
{
	const char *chain = strstr(table, "chain " RULES_OPENING " {");
	const char *end = chain ? strchr(chain, '}') : NULL;
	const char *accept = chain ? strstr(chain, "accept") : NULL;

	return accept && end && accept < end;
}

/* What follows @prefix is to be all of the chain's name. */
static bool has_chain(const char *listed, const char *prefix, const char *rest)
{
	char chain[64];

	snprintf(chain, sizeof(chain), "chain %s%s {", prefix, rest);
	return strstr(listed, chain);
}

bool rules_situation(const char *listed, struct situation *s)
{
	const char *state = strstr(listed, "chain state-");
	const char *generation = strstr(listed, "chain generation-");
	char name[16], number[16];

	if (!state || !generation ||
	    sscanf(state, "chain state-%15[a-z]", name) != 1 ||
	    sscanf(generation, "chain generation-%" SCNu32, &s->generation) !=
		    1)
		return false;
	snprintf(number, sizeof(number), "%" PRIu32, s->generation);
	s->until_resume = has_chain(listed, "until-resume", "");
	return state_from_name(name, &s->state) &&
	       has_chain(listed, "state-", name) &&
	       has_chain(listed, "generation-", number);
}
