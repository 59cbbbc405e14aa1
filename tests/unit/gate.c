// SPDX-License-Identifier: MIT
/* The overseer's gate in the kernel, in a network namespace of its own. */
#define _GNU_SOURCE
#include <check.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

START_TEST(remembers_across_processes)
{
	const struct situation s = { QUIESCED, 7, true };
	struct situation found;
	struct gate *gate = gate_new(&config);

	ck_assert_ptr_nonnull(gate);
	ck_assert(!gate_recall(gate, &found));
	ck_assert(gate_set(gate, &s));
	gate_free(gate);
	gate = gate_new(&config);
	ck_assert(gate_recall(gate, &found));
	ck_assert_int_eq(found.state, QUIESCED);
	ck_assert_uint_eq(found.generation, 7);
	ck_assert(found.until_resume);
	ck_assert(lists("policy drop"));
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
	ck_assert(!lists("hook"));
	ck_assert(lists("state-ready"));
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
	gate_check(gate, &s);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	/* Where nobody else may, it is there still. */
	ck_assert_int_ne(system("nft flush ruleset"), -1);
	if (!lists("policy drop"))
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
	gate_check(gate, &s);
	ck_assert(lists("policy drop"));
	gate_remove(gate);
	gate_free(gate);
}
END_TEST

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
	tcase_add_test(tcase, remembers_across_processes);
	tcase_add_test(tcase, closes_and_opens);
	tcase_add_test(tcase, is_put_back);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
