// SPDX-License-Identifier: MIT
/* The overseer's configuration, and the text of its gate. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "freezing.h"
#include "log.h"
#include "rules.h"

void log_line(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
}

static char path[] = "/tmp/overseer-XXXXXX";

/* What was complained of. */
static char said[1024];

/* Onto what is in @c. */
static bool read_onto(struct config *c, const char *text)
{
	FILE *f = fopen(path, "w");

	said[0] = 0;
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	return config_read(c, path, said, sizeof(said));
}

static bool read_text(struct config *c, const char *text)
{
	memset(c, 0, sizeof(*c));
	return read_onto(c, text);
}

START_TEST(without_a_file)
{
	struct config c = { 0 };

	ck_assert(config_read(&c, CONFIG_PATH, said, sizeof(said)));
	ck_assert_int_eq(c.gate, GATE_NONE);
	ck_assert_int_eq(c.publisher, PUBLISHER_NONE);
	ck_assert_int_eq(c.laggards, LAGGARDS_HOLD);
	ck_assert_int_eq(c.reseed, RESEED_REQUIRE);
	ck_assert_int_eq(c.destroy_connections, DESTROY_WITH_GATE);
	ck_assert_uint_eq(c.quiesce_limit, 60000000);
	ck_assert(c.reset_sessions);
	ck_assert_uint_eq(c.watcher_timeout, 30000000);
	config_free(&c);
}
END_TEST

START_TEST(file_that_was_named_has_to_be_there)
{
	struct config c = { 0 };

	ck_assert(!config_read(&c, "/nonexistent/other.conf", said,
			       sizeof(said)));
	ck_assert_ptr_nonnull(strstr(said, "No such file"));
}
END_TEST

/* Nobody writes to it: who opens it as a file waits for ever. */
START_TEST(fifo_is_no_configuration)
{
	struct config c = { 0 };

	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert(!config_read(&c, path, said, sizeof(said)));
	ck_assert_ptr_nonnull(strstr(said, "not a regular file"));
	unlink(path);
}
END_TEST

START_TEST(every_key_of_the_gate_in_the_kernel)
{
	struct config c;

	ck_assert_msg(
		read_text(&c, "[overseer]\n"
			      "gate = kernel\n"
			      "except-interfaces = eth1\n"
			      "except-marks = 0x10 7\n"
			      "except-filter = udp port 123 or host 192.0.2.7\n"
			      "except-filter = ip[0] = 0x45 and tcp\n"
			      "reseed = settled\n"
			      "reseed-timeout = 7\n"),
		"%s", said);
	ck_assert_int_eq(c.gate, GATE_KERNEL);
	ck_assert_int_eq(c.reseed, RESEED_SETTLED);
	ck_assert_uint_eq(c.reseed_timeout, 7000000);
	ck_assert_uint_eq(c.except.device_count, 1);
	ck_assert_str_eq(c.except.devices[0], "eth1");
	ck_assert_uint_eq(c.except.mark_count, 2);
	ck_assert_uint_eq(c.except.marks[0], 0x10);
	ck_assert_uint_gt(c.except.filter_len, 8);
	config_free(&c);
	ck_assert_ptr_null(c.except.filter);
	ck_assert_uint_eq(c.reseed_timeout, 30000000);
}
END_TEST

