// SPDX-License-Identifier: MIT
/* Host name and machine id, and the files that the next boot reads. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replace.h"
#include "set-hostname.h"
#include "set-machine-id.h"

#define ID	 "0123456789abcdef0123456789abcdef"
#define HOSTNAME "/run/hostname"
#define DBUS	 "/run/dbus-machine-id"
#define MACHINE	 "/run/machine-id"

static char why[256];

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void assert_holds(const char *path, const char *text)
{
	char found[256] = "";
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(found, sizeof(found), f));
	ck_assert_str_eq(found, text);
	ck_assert_ptr_null(fgets(found, sizeof(found), f));
	fclose(f);
}

/* Nothing of the machine outside is touched. */
static void setup(void)
{
	const int user = geteuid() ? CLONE_NEWUSER : 0;

	ck_assert_int_eq(unshare(user | CLONE_NEWNS | CLONE_NEWUTS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL),
			 0);
	ck_assert_int_eq(mount("run", "/run", "tmpfs", 0, NULL), 0);
}

START_TEST(file_keeps_owner_mode_and_link)
{
	struct stat st;

	write_file("/run/there", "a line that is longer than the new one\n");
	ck_assert_int_eq(chmod("/run/there", 0640), 0);
	ck_assert_int_eq(symlink("there", "/run/link"), 0);
	/* What somebody left there is not written through. */
	write_file("/run/victim", "stays\n");
	ck_assert_int_eq(symlink("victim", "/run/there.sysgenid"), 0);
	ck_assert_int_eq(replace_line("/run/link", "new"), 0);
	assert_holds("/run/there", "new\n");
	assert_holds("/run/victim", "stays\n");
	ck_assert_int_eq(lstat("/run/link", &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(stat("/run/there", &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(access("/run/there.sysgenid", F_OK), -1);
}
END_TEST

START_TEST(file_that_is_not_there_is_made_for_everybody)
{
	struct stat st;

	umask(077);
	ck_assert_int_eq(replace_line("/run/new", "x"), 0);
	ck_assert_int_eq(stat("/run/new", &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(replace_line("/run/nowhere/new", "x"), -ENOENT);
}
END_TEST

START_TEST(file_below_a_mount_is_written_into)
{
	write_file("/run/own", "old and long\n");
	write_file("/run/point", "hidden\n");
	ck_assert_int_eq(mount("/run/own", "/run/point", NULL, MS_BIND, NULL),
			 0);
	ck_assert_int_eq(replace_line("/run/point", "new"), 0);
	assert_holds("/run/own", "new\n");
	ck_assert_int_eq(access("/run/point.sysgenid", F_OK), -1);
}
END_TEST

START_TEST(file_system_without_writers_says_so)
{
	ck_assert_int_eq(
		mount("run", "/run", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	ck_assert_int_eq(set_hostname("clone-7", true, why, sizeof(why)),
			 -EROFS);
	ck_assert_str_eq(why, HOSTNAME);
	ck_assert_int_eq(set_hostname("clone-7", false, why, sizeof(why)), 0);
	ck_assert_int_eq(set_machine_id(ID, why, sizeof(why)), -EROFS);
	ck_assert_str_eq(why, MACHINE);
}
END_TEST

START_TEST(host_name_is_set_now_and_for_the_next_boot)
{
	char name[128];

	write_file(HOSTNAME, "before\n");
	ck_assert_int_eq(set_hostname("clone-7", _i, why, sizeof(why)), 0);
	ck_assert_int_eq(gethostname(name, sizeof(name)), 0);
	ck_assert_str_eq(name, "clone-7");
	assert_holds(HOSTNAME, _i ? "clone-7\n" : "before\n");
}
END_TEST

START_TEST(machine_id_of_dbus_follows)
{
	struct stat st;

	write_file(MACHINE, "before\n");
	if (_i == 1)
		write_file(DBUS, "before\n");
	else if (_i == 2)
		ck_assert_int_eq(symlink(MACHINE, DBUS), 0);
	ck_assert_int_eq(set_machine_id(ID, why, sizeof(why)), 0);
	assert_holds(MACHINE, ID "\n");
	if (_i)
		assert_holds(DBUS, ID "\n");
	else
		ck_assert_int_eq(access(DBUS, F_OK), -1);
	ck_assert(_i != 2 || (!lstat(DBUS, &st) && S_ISLNK(st.st_mode)));
}
END_TEST

START_TEST(new_machine_ids_differ)
{
	char a[MACHINE_ID_SIZE], b[MACHINE_ID_SIZE];

	ck_assert_int_eq(new_machine_id(a), 0);
	ck_assert_int_eq(new_machine_id(b), 0);
	ck_assert_str_ne(a, b);
	ck_assert_uint_eq(strspn(a, "0123456789abcdef"), 32);
	ck_assert_int_eq(a[12], '4');
	ck_assert_ptr_nonnull(strchr("89ab", a[16]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("set-names");
	TCase *tcase = tcase_create("names");
	SRunner *runner;
	int failed;

	if (system("unshare -rmu true")) {
		fprintf(stderr,
			"NOT TESTED: no namespaces can be set up here\n");
		return 77;
	}
	runner = srunner_create(suite);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, file_keeps_owner_mode_and_link);
	tcase_add_test(tcase, file_that_is_not_there_is_made_for_everybody);
	tcase_add_test(tcase, file_below_a_mount_is_written_into);
	tcase_add_test(tcase, file_system_without_writers_says_so);
	tcase_add_loop_test(tcase, host_name_is_set_now_and_for_the_next_boot,
			    0, 2);
	tcase_add_loop_test(tcase, machine_id_of_dbus_follows, 0, 3);
	tcase_add_test(tcase, new_machine_ids_differ);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
