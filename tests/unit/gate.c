// SPDX-License-Identifier: MIT
/* The overseer's gate of nftables, in a network namespace of its own. */
#define _GNU_SOURCE
#include <check.h>
#include <poll.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/capability.h>
#include <sys/syscall.h>

#include "config.h"
#include "gate.h"

static struct config config = { .gate = GATE_NFTABLES };

static bool lists(const char *what)
{
	char command[256];

	snprintf(command, sizeof(command), "nft list ruleset | grep -q '%s'",
		 what);
	return system(command) == 0;
}

static void run(const char *command, char *line, int size)
{
	FILE *f = popen(command, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, size, f));
	pclose(f);
}

/* Rules stay: one in each table opens them. */
static bool is_closed(void)
{
	const int opened = system(
		"nft list ruleset | grep -A1 'chain opening {' | grep -q accept");

	return lists("policy drop") && (opened || lists("sysgenid-on-top"));
}

static bool is_open(void)
{
	char line[16];

	run("nft list ruleset | grep -A1 'chain opening {' | grep -c accept",
	    line, sizeof(line));
	return !is_closed() && atoi(line) == 2 && !lists("on-top");
}

START_TEST(remembers_across_processes)
{
	const struct situation s = { QUIESCED, 7, true };
	struct situation found;
	struct gate *gate = gate_new(&config);

	ck_assert_ptr_nonnull(gate);
	ck_assert_int_eq(gate_recall(gate, &found), NOTHING_THERE);
	ck_assert(gate_set(gate, &s));
	gate_free(gate);
	gate = gate_new(&config);
	ck_assert_int_eq(gate_recall(gate, &found), RECALLED);
	ck_assert_int_eq(found.state, QUIESCED);
	ck_assert_uint_eq(found.generation, 7);
	ck_assert(found.until_resume);
	ck_assert(is_closed());
	ck_assert(gate_remove(gate));
	ck_assert(!lists("sysgenid"));
	gate_free(gate);
}
END_TEST

START_TEST(closes_and_opens)
{
	struct situation s = { ADJUSTING, 1, false };
	struct gate *gate = gate_new(&config);

	ck_assert(gate_set(gate, &s));
	for (const char *const *hook =
		     (const char *[]){ "input", "output", "forward", NULL };
	     *hook; hook++) {
		char rule[64];

		snprintf(rule, sizeof(rule), "hook %s priority", *hook);
		ck_assert_msg(lists(rule), "%s", rule);
	}
	s.state = READY;
	ck_assert(gate_set(gate, &s));
	ck_assert(is_open());
	ck_assert(lists("state-ready"));
	gate_remove(gate);
	gate_free(gate);
}
END_TEST

START_TEST(what_is_in_place_is_not_written_again)
{
	const struct situation s = { (enum state)_i, 1, false };
	struct gate *gate = gate_new(&config);
	char before[64] = "", after[64] = "";

	ck_assert(gate_set(gate, &s));
	ck_assert(gate_check(gate, &s));
	run("nft -a list table inet sysgenid | cksum", before, sizeof(before));
	ck_assert(gate_set(gate, &s));
	run("nft -a list table inet sysgenid | cksum", after, sizeof(after));
	/* Of new rules the handles are others. */
	ck_assert_str_eq(before, after);
	ck_assert_int_ne(system("nft add table inet somebody"), -1);
	ck_assert(gate_set(gate, &s));
	ck_assert(gate_check(gate, &s));
	ck_assert_int_ne(system("nft flush ruleset"), -1);
	ck_assert(gate_set(gate, &s));
	ck_assert(lists("sysgenid"));
	gate_remove(gate);
	gate_free(gate);
}
END_TEST

START_TEST(is_put_back)
{
	const struct situation s = { HELD, 1, false };
	struct gate *gate = gate_new(&config);
	struct pollfd p = { .fd = gate_fd(gate), .events = POLLIN };

	ck_assert(gate_set(gate, &s));
	ck_assert(gate_check(gate, &s));
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	/* Where nobody else may, it is there still. */
	ck_assert_int_ne(system("nft flush ruleset"), -1);
	if (!is_closed())
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
	ck_assert(gate_check(gate, &s));
	ck_assert(is_closed());
	gate_remove(gate);
	gate_free(gate);
}
END_TEST