/* No line alone is wrong. */
static const struct bad {
	const char *text;
	unsigned int line;
	const char *why;
} bad_pairs[] = {
	{ "announce = /dev/vport1p1\nrestore-serial = /dev/vport1p1\n", 3,
	  "one port" },
	{ "peer-port = any\n", 2, "restore-vsock" },
	{ "peer-cid = loopback\nrestore-serial = /dev/vport1p1\n", 2,
	  "restore-vsock" },
	{ "gate = kernel\nexcept-ports = 22/tcp\n", 3, "except-filter = tcp" },
	{ "except-filter = tcp port 22\ngate = nftables\n", 2, "22/tcp" },
	{ "gate = none\nexcept-filter = tcp port 22\n", 3, "gate = kernel" },
	{ "except-ports = 22/tcp\n", 2, "gate = nftables" },
	{ "except-marks = 7\nexcept-marks = 8\n", 3, "gate = kernel" },
	{ "except-interfaces = eth1\n\ngate = none\n", 2, "gate = kernel" },
	{ "gate = kernel\npublisher = trigger\n", 3, "publisher" },
	{ "gate = kernel\nexcept-marks = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"
	  "except-marks = 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33\n",
	  4, "except-marks: more than 32 marks" },
	{ "freeze = all\nfreeze = a\n", 3, "all stands alone" },
	{ "freeze = containers\n\nfreeze = all\n", 4, "all stands alone" },
	{ "freeze-except = a\n", 2, "freeze = all" },
	{ "kill-timeout = 5\n", 2, "laggards = kill" },
	{ "kill-timeout = 5\nlaggards = report\n", 2, "laggards = kill" },
	{ "reseed-timeout = 30\n", 2, "reseed = settled" },
	{ "reseed = require\nreseed-timeout = 30\n", 3, "reseed = settled" },
	{ "publisher = vmclock\nreseed = settled\n", 3, "require" },
	{ "publisher = vmclock\nwatcher-timeout = 30\n", 3, "waited for" },
	{ "laggards = hold\npublisher = trigger\n", 2, "waited for" },
	{ "quiesce-limit = 60\npublisher = trigger\n", 2, "write none" },
};

static void is_refused(const char *text, unsigned int number, const char *why)
{
	char line[32];
	struct config c;

	ck_assert(!read_text(&c, text));
	snprintf(line, sizeof(line), "line %u:", number);
	ck_assert_msg(strstr(said, line) && strstr(said, why), "%s", said);
}

START_TEST(keys_that_do_not_go_together_are_refused)
{
	const struct bad *b = &bad_pairs[_i];
	char text[512];

	snprintf(text, sizeof(text), "[overseer]\n%s", b->text);
	is_refused(text, b->line, b->why);
}
END_TEST

/* Each is the default, and none of them is refused for what the others are. */
static const char *const scalars[] = {
	"gate = none",		"hook-timeout = 90",
	"watcher-timeout = 30", "kill-timeout = 5",
	"laggards = hold",	"destroy-connections = with-gate",
	"sessions = reset",	"announce = /dev/null",
	"publisher = none",	"reseed = require",
	"reseed-timeout = 30",	"quiesce-limit = 60",
	"restore-vsock = 1030", "restore-serial = /dev/vport1p1",
};

START_TEST(key_without_a_list_that_is_given_twice_is_refused)
{
	char text[128];

	snprintf(text, sizeof(text), "[overseer]\n%s\n\n%s\n", scalars[_i],
		 scalars[_i]);
	is_refused(text, 4, "line 2 has this key already");
}
END_TEST

START_TEST(values_that_a_publisher_has_may_be_given)
{
	struct config c;

	ck_assert_msg(read_text(&c, "[overseer]\npublisher = trigger\n"
				    "quiesce-limit = none\n"
				    "reseed = require\n"),
		      "%s", said);
	config_free(&c);
	ck_assert_msg(read_text(&c, "[overseer]\npublisher = vmclock\n"
				    "quiesce-limit = 60\n"),
		      "%s", said);
	ck_assert_int_eq(c.publisher, PUBLISHER_VMCLOCK);
	ck_assert_uint_eq(c.quiesce_limit, 60000000);
	config_free(&c);
}
END_TEST

START_TEST(where_only_an_agent_tells_there_is_no_limit)
{
	struct config c;

	ck_assert(read_text(&c, "[overseer]\npublisher = trigger\n"));
	ck_assert_uint_eq(c.quiesce_limit, 0);
	config_free(&c);
}
END_TEST

/* Where it leads to, the overseer's unit sees nothing: a gate may be asked for there. */
START_TEST(link_to_a_file_that_cannot_be_seen_is_not_an_empty_one)
{
	struct config c = { 0 };

	unlink(path);
	ck_assert_int_eq(symlink("/nonexistent/overseer.conf", path), 0);
	ck_assert(!config_read(&c, path, said, sizeof(said)));
	ck_assert_ptr_nonnull(strstr(said, "No such file"));
	unlink(path);
}
END_TEST

