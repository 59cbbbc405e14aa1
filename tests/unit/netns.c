// SPDX-License-Identifier: MIT
/* Finding every network namespace, in a mount namespace of its own. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mounts.h"
#include "netns.h"

static char folder[] = "/tmp/netns-XXXXXX";

struct visits {
	ino_t wanted;
	int count, all;
	/* To be returned at the first one. */
	int r;
	char where[256];
};

static ino_t inode_of(const char *path)
{
	struct stat st;

	ck_assert_msg(!stat(path, &st), "%s", path);
	return st.st_ino;
}

static int visit(void *user, ino_t id)
{
	struct visits *v = user;

	/* The thread is where it is said to be. */
	ck_assert_uint_eq(inode_of("/proc/thread-self/ns/net"), id);
	v->count += id == v->wanted;
	v->all++;
	return v->r;
}

struct walk {
	struct visits *visits;
	int r;
};

static void *walk_in_thread(void *arg)
{
	struct walk *w = arg;

	w->r = netns_each(visit, w->visits, w->visits->where,
			  sizeof(w->visits->where));
	return NULL;
}

static int walk(struct visits *v)
{
	struct walk w = { .visits = v };
	pthread_t thread;

	v->count = v->all = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, walk_in_thread, &w), 0);
	pthread_join(thread, NULL);
	if (w.r)
		fprintf(stderr, "%s: %s\n", v->where, strerror(-w.r));
	return w.r;
}

/* A child with a network namespace of its own that has done @prepare there; its end is that of the pipe. */
static pid_t child(int (*prepare)(void), int *pipe_end)
{
	int ready[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) || (prepare && prepare()))
			_exit(1);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	*pipe_end = ready[0];
	return pid;
}

static void end(pid_t pid, int pipe_end)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pipe_end);
}

static ino_t namespace_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return inode_of(path);
}

START_TEST(own_is_visited_once)
{
	struct visits v = { .wanted = inode_of("/proc/self/ns/net") };

	ck_assert_int_eq(walk(&v), 0);
	ck_assert_int_eq(v.count, 1);
	ck_assert_uint_eq(inode_of("/proc/thread-self/ns/net"), v.wanted);
}
END_TEST

START_TEST(that_of_a_process)
{
	struct visits v = { 0 };
	int pipe_end;
	pid_t pid = child(NULL, &pipe_end);

	v.wanted = namespace_of(pid);
	ck_assert_int_eq(walk(&v), 0);
	ck_assert_int_eq(v.count, 1);
	end(pid, pipe_end);
	ck_assert_int_eq(walk(&v), 0);
	ck_assert_int_eq(v.count, 0);
}
END_TEST

static ino_t of_thread;

static void *leave(void *arg)
{
	pthread_barrier_t *there = arg;

	if (unshare(CLONE_NEWNET))
		abort();
	of_thread = inode_of("/proc/thread-self/ns/net");
	pthread_barrier_wait(there);
	pthread_barrier_wait(there);
	return NULL;
}

START_TEST(that_of_one_thread)
{
	struct visits v = { 0 };
	pthread_barrier_t there;
	pthread_t thread;

	pthread_barrier_init(&there, NULL, 2);
	pthread_create(&thread, NULL, leave, &there);
	pthread_barrier_wait(&there);
	v.wanted = of_thread;
	ck_assert_int_eq(walk(&v), 0);
	ck_assert_int_eq(v.count, 1);
	pthread_barrier_wait(&there);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(that_of_a_descriptor)
{
	struct visits v = { 0 };
	char path[64];
	int pipe_end, fd;
	pid_t pid = child(NULL, &pipe_end);

	v.wanted = namespace_of(pid);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	end(pid, pipe_end);
	ck_assert_int_eq(walk(&v), 0);
	ck_assert_int_eq(v.count, 1);
	close(fd);
}
END_TEST

/* Also in a mount namespace that only another process is in, and with a name that mountinfo escapes. */
static int mount_it(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/a name", folder);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || unshare(CLONE_NEWNS) ||
	    mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL))
		return -1;
	close(fd);
	/* The process itself is in another one. */
	return unshare(CLONE_NEWNET);
}

static ino_t mounted(pid_t pid)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/root%s/a name", pid, folder);
	return inode_of(path);
}

START_TEST(that_of_a_mount)
{
	struct visits v = { 0 };
	int pipe_end;
	pid_t pid = child(mount_it, &pipe_end);

	v.wanted = mounted(pid);
	ck_assert_uint_ne(v.wanted, namespace_of(pid));
	ck_assert_int_eq(walk(&v), 0);
	ck_assert_int_eq(v.count, 1);
	end(pid, pipe_end);
}
END_TEST

static int mount_and_cover(void)
{
	return mount_it() || mount("none", folder, "tmpfs", 0, NULL);
}

START_TEST(covered_mount_is_an_error)
{
	struct visits v = { 0 };
	int pipe_end;
	pid_t pid = child(mount_and_cover, &pipe_end);

	ck_assert_int_eq(walk(&v), -ENXIO);
	ck_assert_msg(strstr(v.where, "behind another mount"), "%s", v.where);
	end(pid, pipe_end);
	ck_assert_int_eq(walk(&v), 0);
}
END_TEST

START_TEST(failure_ends_the_walk)
{
	struct visits v = { .r = -EPERM };
	int pipe_end;
	pid_t pid = child(NULL, &pipe_end);

	ck_assert_int_eq(walk(&v), -EPERM);
	ck_assert_int_eq(v.all, 1);
	end(pid, pipe_end);
}
END_TEST

START_TEST(without_proc_it_fails)
{
	struct visits v = { 0 };

	/* libcheck runs each test in a process of its own. */
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	ck_assert_int_ne(netns_each(visit, &v, v.where, sizeof(v.where)), 0);
	ck_assert_int_eq(v.all, 0);
	/* LeakSanitizer needs it. */
	ck_assert_int_eq(umount("/proc"), 0);
}
END_TEST

START_TEST(unescapes)
{
	char text[] = "/a\\040b\\011c\\134\\04";

	mounts_unescape(text);
	ck_assert_str_eq(text, "/a b\tc\\\\04");
}
END_TEST

static int run(void)
{
	Suite *suite = suite_create("namespaces");
	TCase *tcase = tcase_create("network");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, own_is_visited_once);
	tcase_add_test(tcase, that_of_a_process);
	tcase_add_test(tcase, that_of_one_thread);
	tcase_add_test(tcase, that_of_a_descriptor);
	tcase_add_test(tcase, that_of_a_mount);
	tcase_add_test(tcase, covered_mount_is_an_error);
	tcase_add_test(tcase, failure_ends_the_walk);
	tcase_add_test(tcase, without_proc_it_fails);
	tcase_add_test(tcase, unescapes);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

int main(void)
{
	char path[128];
	int status;
	pid_t pid;

	/* Not without root. With no processes but those of the test. */
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 77;
	if (!mkdtemp(folder))
		return 1;
	pid = fork();
	if (!pid)
		_exit(mount("proc", "/proc", "proc", 0, NULL) ? 77 : run());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	snprintf(path, sizeof(path), "%s/a name", folder);
	unlink(path);
	rmdir(folder);
	/* Nobody can look for leaks here any more: the namespace of its children is gone. */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}