/* Every character that is special to nftables, and one that is no UTF-8. */
static const char *const odd_names[] = {
	"q\"x", "a\\b", "a\\*", "\\\"", "*",   "w*",  "w*x", "$x",     "@x",
	"#x",	"{",	";",	"it's", "a,b", "0x1", "!",   "b\377c",
};

/* A pair of interfaces, in this namespace; false: this kernel has none. */
static bool add_interface(const char *name)
{
	char command[128] = "", *to = stpcpy(command, "ip link add name '");

	for (const char *c = name; *c; c++)
		to = *c == '\'' ? stpcpy(to, "'\\''") :
				  (*to = *c, to[1] = 0, to + 1);
	stpcpy(to, "' type veth peer name plain0");
	return !system(command) && if_nametoindex(name);
}

static bool is_hooked(const char *hook, const char *name)
{
	char expected[128];
	char line[256];
	bool found = false;
	FILE *f = popen("nft list table netdev sysgenid", "r");

	snprintf(expected, sizeof(expected), "hook %s device \"%s\" ", hook,
		 name);
	while (fgets(line, sizeof(line), f))
		found = found || strstr(line, expected);
	pclose(f);
	return found;
}

START_TEST(interface_of_any_name_is_closed)
{
	const struct situation s = { HELD, 1, false };
	const char *name = odd_names[_i];
	struct gate *gate = gate_new(&config);

	ck_assert(add_interface(name));
	ck_assert(gate_set(gate, &s));
	for (int i = 0; i < 4; i++)
		ck_assert_msg(is_hooked(i & 1 ? "egress" : "ingress",
					i & 2 ? "plain0" : name),
			      "%s %d", name, i);
	/* The gate sees that: nothing is written again and again. */
	ck_assert(gate_check(gate, &s));
	gate_free(gate);
}
END_TEST

/* In, out and through, whether the rules have its name or its index. */
static bool is_excepted(const char *name)
{
	char expected[128], line[256];
	unsigned int ways = 0;
	FILE *f = popen("nft list table inet sysgenid", "r");

	while (fgets(line, sizeof(line), f)) {
		for (int name_too = 0; name_too < 2; name_too++) {
			const char *kind = name_too ? "name" : "";

			snprintf(expected, sizeof(expected),
				 "\tiif%s \"%s\" accept\n", kind, name);
			ways |= strstr(line, expected) ? 1 : 0;
			snprintf(expected, sizeof(expected),
				 "\toif%s \"%s\" accept\n", kind, name);
			ways |= strstr(line, expected) ? 2 : 0;
			snprintf(expected, sizeof(expected),
				 "\tiif%s \"%s\" oif%s \"%s\" accept\n", kind,
				 name, kind, name);
			ways |= strstr(line, expected) ? 4 : 0;
		}
	}
	pclose(f);
	return ways == 7;
}

START_TEST(exception_of_any_name_is_open)
{
	const struct situation s = { HELD, 1, false };
	char name[IF_NAMESIZE], *words[] = { name };
	const struct config c = {
		.gate = GATE_NFTABLES,
		.except_interfaces = { words, 1 },
	};
	struct gate *gate = gate_new(&c);

	strcpy(name, odd_names[_i]);
	/* The interface may come later. */
	ck_assert(gate_set(gate, &s));
	ck_assert(add_interface(name));
	ck_assert(gate_check(gate, &s));
	ck_assert(is_excepted(name));
	ck_assert(!is_excepted("plain0"));
	ck_assert(!is_hooked("ingress", name) && !is_hooked("egress", name));
	ck_assert(is_hooked("ingress", "plain0"));
	gate_free(gate);
}
END_TEST

