// SPDX-License-Identifier: MIT
/* Lines for the host, through a port that is not there, has no reader, or is full. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "announce.h"
#include "log.h"

static char folder[] = "/tmp/overseer-announce-XXXXXX";
static char path[64];
static struct loop *loop;
static struct announcer *announcer;
static unsigned int complaints;

void log_line(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
	complaints++;
}

static void setup(void)
{
	complaints = 0;
	strcpy(strrchr(folder, '-'), "-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/port", folder);
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	announcer = announcer_new(loop, path);
	ck_assert_ptr_nonnull(announcer);
}

static void teardown(void)
{
	announcer_free(announcer);
	loop_free(loop);
	unlink(path);
	rmdir(folder);
}

static int listen_to_port(void)
{
	int fd;

	if (mkfifo(path, 0600))
		ck_assert_int_eq(errno, EEXIST);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void say(const char *state)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "state", json_object_new_string(state));
	announcer_say(announcer, o);
	json_object_put(o);
}

/* What came, after waiting for something if it is to come. */
static const char *heard(int fd, size_t want)
{
	static char text[300000];
	size_t len = 0;

	for (int i = 0; i < 100 && len < want; i++) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

		len += n > 0 ? (size_t)n : 0;
		if (len < want)
			loop_run_once(loop, 100000);
	}
	while (loop_run_once(loop, 0) > 0)
		;
	text[len] = 0;
	return text;
}

#define LINE(state) "{\"state\":\"" state "\"}\n"

START_TEST(line_comes_once)
{
	int fd = listen_to_port();

	say("adjusting");
	say("adjusting");
	say("ready");
	ck_assert_str_eq(heard(fd, 42), LINE("adjusting") LINE("ready"));
	ck_assert_uint_eq(complaints, 0);
	close(fd);
}
END_TEST

START_TEST(line_waits_for_the_port_and_the_newest_counts)
{
	int fd;

	say("adjusting");
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(loop_run_once(loop, 1000000), 1);
	say("ready");
	ck_assert_uint_eq(complaints, 1);
	fd = listen_to_port();
	ck_assert_str_eq(heard(fd, 17), LINE("ready"));
	close(fd);
}
END_TEST

/* What was begun is ended: the host never sees a part of a line. */
START_TEST(full_port_loses_and_cuts_no_line)
{
	char *longest = malloc(100001), *want;
	int fd = listen_to_port();
	const char *text;

	memset(longest, 'x', 100000);
	longest[100000] = 0;
	ck_assert_int_gt(asprintf(&want, "{\"state\":\"%s\"}\n" LINE("ready"),
				  longest),
			 0);
	say(longest);
	say("adjusting");
	say("ready");
	/* The loop has nothing to do until there is room. */
	ck_assert_int_eq(loop_run_once(loop, 100000), 0);
	text = heard(fd, strlen(want));
	ck_assert_uint_eq(strlen(text), strlen(want));
	ck_assert_str_eq(text, want);
	free(want);
	free(longest);
	close(fd);
}
END_TEST

START_TEST(port_stays_open_and_is_opened_again_after_its_reader_left)
{
	int fd = listen_to_port(), again;

	say("adjusting");
	ck_assert_str_eq(heard(fd, 22), LINE("adjusting"));
	close(fd);
	say("held");
	again = listen_to_port();
	ck_assert_str_eq(heard(again, 16), LINE("held"));
	/* With another file under that name, the old one is still the port. */
	ck_assert_int_eq(unlink(path), 0);
	say("ready");
	ck_assert_str_eq(heard(again, 17), LINE("ready"));
	close(again);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("announce");
	TCase *tcase = tcase_create("port");
	SRunner *runner = srunner_create(suite);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, line_comes_once);
	tcase_add_test(tcase, line_waits_for_the_port_and_the_newest_counts);
	tcase_add_test(tcase, full_port_loses_and_cuts_no_line);
	tcase_add_test(
		tcase,
		port_stays_open_and_is_opened_again_after_its_reader_left);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
