// SPDX-License-Identifier: MIT
/* An overseer that was built without libnftables, in a network namespace of its own. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "gate.h"
#include "log.h"
#include "suite.h"

#ifdef WITH_NFTABLES
#error "this is the test of the other build"
#endif

static char said[1024];

void log_line(int priority, const char *format, ...)
{
	va_list values;

	(void)priority;
	va_start(values, format);
	vsnprintf(said, sizeof(said), format, values);
	va_end(values);
}

/* In a file that is gone afterwards. */
static bool read_text(struct config *c, const char *text, char *why,
		      size_t size)
{
	char path[] = "/tmp/no-nftables-XXXXXX";
	int fd = mkstemp(path);
	bool ok;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	ok = config_read(c, path, why, size);
	unlink(path);
	return ok;
}

START_TEST(gate_in_the_configuration_is_refused_with_the_way_out)
{
	struct config c = { 0 };
	char why[512];

	ck_assert(!read_text(&c, "[overseer]\ngate = nftables\n", why,
			     sizeof(why)));
	ck_assert_ptr_nonnull(strstr(
		why,
		", line 2: gate: this overseer was built without libnftables: build it with -Dnftables=enabled"));
	ck_assert_ptr_null(strchr(why, '\n'));
	ck_assert(!read_text(&c, "[overseer]\ngate = on\n", why, sizeof(why)));
	ck_assert_ptr_nonnull(strstr(why, "none, kernel or nftables"));
	ck_assert(read_text(&c, "[overseer]\ngate = none\n", why, sizeof(why)));
	config_free(&c);
}
END_TEST

START_TEST(gate_that_is_asked_for_all_the_same_is_none)
{
	const struct config c = { .gate = GATE_NFTABLES };

	said[0] = 0;
	ck_assert_ptr_null(gate_new(&c));
	ck_assert_ptr_nonnull(strstr(said, "-Dnftables=enabled"));
}
END_TEST

START_TEST(state_in_the_file_is_kept_and_removed)
{
	const struct config c = { .gate = GATE_NONE };
	const struct situation s = { QUIESCED, 7, true };
	struct situation found;
	struct gate *gate = gate_new(&c);

	ck_assert_ptr_nonnull(gate);
	ck_assert_int_eq(gate_recall(gate, &found), NOTHING_THERE);
	ck_assert(gate_set(gate, &s));
	ck_assert_int_eq(gate_recall(gate, &found), RECALLED);
	ck_assert_int_eq(found.state, QUIESCED);
	ck_assert_uint_eq(found.generation, 7);
	ck_assert(gate_close_on_top(gate));
	ck_assert(gate_remove(gate));
	ck_assert_int_eq(gate_recall(gate, &found), NOTHING_THERE);
	gate_free(gate);
}
END_TEST

START_TEST(rules_of_another_overseer_are_neither_none_nor_removed)
{
	const struct config c = { .gate = GATE_NONE };
	const struct situation s = { READY, 7, false };
	struct situation found;
	struct gate *gate = gate_new(&c);

	ck_assert_ptr_nonnull(gate);
	ck_assert_int_eq(system("nft add table inet sysgenid"), 0);
	said[0] = 0;
	ck_assert_int_eq(gate_recall(gate, &found), CANNOT_LOOK);
	ck_assert_ptr_nonnull(strstr(said, "without libnftables"));
	ck_assert(!gate_set(gate, &s));
	ck_assert(!gate_remove(gate));
	ck_assert(gate_is_there());
	ck_assert_int_eq(system("nft delete table inet sysgenid"), 0);
	ck_assert(gate_remove(gate));
	gate_free(gate);
}
END_TEST

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	remove(STATE_FILE);
}

int main(void)
{
	const TTest *const tests[] = {
		gate_in_the_configuration_is_refused_with_the_way_out,
		gate_that_is_asked_for_all_the_same_is_none,
		state_in_the_file_is_kept_and_removed,
		rules_of_another_overseer_are_neither_none_nor_removed,
	};

	/* Not without root. */
	if (unshare(CLONE_NEWNET) || system("nft list ruleset"))
		return 77;
	return RUN_TESTS("no-nftables", tests, setup);
}
