// SPDX-License-Identifier: MIT
/* Which files the overseer runs as hooks, and what it does not pass over. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "cgroup.h"
#include "commands.h"
#include "environment.h"

static char folder[] = "/tmp/overseer-hooks-XXXXXX";
static char path[64];

static void setup(void)
{
	strcpy(strrchr(folder, '-'), "-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/10-one", folder);
}

static void teardown(void)
{
	unlink(path);
	rmdir(folder);
}

static bool can_be_run(const char *where)
{
	const struct situation s = { ADJUSTING, 7, false };
	struct commands *cs = commands_new();
	bool ok;

	ck_assert_ptr_nonnull(cs);
	ok = commands_add_folder(cs, &backend_plain, 1000000, where, &s, NULL);
	commands_cancel(cs);
	return ok;
}

static void make_file(mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

START_TEST(folder_without_hooks_is_all_right)
{
	/* Only root's is trusted. */
	ck_assert(can_be_run(folder) == !getuid());
	ck_assert(can_be_run(path));
	make_file(0644);
	ck_assert(can_be_run(folder) == !getuid());
}
END_TEST

START_TEST(hook_that_others_can_write_to_is_refused)
{
	make_file(0755);
	ck_assert(can_be_run(folder) == !getuid());
	ck_assert_int_eq(chmod(path, 0775), 0);
	ck_assert(!can_be_run(folder));
}
END_TEST

