// SPDX-License-Identifier: MIT
/* Runs the cases and counts. Exit status: 0 if nothing failed, else 1. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <grp.h>

#include "../errno-name.h"
#include "conformance.h"

enum { CASE_LIMIT = 100, PASSED = 0, FAILED = 1, SKIPPED = 77 };

void *volatile const nowhere = (void *)8;

static int report_fd = -1;

static void say(int status, const char *format, va_list args)
{
	vdprintf(report_fd, format, args);
	_exit(status);
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(FAILED, format, args);
	_exit(FAILED);
}

void skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(SKIPPED, format, args);
	_exit(SKIPPED);
}

void expect_value(long want, long got, const char *what, const char *file,
		  int line)
{
	if (got != want)
		fail("%s:%d: %s gives %ld%s%s%s instead of %ld", file, line,
		     what, got, got == -1 ? " (" : "",
		     got == -1 ? errno_name(errno) : "", got == -1 ? ")" : "",
		     want);
}

void expect_error(int want, long got, int error, const char *what,
		  const char *file, int line)
{
	if (got != -1)
		fail("%s:%d: %s gives %ld instead of %s", file, line, what, got,
		     errno_name(want));
	if (error != want)
		fail("%s:%d: %s gives %s instead of %s", file, line, what,
		     errno_name(error), errno_name(want));
}

static int open_mode(int mode)
{
	int fd = open(SYSGENID_DEVICE, mode | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		fail("cannot open " SYSGENID_DEVICE ": %s", strerror(errno));
	return fd;
}

int open_rw(void)
{
	return open_mode(O_RDWR);
}

int open_ro(void)
{
	return open_mode(O_RDONLY);
}

const volatile uint32_t *map_counter(void)
{
	int fd = open_ro();
	void *page = mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		fail("cannot map " SYSGENID_DEVICE ": %s", strerror(errno));
	close(fd);
	return page;
}

uint32_t current_generation(void)
{
	const volatile uint32_t *page = map_counter();
	uint32_t generation = *page;

	munmap((void *)page, 4);
	return generation;
}

void trigger(void)
{
	int fd = open_ro();

	if (ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, 0))
		fail("cannot trigger: %s", strerror(errno));
	close(fd);
}

void confirm(int fd)
{
	uint32_t generation = current_generation();

	if (write(fd, &generation, sizeof(generation)) != sizeof(generation))
		fail("cannot confirm %u: %s", generation, strerror(errno));
}

void track(int fd)
{
	if (ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 1))
		fail("cannot track: %s", strerror(errno));
}

bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

int get(int fd, struct sysgenid_get_args *get)
{
	int ret;

	memset(get, 0, sizeof(*get));
	get->size = sizeof(*get);
	ret = ioctl(fd, SYSGENID_GET, get);
	/* A matter of time; "additions: get, a pending reseed" waits for it. */
	get->flags &= ~SYSGENID_GET_RESEED_PENDING;
	return ret;
}

int wait_generation(int fd, uint32_t generation, int64_t timeout_ns,
		    struct sysgenid_wait_args *wait)
{
	memset(wait, 0, sizeof(*wait));
	wait->size = sizeof(*wait);
	wait->generation = generation;
	wait->timeout_ns = timeout_ns;
	return ioctl(fd, SYSGENID_WAIT_GENERATION, wait);
}

bool has_additions(void)
{
	struct sysgenid_get_args answer;
	int fd = open_ro();
	bool has = !get(fd, &answer);

	close(fd);
	return has;
}

int run_child(void (*run)(void *), void *arg)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		fail("fork: %s", strerror(errno));
	if (!child) {
		run(arg);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child)
		fail("waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void drop_to(uid_t uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		fail("cannot drop privileges: %s", strerror(errno));
	/* Else /proc/self belongs to root, and no user namespace can be set up. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void write_uid_map(pid_t child, const char *uid_map)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", child);
	fd = open(path, O_WRONLY);
	if (write(fd, uid_map, strlen(uid_map)) != (ssize_t)strlen(uid_map))
		fail("%s: %s", path, strerror(errno));
	close(fd);
}

void run_in_user_namespace(uid_t owner, const char *uid_map, void (*run)(void))
{
	int made[2], mapped[2], status;
	pid_t child;
	char byte;

	if (pipe(made) || pipe(mapped))
		fail("pipe: %s", strerror(errno));
	child = fork();
	if (!child) {
		if (owner)
			drop_to(owner);
		if (unshare(CLONE_NEWUSER))
			skip("no user namespace: %s", strerror(errno));
		if (write(made[1], "", 1) != 1 ||
		    read(mapped[0], &byte, 1) != 1)
			_exit(FAILED);
		run();
		_exit(PASSED);
	}
	close(made[1]);
	if (read(made[0], &byte, 1) == 1) {
		write_uid_map(child, uid_map);
		if (write(mapped[1], "", 1) != 1)
			fail("pipe: %s", strerror(errno));
	}
	waitpid(child, &status, 0);
	/* The child has said why. */
	if (status)
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : FAILED);
}

static int run_case(const struct test *test, char *why, size_t size)
{
	int status, report[2];
	ssize_t length;
	pid_t child;

	if (pipe(report))
		abort();
	fflush(stdout);
	child = fork();
	if (!child) {
		report_fd = report[1];
		close(report[0]);
		setpgid(0, 0);
		alarm(CASE_LIMIT);
		test->run();
		_exit(PASSED);
	}
	close(report[1]);
	waitpid(child, &status, 0);
	/* Whatever it left behind. */
	kill(-child, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	length = read(report[0], why, size - 1);
	why[length > 0 ? length : 0] = 0;
	close(report[0]);

	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == SIGALRM)
			snprintf(why, size, "not done after %d s", CASE_LIMIT);
		else
			snprintf(why, size, "killed by signal %d",
				 WTERMSIG(status));
		return FAILED;
	}
	return WEXITSTATUS(status);
}

static bool wanted(const char *name, char **patterns)
{
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (strstr(name, *patterns))
			return true;
	return false;
}

static int counts[3];

static void run_table(const struct test *test, const char *bad, char **patterns,
		      bool additions)
{
	char why[1024] = "";
	const char *word;
	int status;

	for (; test->name; test++) {
		if (!wanted(test->name, patterns))
			continue;
		if (test->addition && !additions) {
			status = bad[0] == 'W' ? FAILED : SKIPPED;
			strcpy(why, "this implementation has nothing for it");
		} else {
			status = run_case(test, why, sizeof(why));
		}
		word = status == PASSED	 ? "ok" :
		       status == SKIPPED ? "skip" :
					   bad;
		counts[status == PASSED ? 0 : status == SKIPPED ? 2 : 1]++;
		printf("%-4s  %s%s%s\n", word, test->name,
		       status == PASSED ? "" : ": ",
		       status == PASSED ? "" : why);
	}
}

int main(int argc, char **argv)
{
	bool additions;

	(void)argc;
	report_fd = STDERR_FILENO;
	additions = has_additions();
	run_table(abi_tests, "FAIL", argv + 1, additions);
	run_table(addition_tests, "FAIL", argv + 1, additions);
	run_table(weakness_tests, "WEAK", argv + 1, additions);
	printf("%d passed, %d failed, %d skipped\n", counts[0], counts[1],
	       counts[2]);
	return counts[1] ? 1 : 0;
}
