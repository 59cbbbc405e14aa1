// SPDX-License-Identifier: MIT
/* The fields of a line, with a journal that is played. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <sys/uio.h>

#include "journal.h"
#include "log.h"

static struct {
	/* Each field and a line break; on stderr: the line. */
	char fields[1024], line[256];
	int fails;
} journal;

int sd_journal_sendv(const struct iovec *fields, int count);
int sd_journal_sendv(const struct iovec *fields, int count)
{
	for (int i = 0; i < count; i++) {
		const size_t len = strlen(journal.fields);

		snprintf(journal.fields + len, sizeof(journal.fields) - len,
			 "%.*s\n", (int)fields[i].iov_len,
			 (const char *)fields[i].iov_base);
	}
	return journal.fails;
}

void log_line(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	snprintf(journal.line, sizeof(journal.line), "%d ", priority);
	vsnprintf(journal.line + 2, sizeof(journal.line) - 2, format, args);
	va_end(args);
}

static void say(void)
{
	const struct situation now = { READY, 7, false };
	const struct phases p = {
		.began = 1000,
		.ended = 8001000,
		.took = { [PHASE_GATE] = 5000000, [PHASE_HOST_NAME] = 3000000 },
	};

	memset(journal.fields, 0, sizeof(journal.fields));
	memset(journal.line, 0, sizeof(journal.line));
	journal_line(LOG_NOTICE, JOURNAL_READY, &now, &p, "ready after %d %%",
		     8);
}

START_TEST(journal_has_state_generation_and_times)
{
	setenv("JOURNAL_STREAM", "8:1", 1);
	say();
	ck_assert_str_eq(
		journal.fields,
		"MESSAGE=ready after 8 %\nPRIORITY=5\nMESSAGE_ID=" JOURNAL_READY
		"\nSYSGENID_STATE=ready\nSYSGENID_GENERATION=7\nSYSGENID_US=8000\n"
		"SYSGENID_US_GATE=5000\nSYSGENID_US_HOST_NAME=3000\n");
	ck_assert_str_eq(journal.line, "");
}
END_TEST

START_TEST(line_is_on_stderr_where_there_is_no_journal)
{
	if (_i) {
		setenv("JOURNAL_STREAM", "8:1", 1);
		journal.fails = -ENOENT;
	} else {
		unsetenv("JOURNAL_STREAM");
	}
	say();
	ck_assert_str_eq(journal.line, "5 ready after 8 %");
}
END_TEST

START_TEST(all_phases_have_room)
{
	const struct situation now = { HELD, UINT32_MAX, false };
	struct phases p = { .began = 1, .ended = 2 };
	unsigned int lines = 0;

	for (int i = 0; i < PHASES; i++)
		p.took[i] = UINT64_MAX;
	setenv("JOURNAL_STREAM", "8:1", 1);
	journal_line(LOG_ERR, JOURNAL_HELD, &now, &p, "held");
	for (const char *c = journal.fields; *c; c++)
		lines += *c == '\n';
	ck_assert_uint_eq(lines, 6 + PHASES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tcase = tcase_create("fields");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, journal_has_state_generation_and_times);
	tcase_add_loop_test(tcase, line_is_on_stderr_where_there_is_no_journal,
			    0, 2);
	tcase_add_test(tcase, all_phases_have_room);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
