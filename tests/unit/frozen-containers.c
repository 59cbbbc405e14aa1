// SPDX-License-Identifier: MIT
/* Records and cgroups in directories of the test: RECORDS and CGROUP_ROOT. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "cgroup.h"
#include "containers.h"
#include "freezing.h"
#include "log.h"
#include "suite.h"

#define ROOT "frozen-containers"

static char said[1024];
static struct words remembered;
static bool cannot_remember;

void log_line(int priority, const char *format, ...)
{
	va_list args;

	(void)priority;
	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

bool freezing_remember(const struct words *cgroups)
{
	if (cannot_remember)
		return false;
	words_free(&remembered);
	for (size_t i = 0; i < cgroups->count; i++)
		words_add(&remembered, cgroups->word[i]);
	return true;
}

bool freezing_recall(struct words *cgroups)
{
	for (size_t i = 0; i < remembered.count; i++)
		words_add(cgroups, remembered.word[i]);
	return true;
}

static void sh(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ck_assert_msg(!system(command), "%s", command);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static char *get(const char *path)
{
	static char text[64];
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	return text;
}

/* A file of a cgroup, which is what writes to it leave there. */
static void set(const char *cgroup, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), CGROUP_ROOT "%s/%s", cgroup, file);
	put(path, text);
}

static char *of(const char *cgroup, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), CGROUP_ROOT "%s/%s", cgroup, file);
	return get(path);
}

static void make_cgroup(const char *cgroup)
{
	sh("mkdir -p " CGROUP_ROOT "%s", cgroup);
	set(cgroup, "cgroup.freeze", "0");
	set(cgroup, "cgroup.kill", "");
	set(cgroup, "cgroup.events", "populated 1\nfrozen 0\n");
}

static void make_record(const char *id, const char *progress, const char *line)
{
	char path[256], text[512];

	sh("mkdir -p " RECORDS "/%%2frun%%2fcrun/%s", id);
	snprintf(path, sizeof(path), RECORDS "/%%2frun%%2fcrun/%s/record", id);
	snprintf(text, sizeof(text),
		 "{\"progress\":\"%s\",\"generation\":0,\"cgroup\":\"%s\"}",
		 progress, line);
	put(path, text);
}

static void clear(void)
{
	sh("rm -rf " ROOT " && mkdir -p " CGROUP_ROOT);
	words_free(&remembered);
	cannot_remember = false;
	said[0] = 0;
}

static int freeze(void)
{
	char why[128];

	return containers_freeze(NULL, why, sizeof(why));
}

#define assert_said(text) ck_assert_msg(strstr(said, text), "%s", said)

START_TEST(each_container_is_frozen_and_remembered)
{
	ck_assert_int_eq(freeze(), 1);
	make_cgroup("/a");
	make_cgroup("/pods/b");
	make_record("a", "started", "0::/a");
	make_record("b", "created", "0::/pods/b");
	/* One that has ended, and waits to be deleted. */
	make_record("c", "started", "0::/c");
	/* Of a runtime that was killed in between. */
	sh("mkdir " RECORDS "/%%2frun%%2fcrun/.123");
	ck_assert_int_eq(freeze(), 0);
	ck_assert_str_eq(of("/a", "cgroup.freeze"), "1");
	ck_assert_str_eq(of("/pods/b", "cgroup.freeze"), "1");
	set("/a", "cgroup.events", "populated 1\nfrozen 1\n");
	ck_assert_int_eq(freeze(), 0);
	set("/pods/b", "cgroup.events", "populated 1\nfrozen 1\n");
	ck_assert_int_eq(freeze(), 1);
	ck_assert_uint_eq(remembered.count, 2);
}
END_TEST

START_TEST(paused_container_is_waited_for_and_not_thawed_later)
{
	make_cgroup("/a");
	set("/a", "cgroup.freeze", "1\n");
	make_record("a", "started", "0::/a");
	ck_assert_int_eq(freeze(), 0);
	set("/a", "cgroup.events", "frozen 1\n");
	ck_assert_int_eq(freeze(), 1);
	ck_assert_uint_eq(remembered.count, 0);
}
END_TEST

START_TEST(container_that_is_not_remembered_is_not_frozen)
{
	make_cgroup("/a");
	make_record("a", "started", "0::/a");
	cannot_remember = true;
	ck_assert_int_lt(freeze(), 0);
	ck_assert_str_eq(of("/a", "cgroup.freeze"), "0");
}
END_TEST