START_TEST(exception_that_gets_its_name_later_is_open)
{
	const struct situation s = { HELD, 1, false };
	char *words[] = { (char[]){ "q\"x" } };
	const struct config c = {
		.gate = GATE_NFTABLES,
		.except_interfaces = { words, 1 },
	};
	struct gate *gate = gate_new(&c);

	ck_assert(add_interface("old0"));
	ck_assert(gate_set(gate, &s));
	ck_assert(!is_excepted(words[0]));
	ck_assert_int_eq(system("ip link set old0 name 'q\"x'"), 0);
	ck_assert(gate_check(gate, &s));
	ck_assert(is_excepted(words[0]));
	gate_free(gate);
}
END_TEST

START_TEST(exception_whose_index_is_another_name_is_closed)
{
	const struct situation s = { HELD, 1, false };
	char *words[] = { (char[]){ "q\"x" } };
	const struct config c = {
		.gate = GATE_NFTABLES,
		.except_interfaces = { words, 1 },
	};
	struct gate *gate = gate_new(&c);
	char command[64], number[16];

	ck_assert(add_interface(words[0]));
	snprintf(number, sizeof(number), "%u", if_nametoindex(words[0]));
	snprintf(command, sizeof(command), "ip link set plain0 name %s",
		 number);
	ck_assert_int_eq(system(command), 0);
	ck_assert(gate_set(gate, &s));
	ck_assert(!is_excepted(words[0]) && !is_excepted(number));
	ck_assert(gate_check(gate, &s));
	gate_free(gate);
}
END_TEST

START_TEST(interface_with_a_new_name_stays_closed)
{
	const struct situation s = { HELD, 1, false };
	struct gate *gate = gate_new(&config);

	ck_assert(add_interface("old0"));
	ck_assert(gate_set(gate, &s));
	ck_assert_int_eq(system("ip link set old0 name new0"), 0);
	ck_assert(gate_check(gate, &s));
	ck_assert(is_hooked("ingress", "new0") && is_hooked("egress", "new0"));
	gate_free(gate);
}
END_TEST

START_TEST(chain_that_somebody_deletes_is_put_back)
{
	const struct situation s = { HELD, 1, false };
	struct gate *gate = gate_new(&config);
	char command[128];

	ck_assert(add_interface("eth0"));
	ck_assert(gate_set(gate, &s));
	snprintf(command, sizeof(command),
		 "nft delete chain netdev sysgenid %s-%u",
		 _i ? "egress" : "ingress", if_nametoindex("eth0"));
	ck_assert_int_ne(system(command), -1);
	ck_assert(gate_check(gate, &s));
	ck_assert(is_hooked("ingress", "eth0") && is_hooked("egress", "eth0"));
	gate_free(gate);
}
END_TEST

/* With its handle, which a chain that is made anew does not keep. */
static void read_input_chain(char *line, size_t size)
{
	FILE *f = popen("nft -a list table inet sysgenid | grep 'chain input'",
			"r");

	ck_assert_ptr_nonnull(fgets(line, (int)size, f));
	pclose(f);
}

/* 1: an interface came meanwhile; 2: somebody changed the rules. */
START_TEST(open_rules_close_in_place_unless_something_changed)
{
	struct situation s = { READY, 1, false };
	struct gate *gate = gate_new(&config);
	char before[128], after[128];

	ck_assert(add_interface("eth0"));
	ck_assert(gate_set(gate, &s));
	ck_assert(is_open());
	ck_assert(is_hooked("ingress", "eth0") && is_hooked("egress", "eth0"));
	read_input_chain(before, sizeof(before));
	if (_i == 1)
		ck_assert_int_eq(
			system("ip link add new0 type veth peer name new1"), 0);
	if (_i == 2)
		ck_assert_int_ne(
			system("nft flush chain inet sysgenid opening"), -1);
	/* What came is written when it closes; what was changed, at once. */
	ck_assert(gate_check(gate, &s));
	ck_assert(is_open() && !is_hooked("ingress", "new0"));
	s = (struct situation){ ADJUSTING, 2, false };
	ck_assert(gate_set(gate, &s));
	read_input_chain(after, sizeof(after));
	ck_assert(_i || lists("flags owner") || !strcmp(before, after));
	ck_assert(is_closed());
	ck_assert(_i != 1 || (is_hooked("ingress", "new0") &&
			      is_hooked("egress", "new0")));
	ck_assert(lists("chain state-adjusting"));
	ck_assert(gate_check(gate, &s));
	gate_free(gate);
}
END_TEST

