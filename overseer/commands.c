// SPDX-License-Identifier: MIT
/*
 * Programs, one after the other. A program is the leader of a process group, and
 * may have a cgroup, so that what it started ends with it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "commands.h"
#include "log.h"

/* Between SIGTERM and SIGKILL. */
#define GRACE 2000000ull
/* Between two calls of a function that is not done. */
#define PAUSE 10000ull

/* @call: instead of a program, with @argv. @patience: at least @timeout. */
struct command {
	char *name;
	char **argv, **environment;
	char *cgroup;
	commands_call_fn *call;
	uint64_t timeout, patience;
};

struct commands {
	struct command *list;
	size_t count, next;
	struct loop *loop;
	struct loop_source *child, *timer;
	pid_t pid;
	/* @ended: the program has, and what it left behind may not have; 0: it has not. */
	uint64_t started, ended;
	bool late;
	char failed[512];
	commands_done_fn *done;
	void *user;
};

static void free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

static void free_command(struct command *c)
{
	free(c->name);
	free_strings(c->argv);
	free_strings(c->environment);
	free(c->cgroup);
}

static void commands_free(struct commands *cs)
{
	loop_remove(cs->child);
	loop_remove(cs->timer);
	for (size_t i = 0; i < cs->count; i++)
		free_command(&cs->list[i]);
	free(cs->list);
	free(cs);
}

struct commands *commands_new(void)
{
	return calloc(1, sizeof(struct commands));
}

static char **copy_strings(const char *const *strings)
{
	size_t n = 0;
	char **copy;

	while (strings[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(strings[i]);
		if (!copy[i]) {
			free_strings(copy);
			return NULL;
		}
	}
	return copy;
}

static bool add(struct commands *cs, uint64_t timeout, const char *const argv[],
		const struct command_options *o, commands_call_fn *call)
{
	struct command *more =
		reallocarray(cs->list, cs->count + 1, sizeof(*more));
	struct command c = { .call = call, .timeout = timeout };
	static const char *const none[] = { NULL };

	if (!more)
		return false;
	cs->list = more;
	c.patience = o->patience > timeout ? o->patience : timeout;
	c.name = strdup(o->name ? o->name : argv[0]);
	c.argv = copy_strings(argv);
	c.environment = copy_strings(o->environment ? o->environment : none);
	c.cgroup = o->cgroup ? strdup(o->cgroup) : NULL;
	if (!c.name || !c.argv || !c.environment || (o->cgroup && !c.cgroup)) {
		free_command(&c);
		return false;
	}
	more[cs->count++] = c;
	return true;
}

bool commands_add_with(struct commands *cs, uint64_t timeout,
		       const char *const argv[],
		       const struct command_options *options)
{
	return add(cs, timeout, argv, options, NULL);
}

bool commands_add(struct commands *cs, uint64_t timeout,
		  const char *const argv[])
{
	return add(cs, timeout, argv, &(struct command_options){ 0 }, NULL);
}

bool commands_add_call(struct commands *cs, uint64_t timeout, const char *name,
		       commands_call_fn *call, const char *const words[])
{
	const struct command_options o = { .name = name };

	return add(cs, timeout, words, &o, call);
}

static bool is_plain(const char *name)
{
	return *name &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")];
}

enum hook {
	IS_HOOK,
	NO_HOOK,
	/* Others than root can write to the file, or look_at() cannot look. */
	BAD_HOOK,
};

/* A link that leads nowhere is no absence: its end may be hidden from the overseer's unit. */
static bool is_absent(int folder, const char *name)
{
	struct stat st;

	return errno == ENOENT &&
	       fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) &&
	       errno == ENOENT;
}

static void complain(const char *path)
{
	if (errno == ENOENT)
		log_error(
			"%s: the overseer does not see where this link leads (/home, /root and /tmp are hidden from it): remove the link, or copy the hook",
			path);
	else
		log_error("%s: %s", path, strerror(errno));
}

