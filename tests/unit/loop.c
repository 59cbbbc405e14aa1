// SPDX-License-Identifier: MIT
/* The overseer's event loop, and what it says to who started the overseer. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "notify.h"

#define SECOND 1000000ull

static struct loop *loop;
static unsigned int calls, complaints;
static struct loop_source *other;
static siginfo_t ended;

void log_line(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
	complaints++;
}

static void setup(void)
{
	calls = complaints = 0;
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
}

static void teardown(void)
{
	loop_free(loop);
}

static int ready_fd(void)
{
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void count(void *user)
{
	(void)user;
	calls++;
}

static void count_io(void *user, uint32_t events)
{
	(void)user;
	(void)events;
	calls++;
}

static struct loop_source *pair[2];

static void remove_other(void *user, uint32_t events)
{
	struct loop_source **theirs = user;

	(void)events;
	calls++;
	*theirs = loop_remove(*theirs);
}

/* Both are ready; whoever is called first removes the other. */
START_TEST(source_that_was_removed_is_never_called)
{
	int first = ready_fd(), second = ready_fd();

	pair[0] = loop_add_io(loop, first, EPOLLIN, remove_other, &pair[1]);
	pair[1] = loop_add_io(loop, second, EPOLLIN, remove_other, &pair[0]);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(loop_run_once(loop, 0), 1);
	ck_assert(!pair[0] != !pair[1]);
	ck_assert_uint_eq(calls, 4);
	close(first);
	close(second);
}
END_TEST

static void remove_itself(void *user)
{
	calls++;
	loop_remove(*(struct loop_source **)user);
}

