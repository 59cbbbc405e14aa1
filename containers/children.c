// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "children.h"

/* Nanoseconds between two looks at a pid file. */
#define PAUSE 10000000

static const int passed_on[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
				 SIGUSR1, SIGUSR2, SIGWINCH };
static sigset_t waited_for, before;

void children_begin(void)
{
	sigemptyset(&waited_for);
	sigaddset(&waited_for, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		sigaddset(&waited_for, passed_on[i]);
	/* Ignored children would leave no status. */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &waited_for, &before);
}

int children_replace(char *const argv[])
{
	sigprocmask(SIG_SETMASK, &before, NULL);
	execv(argv[0], argv);
	return -errno;
}

/* Between vfork(2) and execve(2): nothing here writes to what is the parent's. */
static void become(char *const argv[], pid_t parent, int out, bool quiet)
{
	int null = quiet ? open("/dev/null", O_RDWR) : -1;

	/* Nobody would undo what it makes when we are gone. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		return;
	if (quiet &&
	    (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	     dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0))
		return;
	if (null > STDERR_FILENO)
		close(null);
	if (out >= 0 && dup2(out, STDOUT_FILENO) < 0)
		return;
	sigprocmask(SIG_SETMASK, &before, NULL);
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "sysgenid-runtime: %s: %m\n", argv[0]);
}

int child_start(struct child *c, char *const argv[], int out, bool quiet)
{
	pid_t parent = getpid();
	/* Copies no page tables: a third of a millisecond less than fork(2). */
	pid_t pid = vfork();

	if (!pid) {
		become(argv, parent, out, quiet);
		_exit(127);
	}
	*c = (struct child){ .pid = pid };
	return pid < 0 ? -errno : 0;
}

/* Looked at, not told: the SIGCHLD of one child may have been taken for that of another. */
static bool has_ended(struct child *c)
{
	if (!c->ended)
		c->ended = waitpid(c->pid, &c->status, WNOHANG) == c->pid;
	return c->ended;
}

static void pass_on(const struct child *c, const siginfo_t *info)
{
	/* The terminal tells its whole process group, the child too. */
	if (info->si_signo != SIGCHLD && info->si_code != SI_KERNEL)
		kill(c->pid, info->si_signo);
}

void child_until(struct child *c, const char *pid_file)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	siginfo_t info;

	while (!has_ended(c) && !read_pid(pid_file)) {
		if (sigtimedwait(&waited_for, &info, &pause) > 0)
			pass_on(c, &info);
	}
}

int child_wait(struct child *c)
{
	siginfo_t info;

	while (!has_ended(c)) {
		if (sigwaitinfo(&waited_for, &info) > 0)
			pass_on(c, &info);
	}
	return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) :
					WEXITSTATUS(c->status);
}

int child_run(char *const argv[], bool quiet)
{
	struct child c;

	return child_start(&c, argv, -1, quiet) ? 127 : child_wait(&c);
}

pid_t read_pid(const char *pid_file)
{
	char text[16], *end;
	int fd = open(pid_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	long pid;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	pid = strtol(text, &end, 10);
	return pid > 1 && (!*end || *end == '\n') ? (pid_t)pid : 0;
}