START_TEST(folder_that_others_can_write_to_is_refused)
{
	static const mode_t modes[] = { 0775, 0757 };

	ck_assert_int_eq(chmod(folder, modes[_i]), 0);
	ck_assert(!can_be_run(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert(can_be_run(folder) == !getuid());
}
END_TEST

/* The hook was removed, or stands where the overseer's unit sees nothing. */
START_TEST(link_to_a_hook_that_cannot_be_seen_is_refused)
{
	ck_assert_int_eq(symlink("/nonexistent/10-one", path), 0);
	ck_assert(!can_be_run(folder));
}
END_TEST

START_TEST(link_to_a_folder_that_cannot_be_seen_is_refused)
{
	ck_assert_int_eq(symlink("/nonexistent", path), 0);
	ck_assert(!can_be_run(path));
}
END_TEST

/* ---- what runs, as children ---- */

static char failed[512];
static bool finished;

static void on_done(void *user, const char *why)
{
	(void)user;
	snprintf(failed, sizeof(failed), "%s", why ? why : "");
	finished = true;
}

/* What the host sends. */
static char **environment;

/* A hook with this text; "" or why it failed. */
static const char *run_hook(const char *text, uint64_t timeout)
{
	const struct situation s = { ADJUSTING, 7, false };
	struct loop *loop = loop_new();
	struct commands *cs = commands_new();
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "#!/bin/sh\n%s\n", text);
	fclose(f);
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert(backend_plain.add_hook(cs, timeout, path, "10-one", &s,
					 environment));
	finished = false;
	commands_run(cs, loop, on_done, NULL);
	/* Never before the loop runs. */
	ck_assert(!finished);
	while (!finished)
		ck_assert_int_ge(loop_run_once(loop, 10000000), 0);
	loop_free(loop);
	return failed;
}

START_TEST(hook_is_told_the_generation_and_the_state)
{
	setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
	ck_assert_str_eq(
		run_hook(
			"[ \"$SYSGENID_GENERATION $SYSGENID_STATE $NOTIFY_SOCKET\" = \"7 adjusting \" ]",
			10000000),
		"");
	unsetenv("NOTIFY_SOCKET");
}
END_TEST

START_TEST(hook_is_told_what_the_host_sends_under_names_of_its_own)
{
	const struct request r = {
		.environment = "A=1\0PATH=/tmp:$(x) y",
		.environment_len = sizeof("A=1\0PATH=/tmp:$(x) y"),
	};

	environment = environment_new(&r);
	ck_assert_ptr_nonnull(environment);
	ck_assert_str_eq(
		run_hook(
			"[ \"$SYSGENID_HOST_A-$SYSGENID_HOST_PATH-$SYSGENID_STATE\" = '1-/tmp:$(x) y-adjusting' ] && [ \"$PATH\" != \"$SYSGENID_HOST_PATH\" ]",
			10000000),
		"");
	environment_free(environment);
	environment = NULL;
}
END_TEST

START_TEST(hook_that_fails_is_named)
{
	char want[128];

	snprintf(want, sizeof(want), "%s: exit status 3", path);
	ck_assert_str_eq(run_hook("exit 3", 10000000), want);
	snprintf(want, sizeof(want), "%s: ended by signal 9", path);
	ck_assert_str_eq(run_hook("kill -9 $$", 10000000), want);
}
END_TEST

START_TEST(program_that_is_not_there_fails)
{
	static const char *const argv[] = { "/nonexistent/hook", NULL };
	struct loop *loop = loop_new();
	struct commands *cs = commands_new();

	ck_assert(commands_add(cs, 1000000, argv));
	finished = false;
	commands_run(cs, loop, on_done, NULL);
	ck_assert_int_eq(loop_run_once(loop, 1000000), 1);
	ck_assert(finished);
	ck_assert_str_eq(failed,
			 "/nonexistent/hook: No such file or directory");
	loop_free(loop);
}
END_TEST

/* Whether anything still writes to the pipe that a hook has inherited. */
static bool all_ended(int fd)
{
	char text[64];

	for (int i = 0; i < 100; i++) {
		ssize_t n = read(fd, text, sizeof(text));

		if (!n)
			return true;
		usleep(20000);
	}
	return false;
}

/* With a process that ignores SIGTERM, whether the hook ends or not. */
START_TEST(nothing_that_a_hook_started_outlives_it)
{
	char text[256], want[128];
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	snprintf(text, sizeof(text), "(trap '' TERM; sleep 20; sleep 20) & %s",
		 _i ? "wait" : ":");
	snprintf(want, sizeof(want), "%s: not done in time", path);
	ck_assert_str_eq(run_hook(text, _i ? 200000 : 10000000),
			 _i ? want : "");
	close(ends[1]);
	ck_assert(all_ended(ends[0]));
	close(ends[0]);
}
END_TEST

/* In a directory that looks like a cgroup, and is empty after @ms; 0: never. */
static const char *run_in_cgroup(const char *command, useconds_t ms)
{
	char cgroup[PATH_MAX], procs[PATH_MAX + 16];
	const char *const argv[] = { "sh", "-c", command, NULL };
	const struct command_options o = { .name = "one", .cgroup = cgroup };
	struct loop *loop = loop_new();
	struct commands *cs = commands_new();
	pid_t pid = -1;
	FILE *f;

	snprintf(cgroup, sizeof(cgroup), "%s/cgroup", folder);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
	ck_assert_int_eq(mkdir(cgroup, 0755), 0);
	f = fopen(procs, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
	ck_assert(commands_add_with(cs, 10000000, argv, &o));
	if (ms) {
		pid = fork();
		if (!pid) {
			usleep(1000 * ms);
			_exit(unlink(procs) ? 1 : 0);
		}
	}
	finished = false;
	commands_run(cs, loop, on_done, NULL);
	while (!finished)
		ck_assert_int_ge(loop_run_once(loop, 10000000), 0);
	loop_free(loop);
	if (pid > 0)
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	if (!access(cgroup, F_OK)) {
		unlink(procs);
		rmdir(cgroup);
		strncat(failed, " (left)", sizeof(failed) - strlen(failed) - 1);
	}
	return failed;
}

/* What was killed ends some time later: it may be in a system call. */
START_TEST(hook_is_done_when_all_that_it_started_has_ended)
{
	ck_assert_str_eq(run_in_cgroup(":", 500), "");
	ck_assert_str_eq(run_in_cgroup("exit 3", 500), "one: exit status 3");
	ck_assert_str_eq(
		run_in_cgroup(":", 0),
		"one: what it started was killed and does not end (left)");
	ck_assert_str_eq(run_in_cgroup("exit 3", 0),
			 "one: exit status 3 (left)");
}
END_TEST

START_TEST(cancelled_hook_ends_with_what_it_started)
{
	static const char *const argv[] = { "sh", "-c", "sleep 20 & wait",
					    NULL };
	struct loop *loop = loop_new();
	struct commands *cs = commands_new();
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	ck_assert(commands_add(cs, 10000000, argv));
	finished = false;
	commands_run(cs, loop, on_done, NULL);
	ck_assert_int_eq(loop_run_once(loop, 1000000), 1);
	commands_cancel(cs);
	close(ends[1]);
	ck_assert(all_ended(ends[0]));
	close(ends[0]);
	/* The loop reaps it and tells nobody. */
	ck_assert_int_eq(loop_run_once(loop, 5000000), 1);
	ck_assert(!finished);
	loop_free(loop);
}
END_TEST

/* ---- what is frozen ---- */

START_TEST(unit_of_the_overseer_is_not_frozen)
{
	static const char *const wrong[] = { "/", "agent.service" };
	struct words units = { .word = NULL };
	char why[256];

	ck_assert(words_add(&units, wrong[_i]));
	ck_assert_int_eq(
		backend_plain.freezing_is_safe(&units, 0, why, sizeof(why)), 0);
	ck_assert_msg(strstr(why, _i ? "path of a cgroup" : "overseer runs"),
		      "%s", why);
	words_free(&units);
}
END_TEST

static int three_times(char *const words[], char *why, size_t size)
{
	static int count;

	(void)why;
	(void)size;
	ck_assert_str_eq(words[0], "/agents");
	ck_assert_str_eq(words[1], "/more");
	ck_assert_ptr_null(words[2]);
	return ++count == 3;
}

static int never(char *const words[], char *why, size_t size)
{
	ck_assert_ptr_null(words[0]);
	snprintf(why, size, "one is left");
	return 0;
}

START_TEST(call_is_repeated_until_it_is_done_or_too_late)
{
	struct loop *loop = loop_new();
	struct commands *cs = commands_new();

	ck_assert(commands_add_call(cs, 5000000, "freeze /agents", three_times,
				    (const char *const[]){ "/agents", "/more",
							   NULL }));
	ck_assert(commands_add_call(cs, 50000, "freeze /others", never,
				    (const char *const[]){ NULL }));
	finished = false;
	commands_run(cs, loop, on_done, NULL);
	while (!finished)
		ck_assert_int_ge(loop_run_once(loop, 1000000), 0);
	ck_assert_str_eq(failed,
			 "freeze /others: not done in time: one is left");
	loop_free(loop);
}
END_TEST

static void put(const char *name, const char *text)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", folder, name);
	f = fopen(file, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void take(const char *name)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/%s", folder, name);
	unlink(file);
}

static char asked_of_cgroup(void)
{
	char file[128];
	int c;
	FILE *f;

	snprintf(file, sizeof(file), "%s/cgroup.freeze", folder);
	f = fopen(file, "r");
	ck_assert_ptr_nonnull(f);
	c = getc(f);
	fclose(f);
	return (char)c;
}

/* A directory that looks like a cgroup; the kernel is played. */
START_TEST(cgroup_is_frozen_when_the_kernel_says_so)
{
	ck_assert_int_eq(cgroup_freeze(folder), -ENOENT);
	/* Gone, with its processes. */
	ck_assert_int_eq(cgroup_thaw(folder), 1);
	put("cgroup.freeze", "-");
	put("cgroup.events", "populated 1\nfrozen 0\n");
	ck_assert_int_eq(cgroup_freeze(folder), 0);
	ck_assert_int_eq(asked_of_cgroup(), '1');
	put("cgroup.events", "populated 1\nfrozen 1\n");
	ck_assert_int_eq(cgroup_freeze(folder), 1);
	ck_assert_int_eq(cgroup_thaw(folder), 0);
	ck_assert_int_eq(asked_of_cgroup(), '0');
	put("cgroup.events", "populated 1\nfrozen 0\n");
	ck_assert_int_eq(cgroup_thaw(folder), 1);
	/* A kernel that does not tell. */
	put("cgroup.events", "populated 1\n");
	ck_assert_int_eq(cgroup_freeze(folder), -ENODATA);
	ck_assert_int_eq(cgroup_thaw(folder), -ENODATA);
	take("cgroup.events");
	take("cgroup.freeze");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands");
	TCase *tcase = tcase_create("hooks");
	SRunner *runner = srunner_create(suite);
	int count;

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, folder_without_hooks_is_all_right);
	tcase_add_test(tcase, hook_that_others_can_write_to_is_refused);
	tcase_add_loop_test(tcase, folder_that_others_can_write_to_is_refused,
			    0, 2);
	tcase_add_test(tcase, link_to_a_hook_that_cannot_be_seen_is_refused);
	tcase_add_test(tcase, link_to_a_folder_that_cannot_be_seen_is_refused);
	tcase_add_test(tcase, hook_is_told_the_generation_and_the_state);
	tcase_add_test(tcase,
		       hook_is_told_what_the_host_sends_under_names_of_its_own);
	tcase_add_test(tcase, hook_that_fails_is_named);
	tcase_add_test(tcase, program_that_is_not_there_fails);
	tcase_add_loop_test(tcase, nothing_that_a_hook_started_outlives_it, 0,
			    2);
	tcase_add_test(tcase, hook_is_done_when_all_that_it_started_has_ended);
	tcase_add_test(tcase, cancelled_hook_ends_with_what_it_started);
	tcase_add_loop_test(tcase, unit_of_the_overseer_is_not_frozen, 0, 2);
	tcase_add_test(tcase, call_is_repeated_until_it_is_done_or_too_late);
	tcase_add_test(tcase, cgroup_is_frozen_when_the_kernel_says_so);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	count = srunner_ntests_failed(runner);
	srunner_free(runner);
	return count ? 1 : 0;
}