START_TEST(timer_may_remove_itself)
{
	struct loop_source *timer = loop_add_timer(loop, remove_itself, &other);

	other = timer;
	loop_arm(timer, 0);
	ck_assert_int_eq(loop_run_once(loop, 0), 1);
	ck_assert_int_eq(loop_run_once(loop, 0), 0);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(timer_is_called_once_and_not_early)
{
	struct loop_source *timer = loop_add_timer(loop, count, NULL);
	const uint64_t start = loop_now();

	ck_assert_int_eq(loop_run_once(loop, 1000), 0);
	loop_arm(timer, 50000);
	ck_assert_int_eq(loop_run_once(loop, 1000), 0);
	while (!calls)
		ck_assert_int_ge(loop_run_once(loop, 5 * SECOND), 0);
	ck_assert_uint_ge(loop_now() - start, 50000);
	ck_assert_int_eq(loop_run_once(loop, 1000), 0);
	loop_arm(timer, 0);
	loop_disarm(timer);
	ck_assert_int_eq(loop_run_once(loop, 1000), 0);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(timers_are_called_in_the_order_of_their_times)
{
	unsigned int order[2] = { 0 };
	struct loop_source *late = loop_add_timer(loop, remove_itself, &other);
	struct loop_source *early = loop_add_timer(loop, count, order);

	other = late;
	loop_arm(late, 20000);
	loop_arm(early, 10000);
	ck_assert_int_eq(loop_run_once(loop, 5 * SECOND), 1);
	/* Had it been the late one, this would be freed memory. */
	loop_arm(late, 0);
	ck_assert_int_eq(loop_run_once(loop, 5 * SECOND), 1);
	ck_assert_uint_eq(calls, 2);
}
END_TEST

static void arm_again(void *user)
{
	calls++;
	loop_arm(*(struct loop_source **)user, 0);
}

static unsigned int io_calls;

static void count_io_apart(void *user, uint32_t events)
{
	(void)user;
	(void)events;
	io_calls++;
}

/* Both are ready all the time. */
START_TEST(neither_timers_nor_descriptors_wait_for_ever)
{
	int fd = ready_fd();

	other = loop_add_timer(loop, arm_again, &other);
	loop_arm(other, 0);
	loop_add_io(loop, fd, EPOLLIN, count_io_apart, NULL);
	io_calls = 0;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(loop_run_once(loop, 0), 1);
	ck_assert_uint_eq(calls, 5);
	ck_assert_uint_eq(io_calls, 5);
	close(fd);
}
END_TEST

START_TEST(disabled_source_is_silent_even_when_the_other_end_hangs_up)
{
	struct loop_source *s;
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	s = loop_add_io(loop, ends[0], 0, count_io, NULL);
	loop_enable(s, false);
	close(ends[1]);
	ck_assert_int_eq(loop_run_once(loop, 1000), 0);
	ck_assert(loop_enable(s, true));
	ck_assert_int_eq(loop_run_once(loop, SECOND), 1);
	loop_remove(s);
	close(ends[0]);
}
END_TEST

START_TEST(regular_file_is_refused)
{
	FILE *f = tmpfile();

	ck_assert_ptr_null(
		loop_add_io(loop, fileno(f), EPOLLIN, count_io, NULL));
	ck_assert_int_eq(errno, EPERM);
	fclose(f);
}
END_TEST

static void on_end(void *user, const siginfo_t *info)
{
	(void)user;
	ended = *info;
	calls++;
}

static pid_t child(int status)
{
	pid_t pid = fork();

	if (!pid)
		_exit(status);
	ck_assert_int_gt(pid, 0);
	return pid;
}

START_TEST(child_is_reaped_and_told_of)
{
	pid_t pid = child(7), reaped = child(0);

	ck_assert_ptr_nonnull(loop_add_child(loop, pid, on_end, NULL));
	ck_assert_ptr_nonnull(loop_add_child(loop, reaped, NULL, NULL));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(loop_run_once(loop, 5 * SECOND), 1);
	ck_assert_uint_eq(calls, 1);
	ck_assert_int_eq(ended.si_code, CLD_EXITED);
	ck_assert_int_eq(ended.si_status, 7);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(signals_come_one_by_one)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ck_assert_ptr_nonnull(loop_add_signal(loop, SIGHUP, count, NULL));
	raise(SIGUSR2);
	ck_assert_int_eq(loop_run_once(loop, 1000), 0);
	raise(SIGHUP);
	ck_assert_int_eq(loop_run_once(loop, SECOND), 1);
	ck_assert_int_eq(loop_run_once(loop, 1000), 0);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

static void leave(void *user)
{
	loop_exit(user, 5);
}

START_TEST(run_returns_the_code_of_the_exit)
{
	loop_arm(loop_add_timer(loop, leave, loop), 1000);
	ck_assert_int_eq(loop_run(loop), 5);
}
END_TEST

/* ---- what is said ---- */

static char *hear(int fd)
{
	static char text[2048];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = 0;
	return text;
}

/* Under a path, and under an abstract name. */
START_TEST(lines_reach_the_socket_that_is_named)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[] = "/tmp/overseer-notify-XXXXXX/notify";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t size = sizeof(address);
	char usec[32];

	*strrchr(path, '/') = 0;
	ck_assert_ptr_nonnull(mkdtemp(path));
	path[strlen(path)] = '/';
	if (_i) {
		size = (socklen_t)(sizeof(sa_family_t) + strlen(path));
		memcpy(address.sun_path + 1, path + 1, strlen(path) - 1);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size),
				 0);
		*strrchr(path, '/') = 0;
		rmdir(path);
		path[strlen(path)] = '/';
		path[0] = '@';
	} else {
		strcpy(address.sun_path, path);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size),
				 0);
	}
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", path, 1), 0);
	notify("READY=1");
	ck_assert_str_eq(hear(fd), "READY=1");
	notify_status("held: %s", "a hook\nREADY=1");
	ck_assert_str_eq(hear(fd), "STATUS=held: a hook READY=1");
	ck_assert(notify_watchdog(loop));
	ck_assert_int_eq(loop_run_once(loop, 1000), 0);

	/* Of another process. */
	setenv("WATCHDOG_USEC", "20000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	ck_assert(notify_watchdog(loop));
	ck_assert_int_eq(loop_run_once(loop, 1000), 0);
	snprintf(usec, sizeof(usec), "%d", getpid());
	setenv("WATCHDOG_PID", usec, 1);
	ck_assert(notify_watchdog(loop));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(loop_run_once(loop, 5 * SECOND), 1);
		ck_assert_str_eq(hear(fd), "WATCHDOG=1");
	}
	ck_assert_uint_eq(complaints, 0);
	close(fd);
	if (path[0] == '/') {
		unlink(path);
		*strrchr(path, '/') = 0;
		rmdir(path);
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}
END_TEST

START_TEST(without_a_socket_nothing_is_said)
{
	notify("READY=1");
	ck_assert_uint_eq(complaints, 0);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	notify("READY=1");
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	notify("READY=1");
	ck_assert_uint_eq(complaints, 2);
	unsetenv("NOTIFY_SOCKET");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tcase = tcase_create("sources");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, source_that_was_removed_is_never_called);
	tcase_add_test(tcase, timer_may_remove_itself);
	tcase_add_test(tcase, timer_is_called_once_and_not_early);
	tcase_add_test(tcase, timers_are_called_in_the_order_of_their_times);
	tcase_add_test(tcase, neither_timers_nor_descriptors_wait_for_ever);
	tcase_add_test(
		tcase,
		disabled_source_is_silent_even_when_the_other_end_hangs_up);
	tcase_add_test(tcase, regular_file_is_refused);
	tcase_add_test(tcase, child_is_reaped_and_told_of);
	tcase_add_test(tcase, signals_come_one_by_one);
	tcase_add_test(tcase, run_returns_the_code_of_the_exit);
	tcase_add_loop_test(tcase, lines_reach_the_socket_that_is_named, 0, 2);
	tcase_add_test(tcase, without_a_socket_nothing_is_said);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