START_TEST(every_key)
{
	struct config c;

	ck_assert(read_text(&c, "# a comment\n"
				"[overseer]\n"
				"gate = nftables\n"
				"except-interfaces = eth1, eth2.100\n"
				"except-marks = 7 0xffffffff\n"
				"except-ports = 22/tcp 68/udp\n"
				"except-ports = 443/tcp\n"
				"hook-timeout = 1\n"
				"watcher-timeout = 3600\n"
				"kill-timeout = 2\n"
				"laggards = kill\n"
				"destroy-connections = no\n"
				"sessions = keep\n"
				"freeze = a.service b@1 c.slice d.e\n"
				"wipe = b@1\n"
				"metrics = /var/lib/x/y.prom\n"
				"clock = set\n"
				"host-name = transient\n"
				"machine-id = new\n"
				"interfaces = set\n"
				"environment = pass\n"
				"entropy = ignore\n"
				"restart = a b.socket\n"
				"restart = c.timer\n"
				"restart-after = d.e\n"
				"restart-timeout = 3\n"
				"announce = vsock:2:1234\n"
				"publisher = none\n"
				"reseed = warn\n"
				"quiesce-limit = none\n"));
	ck_assert_int_eq(c.reseed, RESEED_WARN);
	ck_assert_int_eq(c.publisher, PUBLISHER_NONE);
	ck_assert_int_eq(c.gate, GATE_NFTABLES);
	ck_assert_uint_eq(c.except_interfaces.count, 2);
	ck_assert_str_eq(c.except_interfaces.word[1], "eth2.100");
	ck_assert_uint_eq(c.except_marks.count, 2);
	ck_assert_uint_eq(c.except_ports.count, 3);
	ck_assert_uint_eq(c.hook_timeout, 1000000);
	ck_assert_uint_eq(c.watcher_timeout, 3600000000);
	ck_assert_int_eq(c.laggards, LAGGARDS_KILL);
	ck_assert_int_eq(c.destroy_connections, DESTROY_NEVER);
	ck_assert_uint_eq(c.quiesce_limit, 0);
	ck_assert(!c.reset_sessions);
	ck_assert_str_eq(c.freeze.word[1], "b@1.service");
	ck_assert_str_eq(c.freeze.word[2], "c.slice");
	ck_assert_str_eq(c.freeze.word[3], "d.e.service");
	ck_assert_str_eq(c.announce, "vsock:2:1234");
	ck_assert(c.set_clock && c.set_interfaces && c.pass_environment);
	ck_assert(!c.mix_entropy);
	ck_assert_int_eq(c.host_name, HOST_NAME_TRANSIENT);
	ck_assert_int_eq(c.machine_id, MACHINE_ID_NEW);
	ck_assert_str_eq(c.metrics, "/var/lib/x/y.prom");
	ck_assert_uint_eq(c.wipe.count, 1);
	ck_assert_str_eq(c.wipe.word[0], "b@1.service");
	ck_assert_uint_eq(c.restart.count, 3);
	ck_assert_str_eq(c.restart.word[0], "a.service");
	ck_assert_str_eq(c.restart.word[1], "b.socket");
	ck_assert_str_eq(c.restart_after.word[0], "d.e.service");
	ck_assert_uint_eq(c.restart_timeout, 3000000);
	config_free(&c);
}
END_TEST

