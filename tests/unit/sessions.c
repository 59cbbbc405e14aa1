// SPDX-License-Identifier: MIT
/* Whether a kernel that is played here may keep sessions, without asking all of it. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "connections.h"
#include "ipsec.h"
#include "links.h"
#include "log.h"
#include "mounts.h"
#include "netlink.h"
#include "netns.h"
#include "sessions.h"
#include "wireguard.h"

static const char *const modules[] = { "wireguard", "macsec", "ksmbd",
				       "xfrm_user", "af_key", "tls",
				       "cifs",	    "nfs" };

#define COUNT (int)(sizeof(modules) / sizeof(modules[0]))

static struct {
	/* What there is of each part: 0, 1 or -errno. */
	int family, smb_server, ipsec, tls, mounts;
	long file_system;
	unsigned int looks;
} kernel;

static int look(int there)
{
	kernel.looks++;
	return there;
}

void log_line(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
}

int netlink_family(const char *name)
{
	return look(strcmp(name, "SMBD_GENL") ? kernel.family :
						kernel.smb_server);
}

int ipsec_is_there(void)
{
	return look(kernel.ipsec);
}

int connections_tls_is_there(void)
{
	return look(kernel.tls);
}

int mounts_are_possible(void)
{
	return look(kernel.mounts);
}

int __wrap_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs(int fd, struct statfs *fs)
{
	(void)fd;
	memset(fs, 0, sizeof(*fs));
	fs->f_type = (__typeof__(fs->f_type))kernel.file_system;
	return kernel.file_system ? 0 : -1;
}

/* As it is named where off_t is made 64 bits wide. */
int __wrap_fstatfs64(int fd, struct statfs *fs)
	__attribute__((alias("__wrap_fstatfs")));

/* ---- what resets them is not called ---- */

int ipsec_reset(void)
{
	abort();
}

int connections_destroy_tls(void)
{
	abort();
}

int links_find(const char *kind, struct links *found)
{
	(void)kind;
	(void)found;
	abort();
}

void links_free(struct links *found)
{
	(void)found;
	abort();
}

int wireguard_reset(int family, unsigned int index)
{
	(void)family;
	(void)index;
	abort();
}

int mounts_each(mounts_fn *fn, void *user)
{
	(void)fn;
	(void)user;
	abort();
}

const char *mounts_session(const struct mount *m)
{
	(void)m;
	abort();
}

int netns_each(netns_fn *fn, void *user, char *where, size_t size)
{
	(void)fn;
	(void)user;
	(void)where;
	(void)size;
	abort();
}

/* ---- tests ---- */

static char path[256];

static const char *module_path(const char *name)
{
	snprintf(path, sizeof(path), MODULES "/%s", name);
	return path;
}

static void setup(void)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.file_system = SYSFS_MAGIC;
	for (int i = 0; i < COUNT; i++)
		remove(module_path(modules[i]));
	remove(MODULES);
	ck_assert_int_eq(mkdir(MODULES, 0755), 0);
}

static void load(const char *name)
{
	ck_assert_int_eq(mkdir(module_path(name), 0755), 0);
}

START_TEST(before_anybody_looked_they_are_possible)
{
	ck_assert(sessions_are_possible());
}
END_TEST

START_TEST(module_that_comes_is_noticed_and_nothing_else_is_asked)
{
	sessions_prepare();
	kernel.looks = 0;
	ck_assert(!sessions_are_possible());
	load("unrelated");
	ck_assert(!sessions_are_possible());
	remove(module_path("unrelated"));
	load(modules[_i]);
	ck_assert(sessions_are_possible());
	remove(module_path(modules[_i]));
	ck_assert(!sessions_are_possible());
	ck_assert_uint_eq(kernel.looks, 0);
}
END_TEST

START_TEST(what_is_there_at_the_start_is_possible_for_ever)
{
	int *const parts[] = { &kernel.family, &kernel.smb_server,
			       &kernel.ipsec, &kernel.tls, &kernel.mounts };

	*parts[_i] = 1;
	sessions_prepare();
	ck_assert(sessions_are_possible());
	/* One that cannot be looked at may be there. */
	*parts[_i] = -EIO;
	sessions_prepare();
	ck_assert(sessions_are_possible());
	*parts[_i] = 0;
	sessions_prepare();
	ck_assert(!sessions_are_possible());
}
END_TEST

START_TEST(modules_that_cannot_be_looked_at_may_be_there)
{
	kernel.file_system = 0;
	sessions_prepare();
	ck_assert(sessions_are_possible());
	/* Something else is mounted over it. */
	kernel.file_system = TMPFS_MAGIC;
	sessions_prepare();
	ck_assert(sessions_are_possible());
	kernel.file_system = SYSFS_MAGIC;
	sessions_prepare();
	ck_assert(!sessions_are_possible());
	ck_assert_int_eq(symlink("tls", module_path("tls")), 0);
	ck_assert(sessions_are_possible());
	remove(module_path("tls"));
	remove(MODULES);
	sessions_prepare();
	ck_assert(sessions_are_possible());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sessions");
	TCase *tcase = tcase_create("what may be there");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, before_anybody_looked_they_are_possible);
	tcase_add_loop_test(
		tcase, module_that_comes_is_noticed_and_nothing_else_is_asked,
		0, COUNT);
	tcase_add_loop_test(
		tcase, what_is_there_at_the_start_is_possible_for_ever, 0, 5);
	tcase_add_test(tcase, modules_that_cannot_be_looked_at_may_be_there);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
