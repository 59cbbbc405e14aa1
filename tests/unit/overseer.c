// SPDX-License-Identifier: MIT
/* The overseer's configuration, and the text of its gate. */
#define _GNU_SOURCE
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "rules.h"

static char path[] = "/tmp/overseer-XXXXXX";

/* What was complained of; log_line() here instead of log.c. */
static char said[1024];

void log_line(int priority, const char *format, ...);

void log_line(int priority, const char *format, ...)
{
	va_list args;

	(void)priority;
	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

static bool read_text(struct config *c, const char *text)
{
	FILE *f = fopen(path, "w");

	said[0] = 0;
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	return config_read(c, path);
}

START_TEST(without_a_file)
{
	struct config c;

	ck_assert(config_read(&c, "/tmp/there/is/none"));
	ck_assert_int_eq(c.gate, GATE_NONE);
	ck_assert_int_eq(c.publisher, PUBLISHER_NONE);
	ck_assert_int_eq(c.laggards, LAGGARDS_HOLD);
	ck_assert(c.destroy_connections);
	ck_assert_uint_eq(c.watcher_timeout, 30000000);
	config_free(&c);
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
				"freeze = a.service b@1.service\n"
				"announce = vsock:2:1234\n"
				"publisher = vmclock\n"));
	ck_assert_int_eq(c.publisher, PUBLISHER_VMCLOCK);
	ck_assert_int_eq(c.gate, GATE_NFTABLES);
	ck_assert_uint_eq(c.except_interfaces.count, 2);
	ck_assert_str_eq(c.except_interfaces.word[1], "eth2.100");
	ck_assert_uint_eq(c.except_marks.count, 2);
	ck_assert_uint_eq(c.except_ports.count, 3);
	ck_assert_uint_eq(c.hook_timeout, 1000000);
	ck_assert_uint_eq(c.watcher_timeout, 3600000000);
	ck_assert_int_eq(c.laggards, LAGGARDS_KILL);
	ck_assert(!c.destroy_connections);
	ck_assert_str_eq(c.freeze.word[1], "b@1.service");
	ck_assert_str_eq(c.announce, "vsock:2:1234");
	config_free(&c);
}
END_TEST

static const struct bad {
	const char *text;
	unsigned int line;
	const char *why;
} bad[] = {
	{ "[overseer]\ngate = nftables\ngait = none\n", 3, "no such key" },
	{ "gate = none\n", 1, "not in the section" },
	{ "[other]\ngate = none\n", 2, "not in the section" },
	{ "[overseer]\nnonsense\n", 2, "key = value" },
	{ "[overseer]\n\ngate = open\n", 3, "none or nftables" },
	{ "[overseer]\nexcept-interfaces = an-interface-name-too-long\n", 2,
	  "15" },
	{ "[overseer]\nexcept-interfaces = eth0\"\n", 2, "letters" },
	{ "[overseer]\nexcept-marks = 0\n", 2, "mark" },
	{ "[overseer]\nexcept-marks = 0x100000000\n", 2, "mark" },
	{ "[overseer]\nexcept-ports = 22\n", 2, "22/tcp" },
	{ "[overseer]\nexcept-ports = 65536/tcp\n", 2, "22/tcp" },
	{ "[overseer]\nexcept-ports = 22/sctp\n", 2, "22/tcp" },
	{ "[overseer]\nhook-timeout = 0\n", 2, "seconds" },
	{ "[overseer]\nhook-timeout = 3601\n", 2, "seconds" },
	{ "[overseer]\nhook-timeout = 10s\n", 2, "seconds" },
	{ "[overseer]\nlaggards = forgive\n", 2, "hold" },
	{ "[overseer]\ndestroy-connections = perhaps\n", 2, "yes or no" },
	{ "[overseer]\nfreeze = --force\n", 2, "unit" },
	{ "[overseer]\nfreeze = a;b\n", 2, "unit" },
	{ "[overseer]\nannounce = somewhere\n", 2, "vsock" },
	{ "[overseer]\nannounce = vsock:2:3:4\n", 2, "vsock" },
};

START_TEST(bad_lines)
{
	const struct bad *b = &bad[_i];
	char line[32];
	struct config c;

	ck_assert(!read_text(&c, b->text));
	snprintf(line, sizeof(line), "line %u:", b->line);
	ck_assert_msg(strstr(said, line) && strstr(said, b->why), "%s", said);
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

START_TEST(open_only_when_ready)
{
	for (int state = 0; state < STATES; state++) {
		char *text = rules("[overseer]\n", (enum state)state, false);

		ck_assert_int_eq(!strstr(text, "policy drop"), state == READY);
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
}
END_TEST

START_TEST(exceptions)
{
	char *text = rules("[overseer]\nexcept-interfaces = eth7\n"
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
		strstr(text, "iifname \"eth7\" oifname { \"eth7\" } accept"));
	ck_assert_ptr_null(strstr(text, "device \"lo\""));
	free(text);
}
END_TEST

START_TEST(what_is_open_is_noticed)
{
	static const char *const hooks[] = { "input", "output", "forward" };
	const struct config c = { .gate = GATE_NFTABLES };
	char *text = rules("[overseer]\n", HELD, false), *at;
	char hook[32];

	ck_assert(rules_close_all(&c, text, text));
	/* A machine has at least one interface besides loopback, or there is nothing to close. */
	ck_assert_int_eq(rules_close_all(&c, text, ""),
			 !strstr(text, "chain ingress-"));
	for (size_t i = 0; i < 3; i++) {
		snprintf(hook, sizeof(hook), "hook %s", hooks[i]);
		at = strstr(strstr(text, hook), "drop");
		memcpy(at, "none", 4);
		ck_assert_msg(!rules_close_all(&c, text, text), "%s", hook);
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
	tcase_add_test(tcase, every_key);
	tcase_add_loop_test(tcase, bad_lines, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
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