static const struct bad bad[] = {
	{ "[overseer]\ngate = nftables\ngait = none\n", 3, "no such key" },
	{ "gate = none\n", 1, "not in the section" },
	{ "[other]\ngate = none\n", 2, "not in the section" },
	{ "[overseer]\nnonsense\n", 2, "key = value" },
	{ "[overseer]\n\ngate = open\n", 3, "none, kernel or nftables" },
	{ "[overseer]\nsessions = yes\n", 2, "reset or keep" },
	/* An indented line is one of its own, not more of the line above. */
	{ "[overseer]\nexcept-interfaces = eth1\n  gate = open\n", 3,
	  "none, kernel or nftables" },
	{ "[overseer]\ngate = nftables\n\tnone\n", 3, "key = value" },
	/* No octal numbers. */
	{ "[overseer]\nexcept-ports = 022/tcp\n", 2, "22/tcp" },
	{ "[overseer]\nexcept-marks = 010\n", 2, "mark" },
	{ "[overseer]\nhook-timeout = 010\n", 2, "seconds" },
	{ "[overseer]\nexcept-interfaces = an-interface-name-too-long\n", 2,
	  "15" },
	{ "[overseer]\nexcept-interfaces = eth0/1\n", 2, "neither" },
	{ "[overseer]\nexcept-marks = 0\n", 2, "mark" },
	{ "[overseer]\nexcept-marks = 0x100000000\n", 2, "mark" },
	{ "[overseer]\nexcept-ports = 22\n", 2, "22/tcp" },
	{ "[overseer]\nexcept-ports = 65536/tcp\n", 2, "22/tcp" },
	{ "[overseer]\nexcept-ports = 22/sctp\n", 2, "22/tcp" },
	{ "[overseer]\nhook-timeout = 0\n", 2, "seconds" },
	{ "[overseer]\nhook-timeout = 3601\n", 2, "seconds" },
	{ "[overseer]\nhook-timeout = 10s\n", 2, "seconds" },
	{ "[overseer]\nlaggards = forgive\n", 2, "hold" },
	{ "[overseer]\ndestroy-connections = perhaps\n", 2,
	  "with-gate, yes or no" },
	{ "[overseer]\nfreeze = --force\n", 2, "unit" },
	{ "[overseer]\nfreeze = a\nwipe = all\n", 3, "name each" },
	{ "[overseer]\n\nwipe = a\n", 3, "only frozen units are wiped" },
	{ "[overseer]\nrestart-timeout = 5\n", 2, "needs restart" },
	{ "[overseer]\nmetrics = sysgenid.prom\n", 2, "ends with .prom" },
	{ "[overseer]\nmetrics = /a/sysgenid\n", 2, "ends with .prom" },
	{ "[overseer]\nmetrics = /a/.prom\n", 2, "ends with .prom" },
	{ "[overseer]\nmetrics = /a b/c.prom\n", 2, "without blanks" },
	{ "[overseer]\nclock = yes\n", 2, "set or keep" },
	{ "[overseer]\nentropy = yes\n", 2, "mix or ignore" },
	{ "[overseer]\nhost-name = x\n", 2, "keep, set or transient" },
	{ "[overseer]\nmachine-id = 1\n", 2, "keep, set or new" },
	{ "[overseer]\nrestart = /agents\n", 2, "unit" },
	{ "[overseer]\nrestore-vsock = 1023\n", 2, "from 1024 to 4294967294" },
	{ "[overseer]\nrestore-vsock = 4294967295\n", 2, "from 1024" },
	{ "[overseer]\nrestore-vsock = vsock:2:1030\n", 2, "from 1024" },
	{ "[overseer]\nrestore-serial = org.example.restore\n", 2, "a path" },
	{ "[overseer]\npeer-port = 1023\n", 2, "any or privileged" },
	{ "[overseer]\npeer-cid = 1\n", 2, "loopback or host" },
	{ "[overseer]\nrestart = a.slice\n", 2, "cannot be started again" },
	{ "[overseer]\nrestart-after = a\nrestart-after = sysgenid-overseer\n",
	  3, "needs that unit" },
	{ "[overseer]\nrestart = dbus\n", 2, "needs that unit" },
	{ "[overseer]\nrestart-timeout = 0\n", 2, "whole number" },
	{ "[overseer]\nfreeze = a all\n", 2, "all stands alone" },
	{ "[overseer]\nfreeze = all\nfreeze-except = a;b\n", 3, "unit" },
	{ "[overseer]\nfreeze = all\nfreeze-except = /\n", 3,
	  "path of a cgroup" },
	{ "[overseer]\nfreeze = a;b\n", 2, "unit" },
	{ "[overseer]\nfreeze = a\nfreeze = b, sysgenid-overseer\n", 3,
	  "thaw" },
	{ "[overseer]\nfreeze = sysgenid-overseer.service\n", 2, "thaw" },
	{ "[overseer]\nfreeze = -.slice\n", 2, "thaw" },
	{ "[overseer]\nfreeze = system.slice\n", 2, "thaw" },
	{ "[overseer]\nfreeze = init.scope\n", 2, "thaw" },
	{ "[overseer]\nfreeze = dbus\n", 2, "thaw" },
	{ "[overseer]\nfreeze = systemd-journald\n", 2, "thaw" },
	{ "[overseer]\nfreeze = /\n", 2, "path of a cgroup" },
	{ "[overseer]\nfreeze = /agents/../x\n", 2, "path of a cgroup" },
	{ "[overseer]\nfreeze = /agents/\n", 2, "path of a cgroup" },
	{ "[overseer]\ngate = kernel\nexcept-filter = udp prt 7\n", 3,
	  "except-filter: " },
	{ "[overseer]\nexcept-filter =\n", 2, "no expression" },
	{ "[overseer]\nreseed-timeout = 0\n", 2, "3600" },
	{ "[overseer]\nreseed = no\n", 2, "require, settled or warn" },
	{ "[overseer]\nannounce = somewhere\n", 2, "vsock" },
	{ "[overseer]\nannounce = vsock:2:3:4\n", 2, "vsock" },
	{ "[overseer]\nannounce = vsock:4294967298:1\n", 2, "4294967295" },
	{ "[overseer]\nannounce = vsock:2:-1\n", 2, "4294967295" },
	{ "[overseer]\nannounce = vsock::1\n", 2, "vsock" },
	{ "[overseer]\nquiesce-limit = 0\n", 2, "none, or" },
	{ "[overseer]\nquiesce-limit = 3601\n", 2, "none, or" },
};

