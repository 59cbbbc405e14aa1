// SPDX-License-Identifier: MIT
/* "freeze = all" in a tree of cgroups that is made of directories; the processes are real. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "config.h"
#include "freeze-all.h"
#include "freezing.h"

static struct {
	/* Where the overseer and its parents are. */
	const char *own;
	struct words populated, frozen, remembered;
	/* One that does not freeze yet. */
	const char *slow;
	int fails;
	bool cannot_remember;
	unsigned int remembers;
} world;

static pid_t stranger;
static char why[256];
static char *nobody[] = { NULL };

static bool has(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++) {
		if (!strcmp(words->word[i], word))
			return true;
	}
	return false;
}

static const char *short_of(const char *path)
{
	ck_assert(!strncmp(path, CGROUP_ROOT, strlen(CGROUP_ROOT)));
	return path[strlen(CGROUP_ROOT)] ? path + strlen(CGROUP_ROOT) : "/";
}

int cgroup_of(pid_t pid, char *path, size_t size)
{
	const char *name = pid == stranger ? "/a/b" : world.own;

	snprintf(path, size, CGROUP_ROOT "%s", strcmp(name, "/") ? name : "");
	return world.fails;
}

int cgroup_is_populated(const char *path)
{
	return has(&world.populated, short_of(path));
}

int cgroup_freeze(const char *path)
{
	const char *name = short_of(path);

	/* One that was killed would not know what to thaw. */
	ck_assert_msg(has(&world.remembered, name), "%s", name);
	if (access(path, F_OK))
		return -ENOENT;
	if (!has(&world.frozen, name))
		ck_assert(words_add(&world.frozen, name));
	return !world.slow || strcmp(world.slow, name);
}

static void put_process(const char *path, pid_t pid)
{
	char file[PATH_MAX];
	FILE *f;

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	f = fopen(file, "w");
	ck_assert_ptr_nonnull(f);
	if (pid)
		fprintf(f, "%d\n%d\n", getpid(), pid);
	fclose(f);
}

bool cgroup_make(const char *path)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return false;
	put_process(path, 0);
	return true;
}

int cgroup_move(pid_t pid, const char *path)
{
	char above[PATH_MAX], file[PATH_MAX];

	ck_assert_int_eq(pid, stranger);
	put_process(path, pid);
	/* From there, or to there. */
	snprintf(above, sizeof(above), "%s/..", path);
	put_process(above, 0);
	snprintf(file, sizeof(file), "%s/sysgenid-frozen/cgroup.procs", path);
	unlink(file);
	return 0;
}

bool freezing_recall(struct words *units)
{
	for (size_t i = 0; i < world.remembered.count; i++)
		ck_assert(words_add(units, world.remembered.word[i]));
	return true;
}

bool freezing_remember(const struct words *units)
{
	if (world.cannot_remember)
		return false;
	world.remembers++;
	words_free(&world.remembered);
	for (size_t i = 0; i < units->count; i++)
		ck_assert(words_add(&world.remembered, units->word[i]));
	return true;
}

/* A cgroup, and whether something runs in it or below. */
static void put(const char *name, bool populated)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CGROUP_ROOT "%s",
		 strcmp(name, "/") ? name : "");
	ck_assert(!mkdir(path, 0700) || errno == EEXIST);
	put_process(path, 0);
	if (populated)
		ck_assert(words_add(&world.populated, name));
}

/* No child of ours, as it would be spared. */
static void start_stranger(void)
{
	int ends[2];
	pid_t child;

	ck_assert(!pipe(ends));
	child = fork();
	if (!child) {
		child = fork();
		if (child)
			_exit(write(ends[1], &child, sizeof(child)) < 0);
		for (;;)
			pause();
	}
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_int_eq(read(ends[0], &stranger, sizeof(stranger)),
			 sizeof(stranger));
	close(ends[0]);
	close(ends[1]);
}

static void setup(void)
{
	ck_assert_int_ne(system("rm -rf " CGROUP_ROOT), -1);
	memset(&world, 0, sizeof(world));
	world.own = "/system/overseer";
	put("/", true);
	put("/system", true);
	put("/system/overseer", true);
	put("/system/a", true);
	put("/system/bus", true);
	put("/system/empty", false);
	put("/user", true);
	put("/user/one", true);
	start_stranger();
}

static void teardown(void)
{
	kill(stranger, SIGKILL);
	words_free(&world.populated);
	words_free(&world.frozen);
	words_free(&world.remembered);
}

START_TEST(all_is_frozen_but_what_has_to_run)
{
	char bus[] = "/system/bus", *exempt[] = { bus, NULL };

	put("/system/bus/inner", true);
	put_process(CGROUP_ROOT "/system/bus", stranger);
	ck_assert_int_eq(freeze_all(exempt, why, sizeof(why)), 0);
	ck_assert_int_eq(freeze_all(exempt, why, sizeof(why)), 1);
	ck_assert_uint_eq(world.frozen.count, 2);
	ck_assert(has(&world.frozen, "/system/a"));
	ck_assert(has(&world.frozen, "/user"));
	ck_assert_uint_eq(world.remembers, 1);
}
END_TEST