static enum hook look_at(int folder, const char *name, const char *path)
{
	struct stat st;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return NO_HOOK;
	if (!is_plain(name)) {
		log_notice(
			"%s is passed over: a hook's name has only letters, digits, _ and -",
			path);
		return NO_HOOK;
	}
	if (fstatat(folder, name, &st, 0)) {
		if (is_absent(folder, name))
			return NO_HOOK;
		complain(path);
		return BAD_HOOK;
	}
	if (!S_ISREG(st.st_mode) || !(st.st_mode & S_IXUSR)) {
		log_notice("%s is passed over: not an executable file", path);
		return NO_HOOK;
	}
	if (st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return IS_HOOK;
	log_error("%s: others than root can write to it, so it cannot be run",
		  path);
	return BAD_HOOK;
}

/* Who can write to the directory can put a hook of root's into it. */
static bool is_trusted(int folder, const char *path)
{
	struct stat st;

	if (fstat(folder, &st)) {
		log_error("%s: %s", path, strerror(errno));
		return false;
	}
	if (!st.st_uid && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return true;
	log_error(
		"%s: others than root can write to this directory, so no hook in it can be run: chown root, chmod go-w",
		path);
	return false;
}

bool commands_add_folder(struct commands *cs, const struct backend *backend,
			 uint64_t timeout, const char *folder,
			 const struct situation *s, char *const environment[])
{
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort), fd;
	bool ok = true;

	if (n < 0) {
		if (is_absent(AT_FDCWD, folder))
			return true;
		complain(folder);
		return false;
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		log_error("%s: %s", folder, strerror(errno));
		ok = false;
	}
	ok = ok && is_trusted(fd, folder);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		enum hook hook = NO_HOOK;
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", folder, name);
		if (ok)
			hook = look_at(fd, name, path);
		if (hook == IS_HOOK)
			ok = backend->add_hook(cs, timeout, path, name, s,
					       environment);
		else if (hook == BAD_HOOK)
			ok = false;
		free(names[i]);
	}
	free(names);
	if (fd >= 0)
		close(fd);
	return ok;
}

static void finish(struct commands *cs, const char *failed)
{
	commands_done_fn *done = cs->done;
	void *user = cs->user;

	commands_free(cs);
	done(user, failed);
}

static void run_next(struct commands *cs);

/* What a program leaves behind ends with it. False: it is killed, and has not ended yet. */
static bool kill_rest(const struct commands *cs)
{
	const struct command *c = &cs->list[cs->next];

	if (cs->pid)
		kill(-cs->pid, SIGKILL);
	return !c->cgroup || cgroup_end(c->cgroup);
}

static void go_on(struct commands *cs, const char *failed)
{
	loop_disarm(cs->timer);
	if (failed[0]) {
		finish(cs, failed);
		return;
	}
	cs->next++;
	run_next(cs);
}

/* What a program started may still act until it has ended: nobody goes on before. */
static void end_rest(struct commands *cs)
{
	const struct command *c = &cs->list[cs->next];
	const bool gone = kill_rest(cs);
	char failed[sizeof(cs->failed)];

	cs->pid = 0;
	if (!gone && loop_now() - cs->ended < GRACE) {
		loop_arm(cs->timer, PAUSE);
		return;
	}
	if (!gone && cs->failed[0])
		log_error("%s: what it started was killed and does not end",
			  c->name);
	else if (!gone)
		snprintf(cs->failed, sizeof(cs->failed),
			 "%s: what it started was killed and does not end",
			 c->name);
	cs->ended = 0;
	/* go_on() frees @cs. */
	memcpy(failed, cs->failed, sizeof(failed));
	go_on(cs, failed);
}

static void on_exit_of_child(void *user, const siginfo_t *info)
{
	struct commands *cs = user;
	const struct command *c = &cs->list[cs->next];

	cs->child = NULL;
	cs->ended = loop_now();
	cs->failed[0] = 0;
	if (cs->late ||
	    (info->si_status && cs->ended - cs->started >= c->timeout))
		snprintf(cs->failed, sizeof(cs->failed), "%s: not done in time",
			 c->name);
	else if (info->si_code != CLD_EXITED)
		snprintf(cs->failed, sizeof(cs->failed),
			 "%s: ended by signal %d", c->name, info->si_status);
	else if (info->si_status)
		snprintf(cs->failed, sizeof(cs->failed), "%s: exit status %d",
			 c->name, info->si_status);
	end_rest(cs);
}

static void call(struct commands *cs)
{
	const struct command *c = &cs->list[cs->next];
	char why[256] = "", failed[512] = "";
	const int r = c->call(c->argv, why, sizeof(why));

	if (!r && loop_now() - cs->started < c->timeout) {
		loop_arm(cs->timer, PAUSE);
		return;
	}
	if (r <= 0)
		snprintf(failed, sizeof(failed), "%.200s: %s%s%s", c->name,
			 r ? strerror(-r) : "not done in time",
			 why[0] ? ": " : "", why);
	go_on(cs, failed);
}

static void on_time(void *user)
{
	struct commands *cs = user;

	if (!cs->pid) {
		if (cs->ended)
			end_rest(cs);
		else if (cs->started)
			call(cs);
		else
			run_next(cs);
		return;
	}
	kill(-cs->pid, cs->late ? SIGKILL : SIGTERM);
	if (cs->late)
		kill_rest(cs);
	cs->late = true;
	loop_arm(cs->timer, GRACE);
}

