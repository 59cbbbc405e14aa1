// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"
#include "log.h"
#include "loop.h"

#define RUN    "/run/sysgenid"
#define NOTIFY RUN "/notify"

/* Microseconds. */
#define RESTART_PAUSE 100000ull
#define GRACE	      2000000ull

struct init {
	struct loop *loop;
	struct loop_source *restart, *grace;
	const char *config;
	char **command;
	pid_t overseer, pid;
	int notify;
	bool started;
	/* Of reboot(2), when the command has ended. */
	int how;
};

static const struct {
	const char *type, *where, *options;
	unsigned long flags;
} mounts[] = {
	{ "proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "devtmpfs", "/dev", "mode=755", MS_NOSUID },
	{ "tmpfs", "/run", "mode=755", MS_NOSUID | MS_NODEV },
	/* For hooks, and for "freeze =". */
	{ "cgroup2", "/sys/fs/cgroup", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
};

/* 1, 0 or -errno. */
static int is_mounted(const char *where)
{
	char above[64];
	struct stat here, parent;

	snprintf(above, sizeof(above), "%s/..", where);
	if (stat(where, &here) || stat(above, &parent))
		return -errno;
	return here.st_dev != parent.st_dev;
}

/* What cannot be mounted is said; the overseer then holds what depends on it. */
static void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const char *where = mounts[i].where;

		mkdir(where, 0755);
		if (is_mounted(where) != 1 &&
		    mount(mounts[i].type, where, mounts[i].type,
			  mounts[i].flags, mounts[i].options))
			log_error("%s: cannot be mounted: %s", where,
				  strerror(errno));
	}
	mkdir(RUN, 0755);
}

/* NOTIFY_SOCKET of the overseer, as sd_notify(3) documents it. -1 after a complaint. */
static int open_notify(void)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX,
					     .sun_path = NOTIFY };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	unlink(NOTIFY);
	umask(0077);
	if (fd >= 0 &&
	    !bind(fd, (const struct sockaddr *)&address, sizeof(address))) {
		umask(0022);
		return fd;
	}
	log_error(NOTIFY ": %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* 0 after a complaint. */
static pid_t start(const char *path, char *const *argv, const char *notify)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid < 0)
		log_error("%s: %s", path, strerror(errno));
	if (pid)
		return pid > 0 ? pid : 0;
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (notify)
		setenv("NOTIFY_SOCKET", notify, 1);
	else
		unsetenv("NOTIFY_SOCKET");
	execvp(path, argv);
	log_error("%s: %s", path, strerror(errno));
	_exit(127);
}

static void start_overseer(void *user)
{
	struct init *i = user;
	char *argv[] = { (char *)(uintptr_t) "sysgenid-overseer",
			 (char *)(uintptr_t) "--config",
			 (char *)(uintptr_t)i->config, NULL };

	char path[PATH_MAX];
	const ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	/* By its own name, which is what ps(1) shows. */
	path[n > 0 ? n : 0] = 0;
	i->overseer = start(n > 0 ? path : argv[0], argv, NOTIFY);
	if (!i->overseer)
		loop_arm(i->restart, RESTART_PAUSE);
}

static void end(void *user)
{
	const struct init *i = user;

	kill(-1, SIGKILL);
	sync();
	reboot(i->how);
	/* In a container without the right. */
	exit(0);
}

/* Everybody has a moment. */
static void begin_to_end(struct init *i, int status)
{
	log_notice("the command ended, %s %d: the machine ends",
		   WIFEXITED(status) ? "exit status" : "signal",
		   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	i->pid = 0;
	kill(-1, SIGTERM);
	loop_arm(i->grace, GRACE);
}

static bool is_ending(const struct init *i)
{
	return i->started && !i->pid;
}

static void on_child(void *user)
{
	struct init *i = user;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == i->pid) {
			begin_to_end(i, status);
		} else if (pid == i->overseer) {
			i->overseer = 0;
			if (!is_ending(i))
				loop_arm(i->restart, RESTART_PAUSE);
		}
	}
	/* Nobody is left to wait for. */
	if (pid < 0 && is_ending(i))
		end(i);
}

/* Never before: what the command makes is to be adjusted, and the gate be there. */
static void on_notify(void *user, uint32_t events)
{
	struct init *i = user;
	char text[512];
	ssize_t n = recv(i->notify, text, sizeof(text) - 1, 0);

	(void)events;
	text[n > 0 ? n : 0] = 0;
	if (i->started || strcmp(text, "READY=1"))
		return;
	i->started = true;
	i->pid = start(i->command[0], i->command, NULL);
	if (!i->pid)
		begin_to_end(i, 127 << 8);
}

static void stop(struct init *i, int how)
{
	i->how = how;
	if (i->pid) {
		kill(i->pid, SIGTERM);
	} else if (!i->started) {
		i->started = true;
		begin_to_end(i, 0);
	}
}

static void on_stop(void *user)
{
	stop(user, RB_POWER_OFF);
}

/* Ctrl-Alt-Del, and what Firecracker sends for it. */
static void on_reboot(void *user)
{
	stop(user, RB_AUTOBOOT);
}

int init_run(const char *config, char **command)
{
	struct init i = { .config = config,
			  .command = command,
			  .how = RB_POWER_OFF };

	if (getpid() != 1) {
		log_error("--init is for the first process of a system");
		return 2;
	}
	mount_all();
	reboot(RB_DISABLE_CAD);
	i.loop = loop_new();
	i.notify = open_notify();
	if (i.notify < 0 || !i.loop ||
	    !loop_add_io(i.loop, i.notify, EPOLLIN, on_notify, &i) ||
	    !loop_add_signal(i.loop, SIGCHLD, on_child, &i) ||
	    !loop_add_signal(i.loop, SIGTERM, on_stop, &i) ||
	    !loop_add_signal(i.loop, SIGINT, on_reboot, &i)) {
		log_error("--init: %s", strerror(errno));
		return 1;
	}
	i.restart = loop_add_timer(i.loop, start_overseer, &i);
	i.grace = loop_add_timer(i.loop, end, &i);
	if (!i.restart || !i.grace) {
		log_error("--init: no memory");
		return 1;
	}
	start_overseer(&i);
	return loop_run(i.loop) != 0;
}