START_TEST(interface_of_an_odd_name_is_open_with_the_others)
{
	const struct situation s = { READY, 1, false };
	struct gate *gate = gate_new(&config);
	char line[16];

	ck_assert(add_interface("q\"x"));
	ck_assert(gate_set(gate, &s));
	ck_assert(is_hooked("ingress", "q\"x"));
	run("test $(nft list table netdev sysgenid | grep -c policy) = "
	    "$(nft list table netdev sysgenid | grep -c 'jump opening'); echo $?",
	    line, sizeof(line));
	ck_assert_str_eq(line, "0\n");
	gate_free(gate);
}
END_TEST

/* 1: somebody changed a rule before; 2: all of them. */
START_TEST(closed_rules_change_in_place_unless_somebody_changed_them)
{
	struct situation s = { QUIESCED, 1, true };
	struct gate *gate = gate_new(&config);
	char before[128], after[128];
	bool in_place;

	ck_assert(add_interface("eth0"));
	ck_assert(gate_set(gate, &s));
	ck_assert(gate_check(gate, &s));
	read_input_chain(before, sizeof(before));
	if (_i == 1)
		ck_assert_int_ne(
			system("nft delete chain inet sysgenid output"), -1);
	if (_i == 2)
		ck_assert_int_ne(system("nft flush ruleset"), -1);
	s = (struct situation){ ADJUSTING, 2, false };
	ck_assert(gate_set(gate, &s));
	read_input_chain(after, sizeof(after));
	/* A table that its owner keeps is written by libnftables. */
	in_place = !_i && !lists("flags owner");
	ck_assert(!in_place || !strcmp(before, after));
	ck_assert(lists("hook output"));
	ck_assert(is_hooked("ingress", "eth0") && is_hooked("egress", "eth0"));
	ck_assert(lists("chain state-adjusting"));
	ck_assert(lists("chain generation-2"));
	ck_assert(!lists("state-quiesced") && !lists("generation-1"));
	ck_assert(!lists("until-resume"));
	ck_assert(gate_check(gate, &s));
	s.state = READY;
	ck_assert(gate_set(gate, &s));
	ck_assert(lists("chain state-ready") && lists("chain generation-2"));
	ck_assert(is_open());
	ck_assert(gate_check(gate, &s));
	gate_free(gate);
}
END_TEST

/* For this process; each test is one. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	ck_assert_int_eq(syscall(SYS_capset, &header, none), 0);
}

START_TEST(rules_that_cannot_be_listed_are_not_none)
{
	const struct situation s = { QUIESCED, 7, true };
	const bool reads_rules = _i;
	struct config c = { .gate = reads_rules ? GATE_NFTABLES : GATE_NONE };
	struct situation found;
	struct gate *gate = gate_new(&config);

	ck_assert(gate_set(gate, &s));
	gate_free(gate);
	gate = gate_new(&c);
	drop_capabilities();
	ck_assert_int_eq(gate_recall(gate, &found), CANNOT_LOOK);
	ck_assert(gate_is_there());
	ck_assert_int_eq(gate_left(), GATE_NFTABLES);
	ck_assert(!gate_remove(gate));
	ck_assert(!reads_rules || !gate_set(gate, &s));
	ck_assert(!reads_rules || !gate_close_on_top(gate));
	gate_free(gate);
}
END_TEST

START_TEST(interfaces_that_cannot_be_listed_are_not_none)
{
	const struct situation s = { HELD, 1, false };
	const struct rlimit none = { 0 };
	struct gate *gate = gate_new(&config);

	ck_assert(add_interface("eth0"));
	if (_i) {
		ck_assert(gate_set(gate, &s));
		ck_assert_int_eq(system("ip link set eth0 name eth1"), 0);
	}
	/* No socket can be opened for the list. */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert(_i ? !gate_check(gate, &s) : !gate_set(gate, &s));
	ck_assert(!gate_close_on_top(gate));
	gate_free(gate);
}
END_TEST