START_TEST(unknown_cgroup_is_an_error)
{
	static const char *const lines[] = { "", "0::/", "7:freezer:/a",
					     "0::/a/../b" };
	char why[256];

	make_cgroup("/b");
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		said[0] = 0;
		make_record("a", "started", lines[i]);
		ck_assert_int_lt(freeze(), 0);
		assert_said("the cgroup of container \"a\" is not known");
		ck_assert_int_lt(containers_kill(1, why, sizeof(why)), 0);
		ck_assert_ptr_nonnull(strstr(why, "is not known"));
		ck_assert_int_lt(
			containers_freezing_is_safe(0, why, sizeof(why)), 0);
	}
}
END_TEST

START_TEST(unreadable_record_is_an_error)
{
	make_record("a", "started", "0::/a");
	put(RECORDS "/%2frun%2fcrun/a/record", "{");
	ck_assert_int_lt(freeze(), 0);
	assert_said("the record of container \"a\" cannot be read");
	/* Deleted in between. */
	unlink(RECORDS "/%2frun%2fcrun/a/record");
	ck_assert_int_eq(freeze(), 1);
}
END_TEST

START_TEST(container_that_is_being_made_is_waited_for)
{
	char why[256];
	int fd;

	make_record("a", "creating", "");
	fd = open(RECORDS "/%2frun%2fcrun/a", O_RDONLY | O_DIRECTORY);
	ck_assert(!flock(fd, LOCK_EX));
	ck_assert_int_eq(freeze(), 0);
	ck_assert_int_eq(containers_freezing_is_safe(0, why, sizeof(why)), 1);
	ck_assert_int_eq(containers_kill(1, why, sizeof(why)), -EBUSY);
	close(fd);
	ck_assert_int_lt(freeze(), 0);
	assert_said("container \"a\" was left half-made");
}
END_TEST

START_TEST(container_of_the_overseer_is_refused)
{
	char own[512], line[512], why[256];

	if (cgroup_of(0, own, sizeof(own)) ||
	    strlen(own) <= strlen(CGROUP_ROOT) + 1)
		return;
	snprintf(line, sizeof(line), "0::%s", own + strlen(CGROUP_ROOT));
	make_record("a", "started", line);
	ck_assert_int_eq(containers_freezing_is_safe(0, why, sizeof(why)), 0);
	ck_assert_ptr_nonnull(
		strstr(why, "the overseer runs in container \"a\""));
}
END_TEST

START_TEST(container_is_killed_by_a_cgroup_below_its_own)
{
	struct stat st;
	char why[256];

	make_cgroup("/a");
	make_cgroup("/b/below/it");
	make_record("a", "started", "0::/a");
	make_record("b", "started", "0::/b");
	make_cgroup("/b");
	ck_assert(!stat(CGROUP_ROOT "/b/below/it", &st));
	ck_assert_int_eq(containers_kill(st.st_ino, why, sizeof(why)), 1);
	ck_assert_str_eq(of("/b", "cgroup.kill"), "1");
	ck_assert_str_eq(of("/a", "cgroup.kill"), "");
	assert_said("killed container \"b\"");
	/* One that is in no container. */
	ck_assert(!stat(CGROUP_ROOT, &st));
	ck_assert_int_eq(containers_kill(st.st_ino, why, sizeof(why)), 0);
	ck_assert_int_eq(containers_kill(0, why, sizeof(why)), 0);
}
END_TEST

START_TEST(without_cgroup_kill_it_is_said)
{
	struct stat st;
	char why[256];

	make_cgroup("/a");
	unlink(CGROUP_ROOT "/a/cgroup.kill");
	make_record("a", "started", "0::/a");
	ck_assert(!stat(CGROUP_ROOT "/a", &st));
	ck_assert_int_lt(containers_kill(st.st_ino, why, sizeof(why)), 0);
	ck_assert_ptr_nonnull(strstr(why, "Linux 5.14"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_container_is_frozen_and_remembered,
		paused_container_is_waited_for_and_not_thawed_later,
		container_that_is_not_remembered_is_not_frozen,
		unknown_cgroup_is_an_error,
		unreadable_record_is_an_error,
		container_that_is_being_made_is_waited_for,
		container_of_the_overseer_is_refused,
		container_is_killed_by_a_cgroup_below_its_own,
		without_cgroup_kill_it_is_said,
	};

	return RUN_TESTS("containers", tests, clear);
}