START_TEST(all_is_frozen_but_what_is_exempt)
{
	struct config c;

	ck_assert(read_text(&c, "[overseer]\nfreeze = all\n"
				"freeze-except = dbus a.slice /agents\n"));
	ck_assert(c.freeze_all);
	ck_assert(config_has_step(&c, STEP_CGROUPS));
	ck_assert_uint_eq(c.freeze.count, 0);
	ck_assert_uint_eq(c.freeze_except.count, 3);
	ck_assert_str_eq(c.freeze_except.word[0], "dbus.service");
	config_free(&c);
	ck_assert(read_text(&c, "[overseer]\nfreeze = all\nwipe = a /b\n"));
	config_free(&c);
}
END_TEST

START_TEST(indented_line_counts)
{
	struct config c;

	ck_assert(read_text(&c, "[overseer]\nexcept-interfaces = eth1\n"
				"  gate = nftables\n\t# gate = none\n"));
	ck_assert_int_eq(c.gate, GATE_NFTABLES);
	ck_assert_uint_eq(c.except_interfaces.count, 1);
	config_free(&c);
}
END_TEST

/* What a reader of lines does not see, or takes for another line. */
START_TEST(part_of_a_line_does_not_count)
{
	struct config c = { 0 };
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs("[overseer]\n", f);
	if (_i)
		fwrite("gate = none\0\ngate = nftables\n", 1, 29, f);
	else
		fprintf(f, "gate = %198s\n", "none");
	fclose(f);
	ck_assert(!config_read(&c, path, said, sizeof(said)));
	ck_assert_msg(strstr(said, _i ? "line 2: a line has no zero byte" :
					"line 2: a line has at most 199"),
		      "%s", said);
}
END_TEST

START_TEST(comment_of_any_length_is_a_comment)
{
	struct config c = { 0 };
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "[overseer]\n %c%198s%s\ngate = nftables\n", _i ? ';' : '#',
		"", "gate = none");
	fclose(f);
	ck_assert_msg(config_read(&c, path, said, sizeof(said)), "%s", said);
	ck_assert_int_eq(c.gate, GATE_NFTABLES);
	config_free(&c);
}
END_TEST

START_TEST(bad_lines)
{
	is_refused(bad[_i].text, bad[_i].line, bad[_i].why);
}
END_TEST