static bool is_inherited(const char *variable)
{
	/* These are the overseer's own. */
	return strncmp(variable, "SYSGENID_", 9) &&
	       strncmp(variable, "NOTIFY_SOCKET=", 14) &&
	       strncmp(variable, "WATCHDOG_", 9);
}

/* To be freed without its strings. */
static char **make_environment(char *const *added)
{
	size_t n = 0, count = 0;
	char **all;

	while (environ[n])
		n++;
	for (char *const *a = added; *a; a++)
		n++;
	all = calloc(n + 1, sizeof(*all));
	for (char *const *a = added; all && *a; a++)
		all[count++] = *a;
	for (char **e = environ; all && *e; e++) {
		if (is_inherited(*e))
			all[count++] = *e;
	}
	return all;
}

/* In the child, where only what fork(2) allows a program with threads is called. */
static void become(const struct command *c, char *const *environment,
		   const char *procs)
{
	int null, fd;
	sigset_t none;

	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (procs) {
		fd = open(procs, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			return;
	}
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* What it says is for the log, not for who asked. */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return;
	execvpe(c->argv[0], c->argv, environment);
}

/* 0 or the error of the child, which nobody else sees. */
static int wait_for_exec(pid_t pid, int fd)
{
	int error = 0;
	ssize_t n;

	do {
		n = read(fd, &error, sizeof(error));
	} while (n < 0 && errno == EINTR);
	if (n == sizeof(error))
		waitpid(pid, NULL, 0);
	return n == sizeof(error) ? error : 0;
}

static int start(struct commands *cs, const struct command *c)
{
	char **environment = make_environment(c->environment);
	char procs[PATH_MAX];
	int ends[2], r = 0;
	bool in_cgroup;
	pid_t pid;

	if (!environment)
		return ENOMEM;
	if (pipe2(ends, O_CLOEXEC)) {
		r = errno;
		free(environment);
		return r;
	}
	in_cgroup = c->cgroup && cgroup_make(c->cgroup);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs",
		 in_cgroup ? c->cgroup : "");
	pid = fork();
	if (!pid) {
		become(c, environment, in_cgroup ? procs : NULL);
		r = errno;
		if (write(ends[1], &r, sizeof(r)) < 0)
			_exit(126);
		_exit(127);
	}
	if (pid < 0)
		r = errno;
	close(ends[1]);
	if (pid > 0) {
		/* Whoever of the two comes first; kill() needs the group. */
		setpgid(pid, pid);
		r = wait_for_exec(pid, ends[0]);
	}
	close(ends[0]);
	free(environment);
	if (!r)
		cs->pid = pid;
	return r;
}

static int start_and_watch(struct commands *cs, const struct command *c)
{
	int r = start(cs, c);

	if (r)
		return r;
	loop_arm(cs->timer, c->patience);
	cs->child = loop_add_child(cs->loop, cs->pid, on_exit_of_child, cs);
	if (cs->child)
		return 0;
	r = errno;
	kill_rest(cs);
	waitpid(cs->pid, NULL, 0);
	cs->pid = 0;
	return r;
}

static void run_next(struct commands *cs)
{
	const struct command *c = &cs->list[cs->next];
	char failed[512];
	int r;

	if (cs->next == cs->count) {
		finish(cs, NULL);
		return;
	}
	cs->late = false;
	cs->started = loop_now();
	if (c->call) {
		call(cs);
		return;
	}
	r = start_and_watch(cs, c);
	if (!r)
		return;
	snprintf(failed, sizeof(failed), "%s: %s", c->name, strerror(r));
	finish(cs, failed);
}

void commands_run(struct commands *cs, struct loop *loop,
		  commands_done_fn *done, void *user)
{
	cs->loop = loop;
	cs->done = done;
	cs->user = user;
	/* From the loop, so that done is never called before this returns. */
	cs->timer = loop_add_timer(loop, on_time, cs);
	if (!cs->timer)
		abort();
	loop_arm(cs->timer, 0);
}

void commands_cancel(struct commands *cs)
{
	if (!cs)
		return;
	if (cs->pid) {
		loop_remove(cs->child);
		cs->child = NULL;
		kill_rest(cs);
		if (!loop_add_child(cs->loop, cs->pid, NULL, NULL))
			log_error("process %d is not reaped: %s", cs->pid,
				  strerror(errno));
	}
	commands_free(cs);
}