START_TEST(exempt_below_leaves_the_rest)
{
	char one[] = "/user/one", *exempt[] = { one, NULL };

	put("/user/on", true);
	ck_assert_int_eq(freeze_all(exempt, why, sizeof(why)), 0);
	ck_assert(!has(&world.frozen, "/user"));
	ck_assert(has(&world.frozen, "/user/on"));
	ck_assert(!has(&world.frozen, "/user/one"));
}
END_TEST

START_TEST(new_program_is_frozen_in_the_next_step)
{
	ck_assert_int_eq(freeze_all(nobody, why, sizeof(why)), 0);
	put("/system/later", true);
	ck_assert_int_eq(freeze_all(nobody, why, sizeof(why)), 0);
	ck_assert_int_eq(freeze_all(nobody, why, sizeof(why)), 1);
	ck_assert(has(&world.frozen, "/system/later"));
	ck_assert(has(&world.frozen, "/system/a"));
}
END_TEST

/* 0: the root; 1: the overseer's own. */
START_TEST(program_beside_the_overseer_moves_and_comes_back)
{
	const char *aside = _i ? "/system/overseer/sysgenid-frozen" :
				 "/sysgenid-frozen";
	const char *path = _i ? CGROUP_ROOT "/system/overseer" : CGROUP_ROOT;
	char moved[PATH_MAX], line[64] = "";
	FILE *f;

	put_process(path, stranger);
	ck_assert_int_eq(freeze_all(nobody, why, sizeof(why)), 0);
	ck_assert(has(&world.frozen, aside));
	snprintf(moved, sizeof(moved), CGROUP_ROOT "%s", aside);
	ck_assert(!access(moved, F_OK));
	ck_assert_int_eq(freeze_all(nobody, why, sizeof(why)), 1);

	snprintf(moved, sizeof(moved), CGROUP_ROOT "%s/cgroup.procs", aside);
	f = fopen(moved, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "%d\n", stranger);
	fclose(f);
	ck_assert_int_eq(freeze_all_move_back(aside), 1);
	snprintf(moved, sizeof(moved), CGROUP_ROOT "%s", aside);
	ck_assert(access(moved, F_OK));
	snprintf(moved, sizeof(moved), "%s/cgroup.procs", path);
	f = fopen(moved, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	ck_assert_int_eq(atoi(line), stranger);
	fclose(f);
	/* Others are no matter of it. */
	ck_assert_int_eq(freeze_all_move_back("/user"), 1);
	ck_assert_int_eq(freeze_all_move_back(aside), 1);
}
END_TEST

START_TEST(what_does_not_freeze_is_named)
{
	world.slow = "/system/a";
	ck_assert_int_eq(freeze_all(nobody, why, sizeof(why)), 0);
	ck_assert_int_eq(freeze_all(nobody, why, sizeof(why)), 0);
	ck_assert_str_eq(why, "/system/a");
}
END_TEST

START_TEST(nothing_is_frozen_that_cannot_be_remembered)
{
	world.cannot_remember = true;
	ck_assert_int_eq(freeze_all(nobody, why, sizeof(why)), -EIO);
	ck_assert_uint_eq(world.frozen.count, 0);
	world.cannot_remember = false;
	world.fails = -ENOENT;
	ck_assert_int_eq(freeze_all(nobody, why, sizeof(why)), -ENOENT);
	ck_assert_uint_eq(world.frozen.count, 0);
}
END_TEST

START_TEST(overseer_its_parents_and_children_go_on)
{
	char b[] = "/a/b", *exempt[] = { b, NULL };
	const pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	ck_assert_int_eq(freeze_all_reaches(getpid(), nobody), 0);
	ck_assert_int_eq(freeze_all_reaches(getppid(), nobody), 0);
	ck_assert_int_eq(freeze_all_reaches(child, nobody), 0);
	ck_assert_int_eq(freeze_all_reaches(stranger, nobody), 1);
	ck_assert_int_eq(freeze_all_reaches(stranger, exempt), 0);
	world.fails = -ENOENT;
	ck_assert_int_eq(freeze_all_reaches(stranger, exempt), -ENOENT);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("freeze-all");
	TCase *tcase = tcase_create("freeze-all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, all_is_frozen_but_what_has_to_run);
	tcase_add_test(tcase, exempt_below_leaves_the_rest);
	tcase_add_test(tcase, new_program_is_frozen_in_the_next_step);
	tcase_add_loop_test(
		tcase, program_beside_the_overseer_moves_and_comes_back, 0, 2);
	tcase_add_test(tcase, what_does_not_freeze_is_named);
	tcase_add_test(tcase, nothing_is_frozen_that_cannot_be_remembered);
	tcase_add_test(tcase, overseer_its_parents_and_children_go_on);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