START_TEST(table_of_somebody_else_is_not_none)
{
	struct situation found;
	struct gate *gate = gate_new(&config);

	ck_assert_int_eq(system("nft add table inet sysgenid"), 0);
	ck_assert_int_eq(gate_recall(gate, &found), CANNOT_LOOK);
	gate_free(gate);
}
END_TEST

static void write_state(const char *text)
{
	FILE *f = fopen(STATE_FILE, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static const char *const malformed[] = {
	"",
	"quiesced",
	"quiesced 7",
	"lost 7 0\n",
	"quiesced seven 0\n",
	"quiesced 7 0 more\n",
	"quiesced 7 2\n",
	"quiesced 4294967296 0\n",
	"quiesced -1 0\n",
};

START_TEST(file_that_is_malformed_is_not_none)
{
	struct config none = { .gate = GATE_NONE };
	struct situation found;
	struct gate *gate = gate_new(&none);

	write_state(malformed[_i]);
	ck_assert_int_eq(gate_recall(gate, &found), CANNOT_LOOK);
	gate_free(gate);
}
END_TEST

START_TEST(file_that_cannot_be_opened_is_not_none)
{
	struct config none = { .gate = GATE_NONE };
	struct situation found;
	struct gate *gate = gate_new(&none);

	ck_assert_int_eq(symlink(STATE_FILE, STATE_FILE), 0);
	ck_assert_int_eq(gate_recall(gate, &found), CANNOT_LOOK);
	unlink(STATE_FILE);
	gate_free(gate);
}
END_TEST

START_TEST(file_that_cannot_be_written_is_said)
{
	const struct situation s = { ADJUSTING, 7, false };
	struct config none = { .gate = GATE_NONE };
	struct gate *gate = gate_new(&none);

	ck_assert_int_eq(mkdir(STATE_FILE, 0700), 0);
	ck_assert(!gate_set(gate, &s));
	ck_assert(!gate_remove(gate));
	rmdir(STATE_FILE);
	ck_assert(gate_set(gate, &s));
	gate_free(gate);
}
END_TEST

static struct situation recalled(struct gate *gate)
{
	struct situation s;

	ck_assert_int_eq(gate_recall(gate, &s), RECALLED);
	return s;
}

/* From nftables to none, and the other way; in each state but ready. */
START_TEST(other_kind_of_gate_keeps_the_state_and_leaves_nothing)
{
	const enum state state = (enum state)(1 + _i / 2);
	const bool to_rules = _i % 2;
	const struct situation before = { state, 7, state == QUIESCED };
	struct config none = { .gate = GATE_NONE };
	struct config *from = to_rules ? &none : &config;
	struct config *to = to_rules ? &config : &none;
	struct gate *gate = gate_new(from);
	struct situation s;

	ck_assert(gate_set(gate, &before));
	gate_free(gate);
	gate = gate_new(to);
	s = recalled(gate);
	ck_assert_int_eq(s.state, state);
	ck_assert_uint_eq(s.generation, 7);
	ck_assert_int_eq(s.until_resume, before.until_resume);
	/* Nothing is lost before the new kind has it. */
	ck_assert_int_eq(lists("policy drop"), !to_rules);
	ck_assert(gate_set(gate, &s));
	ck_assert_int_eq(lists("policy drop"), to_rules);
	ck_assert_int_eq(lists("sysgenid"), to_rules);
	ck_assert_int_eq(access(STATE_FILE, F_OK), 0);
	gate_free(gate);
	gate = gate_new(to);
	ck_assert_int_eq(recalled(gate).state, state);
	ck_assert(gate_remove(gate));
	gate_free(gate);
}
END_TEST

START_TEST(change_of_kind_that_was_cut_short_is_not_ready)
{
	const struct situation ready = { READY, 6, false };
	const struct situation held = { HELD, 7, false };
	struct config none = { .gate = GATE_NONE };
	struct gate *rules = gate_new(&config), *file = gate_new(&none);

	ck_assert(gate_set(rules, _i ? &ready : &held));
	ck_assert(gate_set(file, _i ? &held : &ready));
	ck_assert_int_eq(recalled(rules).state, HELD);
	ck_assert_int_eq(recalled(file).state, HELD);
	gate_free(rules);
	gate_free(file);
}
END_TEST

START_TEST(closed_on_top_keeps_what_is_remembered)
{
	const struct situation s = { _i ? READY : QUIESCED, 7, !_i };
	struct gate *gate = gate_new(&config);
	struct situation found;

	ck_assert(add_interface("q\"x"));
	ck_assert(gate_set(gate, &s));
	ck_assert(gate_close_on_top(gate));
	/* Again, as each try does. */
	ck_assert(gate_close_on_top(gate));
	ck_assert(is_closed());
	found = recalled(gate);
	ck_assert_int_eq(found.state, s.state);
	ck_assert_int_eq(found.until_resume, s.until_resume);
	ck_assert(gate_set(gate, &found));
	ck_assert_int_eq(is_closed(), s.state != READY);
	ck_assert(!lists("on-top"));
	ck_assert(gate_close_on_top(gate));
	ck_assert(gate_remove(gate));
	ck_assert(!lists("sysgenid"));
	gate_free(gate);
}
END_TEST

/* Before it was known what there is; then the configuration has no gate. */
START_TEST(closed_on_top_is_removed_with_the_other_kind)
{
	const struct situation ready = { READY, 7, false };
	struct config none = { .gate = GATE_NONE };
	struct gate *gate = gate_new(&config);
	struct situation found;

	ck_assert(gate_close_on_top(gate));
	gate_free(gate);
	ck_assert(gate_is_there());
	gate = gate_new(&none);
	if (_i) {
		ck_assert_int_eq(gate_recall(gate, &found), NOTHING_THERE);
		ck_assert(is_closed());
		ck_assert(gate_set(gate, &ready));
	} else {
		ck_assert(gate_remove(gate));
	}
	ck_assert(!lists("sysgenid"));
	gate_free(gate);
}
END_TEST

START_TEST(malformed_file_ends_where_the_gate_is_set_by_force)
{
	const struct situation ready = { READY, 7, false };
	struct gate *gate = gate_new(&config);
	struct situation found;

	write_state("lost 7 0\n");
	ck_assert_int_eq(gate_recall(gate, &found), CANNOT_LOOK);
	ck_assert(gate_close_on_top(gate));
	ck_assert_int_eq(access(STATE_FILE, F_OK), 0);
	ck_assert(gate_set(gate, &ready));
	ck_assert_int_eq(gate_recall(gate, &found), RECALLED);
	ck_assert_int_eq(found.state, READY);
	gate_free(gate);
}
END_TEST

/* By somebody, while no overseer runs. */
START_TEST(flushed_rules_are_closed_again)
{
	const struct situation s = { QUIESCED, 7, true };
	struct gate *gate = gate_new(&config);
	struct situation found;

	ck_assert(gate_set(gate, &s));
	gate_free(gate);
	ck_assert_int_eq(system("nft flush ruleset"), 0);
	ck_assert(!lists("sysgenid"));
	gate = gate_new(&config);
	found = recalled(gate);
	ck_assert_int_eq(found.state, QUIESCED);
	ck_assert_uint_eq(found.generation, 7);
	ck_assert(found.until_resume);
	ck_assert(gate_set(gate, &found));
	ck_assert(is_closed());
	ck_assert(gate_remove(gate));
	ck_assert_int_eq(gate_recall(gate, &found), NOTHING_THERE);
	gate_free(gate);
}
END_TEST

/* What is known after a kill is at most as open as the network. */
START_TEST(gate_does_not_open_without_its_file)
{
	const struct situation held = { HELD, 7, false };
	const struct situation ready = { READY, 7, false };
	struct gate *gate = gate_new(&config);

	ck_assert_int_eq(mkdir(STATE_FILE, 0700), 0);
	ck_assert(!gate_set(gate, &held));
	ck_assert(is_closed());
	ck_assert(!gate_set(gate, &ready));
	ck_assert(is_closed());
	rmdir(STATE_FILE);
	ck_assert(gate_set(gate, &ready));
	ck_assert(is_open());
	gate_free(gate);
}
END_TEST

START_TEST(leftovers_that_cannot_be_removed_are_said)
{
	const struct situation ready = { READY, 7, false };
	struct gate *gate = gate_new(&config);
	struct situation found;

	ck_assert_int_eq(mkdir(STATE_FILE, 0700), 0);
	ck_assert_int_eq(gate_recall(gate, &found), CANNOT_LOOK);
	ck_assert(!gate_set(gate, &ready));
	rmdir(STATE_FILE);
	ck_assert(gate_set(gate, &ready));
	gate_free(gate);
}
END_TEST

/* The rules are opened for that alone: gate = none does not need them. */
START_TEST(malformed_rules_end_where_the_file_is_set_by_force)
{
	const struct situation ready = { READY, 7, false };
	struct config none = { .gate = GATE_NONE };
	struct gate *gate = gate_new(&none);
	struct situation found;

	ck_assert_int_eq(system("nft add table inet sysgenid"), 0);
	ck_assert_int_eq(gate_recall(gate, &found), CANNOT_LOOK);
	ck_assert(gate_set(gate, &ready));
	ck_assert(!lists("sysgenid"));
	gate_free(gate);
}
END_TEST

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	/* A test that failed may have left a directory. */
	remove(STATE_FILE);
}

static void teardown(void)
{
	remove(STATE_FILE);
}

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tcase = tcase_create("nftables");
	SRunner *runner = srunner_create(suite);
	int failed;

	/* Not without root. */
	if (unshare(CLONE_NEWNET) || system("nft list ruleset"))
		return 77;
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, remembers_across_processes);
	tcase_add_test(tcase, closes_and_opens);
	tcase_add_loop_test(tcase, what_is_in_place_is_not_written_again, 0,
			    STATES);
	tcase_add_test(tcase, is_put_back);
	tcase_add_loop_test(tcase, interface_of_any_name_is_closed, 0,
			    COUNT(odd_names));
	tcase_add_loop_test(tcase, exception_of_any_name_is_open, 0,
			    COUNT(odd_names));
	tcase_add_test(tcase, exception_that_gets_its_name_later_is_open);
	tcase_add_test(tcase, exception_whose_index_is_another_name_is_closed);
	tcase_add_test(tcase, interface_with_a_new_name_stays_closed);
	tcase_add_loop_test(tcase, chain_that_somebody_deletes_is_put_back, 0,
			    2);
	tcase_add_loop_test(tcase, rules_that_cannot_be_listed_are_not_none, 0,
			    2);
	tcase_add_loop_test(
		tcase, interfaces_that_cannot_be_listed_are_not_none, 0, 2);
	tcase_add_test(tcase, table_of_somebody_else_is_not_none);
	tcase_add_loop_test(tcase, file_that_is_malformed_is_not_none, 0,
			    COUNT(malformed));
	tcase_add_test(tcase, file_that_cannot_be_opened_is_not_none);
	tcase_add_test(tcase, file_that_cannot_be_written_is_said);
	tcase_add_loop_test(
		tcase, other_kind_of_gate_keeps_the_state_and_leaves_nothing, 0,
		2 * (STATES - 1));
	tcase_add_loop_test(
		tcase, change_of_kind_that_was_cut_short_is_not_ready, 0, 2);
	tcase_add_loop_test(tcase, closed_on_top_keeps_what_is_remembered, 0,
			    2);
	tcase_add_loop_test(tcase, closed_on_top_is_removed_with_the_other_kind,
			    0, 2);
	tcase_add_test(tcase, flushed_rules_are_closed_again);
	tcase_add_loop_test(tcase,
			    open_rules_close_in_place_unless_something_changed,
			    0, 3);
	tcase_add_test(tcase, interface_of_an_odd_name_is_open_with_the_others);
	tcase_add_loop_test(
		tcase,
		closed_rules_change_in_place_unless_somebody_changed_them, 0,
		3);
	tcase_add_test(tcase, gate_does_not_open_without_its_file);
	tcase_add_test(tcase, leftovers_that_cannot_be_removed_are_said);
	tcase_add_test(tcase,
		       malformed_file_ends_where_the_gate_is_set_by_force);
	tcase_add_test(tcase,
		       malformed_rules_end_where_the_file_is_set_by_force);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