START_TEST(bad_file_leaves_what_was_there)
{
	struct config c;

	ck_assert(read_text(&c, "[overseer]\ngate = nftables\n"
				"announce = /dev/null\n"));
	ck_assert(!read_onto(&c, bad[_i].text));
	ck_assert_int_eq(c.gate, GATE_NFTABLES);
	ck_assert_str_eq(c.announce, "/dev/null");
	config_free(&c);
}
END_TEST

START_TEST(file_that_cannot_be_read_is_not_an_empty_one)
{
	struct config c = { 0 };

	/* libinih sees the end of a file in both. */
	ck_assert(!config_read(&c, "/proc/self/mem", said, sizeof(said)));
	ck_assert_msg(strstr(said, "/proc/self/mem: "), "%s", said);
	ck_assert(!config_read(&c, "/tmp", said, sizeof(said)));
	ck_assert_msg(strstr(said, "/tmp: Is a directory"), "%s", said);
}
END_TEST

static char *rules(const char *config, enum state state, bool owner)
{
	const struct situation s = { state, 4294967295, state == QUIESCED };
	const struct rules_options options = { .egress = true, .owner = owner };
	struct config c;
	char *text;

	ck_assert(read_text(&c, config));
	text = rules_text(&c, &s, options);
	ck_assert_ptr_nonnull(text);
	config_free(&c);
	return text;
}

START_TEST(frozen_units_are_remembered_until_forgotten)
{
	struct words frozen = { .word = NULL };
	struct config c;

	freezing_forget();
	ck_assert(freezing_recall(&frozen));
	ck_assert_uint_eq(frozen.count, 0);
	ck_assert(read_text(&c, "[overseer]\nfreeze = a.slice b\n"));
	ck_assert(freezing_remember(&c.freeze));
	ck_assert(freezing_recall(&frozen));
	ck_assert_uint_eq(frozen.count, 2);
	ck_assert_str_eq(frozen.word[0], "a.slice");
	ck_assert_str_eq(frozen.word[1], "b.service");
	words_free(&frozen);
	freezing_forget();
	/* What cannot be read is not taken for nothing. */
	ck_assert_int_eq(mkdir(FROZEN_FILE, 0700), 0);
	ck_assert(!freezing_recall(&frozen));
	ck_assert(!freezing_remember(&c.freeze));
	ck_assert_int_eq(rmdir(FROZEN_FILE), 0);
	unlink(FROZEN_FILE ".new");
	config_free(&c);
	words_free(&frozen);
}
END_TEST

START_TEST(open_only_when_ready)
{
	for (int state = 0; state < STATES; state++) {
		char *text = rules("[overseer]\n", (enum state)state, false);

		const char *netdev = strstr(text, "table netdev sysgenid {");

		ck_assert_ptr_nonnull(strstr(text, "policy drop"));
		ck_assert_int_eq(rules_are_open(text), state == READY);
		ck_assert_ptr_nonnull(netdev);
		ck_assert_int_eq(rules_are_open(netdev), state == READY);
		ck_assert_ptr_nonnull(
			strstr(text, state_name((enum state)state)));
		free(text);
	}
}
END_TEST

START_TEST(situation_is_read_back)
{
	struct situation s;

	for (int state = 0; state < STATES; state++) {
		char *text = rules("[overseer]\n", (enum state)state, true);

		ck_assert(rules_situation(text, &s));
		ck_assert_int_eq(s.state, state);
		ck_assert_uint_eq(s.generation, 4294967295);
		ck_assert_int_eq(s.until_resume, state == QUIESCED);
		free(text);
	}
	ck_assert(!rules_situation("table inet sysgenid {\n}\n", &s));
	ck_assert(!rules_situation(
		"chain state-lost {\n}\nchain generation-1 {", &s));
	ck_assert(!rules_situation(
		"chain state-held2 {\n}\nchain generation-1 {", &s));
	ck_assert(!rules_situation(
		"chain state-held {\n}\nchain generation-4294967297 {", &s));
}
END_TEST

START_TEST(exceptions)
{
	char *text = rules("[overseer]\ngate = nftables\n"
			   "except-interfaces = eth7\n"
			   "except-marks = 9\nexcept-ports = 68/udp\n",
			   HELD, false);

	ck_assert_ptr_nonnull(strstr(text, "oifname \"eth7\" accept"));
	ck_assert_ptr_nonnull(
		strstr(text, "meta l4proto udp th dport 68 accept"));
	ck_assert_ptr_nonnull(
		strstr(text, "meta l4proto udp th sport 68 accept"));
	ck_assert_ptr_nonnull(
		strstr(text, "meta mark 9 ct mark set meta mark accept"));
	ck_assert_ptr_nonnull(
		strstr(text, "iifname \"eth7\" oifname \"eth7\" accept"));
	ck_assert_ptr_null(strstr(text, "device \"lo\""));
	free(text);
}
END_TEST

START_TEST(what_is_open_is_noticed)
{
	static const char *const hooks[] = { "input", "output", "forward" };
	const struct config c = { .gate = GATE_NFTABLES };
	const struct rules_options egress = { .egress = true };
	char *text = rules("[overseer]\n", HELD, false), *at;
	char hook[32];

	ck_assert(rules_close_all(&c, egress, text, text));
	/* A machine has at least one interface besides loopback, or there is nothing to close. */
	ck_assert_int_eq(rules_close_all(&c, egress, text, ""),
			 !strstr(text, "chain ingress-"));
	for (size_t i = 0; i < 3; i++) {
		snprintf(hook, sizeof(hook), "hook %s", hooks[i]);
		at = strstr(strstr(text, hook), "drop");
		memcpy(at, "none", 4);
		ck_assert_msg(!rules_close_all(&c, egress, text, text), "%s",
			      hook);
		memcpy(at, "drop", 4);
	}
	free(text);
}
END_TEST

START_TEST(tables_are_removed_under_their_flags)
{
	char *text = rules("[overseer]\n", HELD, true);

	ck_assert_ptr_eq(
		text,
		strstr(text,
		       "add table inet sysgenid {\nflags owner, persist;\n}\ndelete table inet sysgenid\n"));
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("overseer");
	TCase *tcase = tcase_create("configuration and rules");
	SRunner *runner = srunner_create(suite);
	int failed, fd = mkstemp(path);

	if (fd < 0)
		return 2;
	close(fd);
	tcase_add_test(tcase, without_a_file);
	tcase_add_test(tcase, file_that_was_named_has_to_be_there);
	tcase_add_test(tcase, fifo_is_no_configuration);
	tcase_add_test(tcase,
		       link_to_a_file_that_cannot_be_seen_is_not_an_empty_one);
	tcase_add_test(tcase, every_key);
	tcase_add_test(tcase, every_key_of_the_gate_in_the_kernel);
	tcase_add_loop_test(tcase, keys_that_do_not_go_together_are_refused, 0,
			    sizeof(bad_pairs) / sizeof(bad_pairs[0]));
	tcase_add_loop_test(tcase,
			    key_without_a_list_that_is_given_twice_is_refused,
			    0, sizeof(scalars) / sizeof(scalars[0]));
	tcase_add_test(tcase, values_that_a_publisher_has_may_be_given);
	tcase_add_test(tcase, where_only_an_agent_tells_there_is_no_limit);
	tcase_add_test(tcase, all_is_frozen_but_what_is_exempt);
	tcase_add_test(tcase, indented_line_counts);
	tcase_add_loop_test(tcase, comment_of_any_length_is_a_comment, 0, 2);
	tcase_add_loop_test(tcase, part_of_a_line_does_not_count, 0, 2);
	tcase_add_loop_test(tcase, bad_lines, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_loop_test(tcase, bad_file_leaves_what_was_there, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tcase, file_that_cannot_be_read_is_not_an_empty_one);
	tcase_add_test(tcase, frozen_units_are_remembered_until_forgotten);
	tcase_add_test(tcase, open_only_when_ready);
	tcase_add_test(tcase, situation_is_read_back);
	tcase_add_test(tcase, exceptions);
	tcase_add_test(tcase, what_is_open_is_noticed);
	tcase_add_test(tcase, tables_are_removed_under_their_flags);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	return failed ? 1 : 0;
}
