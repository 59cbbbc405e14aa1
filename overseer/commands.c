// SPDX-License-Identifier: MIT
/*
 * Hooks and other programs. A program is the leader of a process group, so that
 * what it started ends with it. A hook needs rights that the overseer does
 * without, so systemd runs it, as a unit of its own that ends with the overseer's.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "log.h"

/* Between SIGTERM and SIGKILL. */
#define GRACE  2000000ull
#define SECOND 1000000ull

/* @patience: longer than its timeout where somebody else ends it then. */
struct command {
	char **argv;
	uint64_t timeout, patience;
};

struct commands {
	struct command *list;
	size_t count, next;
	sd_event *event;
	sd_event_source *child, *timer;
	pid_t pid;
	uint64_t started;
	bool late;
	commands_done_fn *done;
	void *user;
};

static void free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

static void commands_free(struct commands *cs)
{
	sd_event_source_unref(cs->child);
	sd_event_source_unref(cs->timer);
	for (size_t i = 0; i < cs->count; i++)
		free_strings(cs->list[i].argv);
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

static bool add(struct commands *cs, uint64_t timeout, uint64_t patience,
		const char *const argv[])
{
	struct command *more =
		reallocarray(cs->list, cs->count + 1, sizeof(*more));
	char **copy;

	if (!more)
		return false;
	cs->list = more;
	copy = copy_strings(argv);
	if (!copy)
		return false;
	more[cs->count++] = (struct command){ copy, timeout, patience };
	return true;
}

bool commands_add(struct commands *cs, uint64_t timeout,
		  const char *const argv[])
{
	return add(cs, timeout, timeout, argv);
}

/* The number makes the name of each unit a new one: the last may still be there. */
static bool add_hook(struct commands *cs, uint64_t timeout, const char *folder,
		     const char *name, const struct situation *s)
{
	static unsigned int number;
	char unit[NAME_MAX + 64], path[PATH_MAX], limit[64];
	char generation[64], state[64];
	const char *const argv[] = {
		"systemd-run", "--quiet", "--pipe", "--wait", "--collect",
		"--service-type=exec", unit, limit,
		/* Its processes get as long after SIGTERM. */
		"--property=TimeoutStopSec=2",
		"--property=BindsTo=" COMMANDS_UNIT,
		"--property=After=" COMMANDS_UNIT, generation, state, "--",
		path, NULL
	};

	snprintf(unit, sizeof(unit), "--unit=" COMMANDS_HOOK "%s-%d-%u", name,
		 getpid(), number++);
	snprintf(limit, sizeof(limit), "--property=RuntimeMaxSec=%" PRIu64,
		 (uint64_t)(timeout / SECOND));
	snprintf(generation, sizeof(generation),
		 "--setenv=SYSGENID_GENERATION=%" PRIu32, s->generation);
	snprintf(state, sizeof(state), "--setenv=SYSGENID_STATE=%s",
		 state_name(s->state));
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return add(cs, timeout, timeout + 5 * GRACE, argv);
}

static bool is_plain(const char *name)
{
	return *name &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")];
}

/* What others could write to would run as root. */
static bool is_safe(int folder, const char *name, const char *path)
{
	struct stat st;

	if (fstatat(folder, name, &st, 0) || !S_ISREG(st.st_mode) ||
	    !(st.st_mode & S_IXUSR))
		return false;
	if (st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return true;
	log_error("%s is not root's alone, so it is not run", path);
	return false;
}

bool commands_add_folder(struct commands *cs, uint64_t timeout,
			 const char *folder, const struct situation *s)
{
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort), fd;
	bool ok = true;

	if (n < 0) {
		if (errno == ENOENT)
			return true;
		log_error("%s: %s", folder, strerror(errno));
		return false;
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (ok && fd >= 0 && is_plain(names[i]->d_name) &&
		    is_safe(fd, names[i]->d_name, path))
			ok = add_hook(cs, timeout, folder, names[i]->d_name, s);
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

/* What a person calls it: a hook is the last word of the command that runs it. */
static const char *name_of(const struct command *c)
{
	char **word = c->argv;

	while (c->patience > c->timeout && word[1])
		word++;
	return *word;
}

static int on_exit_of_child(sd_event_source *source, const siginfo_t *info,
			    void *user)
{
	struct commands *cs = user;
	const struct command *c = &cs->list[cs->next];
	const char *name = name_of(c);
	char failed[512];
	uint64_t now;

	(void)source;
	sd_event_now(cs->event, CLOCK_MONOTONIC, &now);
	kill(-cs->pid, SIGKILL);
	cs->pid = 0;
	cs->child = sd_event_source_unref(cs->child);
	cs->timer = sd_event_source_disable_unref(cs->timer);
	if (cs->late || (info->si_status && now - cs->started >= c->timeout))
		snprintf(failed, sizeof(failed), "%s: not done in time", name);
	else if (info->si_code != CLD_EXITED)
		snprintf(failed, sizeof(failed), "%s: ended by signal %d", name,
			 info->si_status);
	else if (info->si_status)
		snprintf(failed, sizeof(failed), "%s: exit status %d", name,
			 info->si_status);
	else
		failed[0] = 0;
	if (failed[0]) {
		finish(cs, failed);
	} else {
		cs->next++;
		run_next(cs);
	}
	return 0;
}

static int on_deadline(sd_event_source *timer, uint64_t now, void *user)
{
	struct commands *cs = user;

	kill(-cs->pid, cs->late ? SIGKILL : SIGTERM);
	cs->late = true;
	sd_event_source_set_time(timer, now + GRACE);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
	return 0;
}

static int start(struct commands *cs, const struct command *c)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
						      POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
					 O_RDONLY, 0);
	/* What it says is for the journal, not for who asked. */
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	r = posix_spawnp(&cs->pid, c->argv[0], &files, &attributes, c->argv,
			 environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
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
	r = start(cs, c);
	if (!r)
		r = -sd_event_add_child(cs->event, &cs->child, cs->pid, WEXITED,
					on_exit_of_child, cs);
	if (r) {
		snprintf(failed, sizeof(failed), "%s: %s", c->argv[0],
			 strerror(r));
		finish(cs, failed);
		return;
	}
	sd_event_now(cs->event, CLOCK_MONOTONIC, &cs->started);
	sd_event_add_time(cs->event, &cs->timer, CLOCK_MONOTONIC,
			  cs->started + c->patience, 0, on_deadline, cs);
}

static int on_begin(sd_event_source *source, void *user)
{
	struct commands *cs = user;

	cs->child = sd_event_source_unref(source);
	run_next(cs);
	return 0;
}

void commands_run(struct commands *cs, sd_event *event, commands_done_fn *done,
		  void *user)
{
	cs->event = event;
	cs->done = done;
	cs->user = user;
	/* From the loop, so that done is never called before this returns. */
	if (sd_event_add_defer(event, &cs->child, on_begin, cs) < 0)
		abort();
}

static int on_exit_of_cancelled(sd_event_source *source, const siginfo_t *info,
				void *user)
{
	(void)info;
	(void)user;
	sd_event_source_unref(source);
	return 0;
}

void commands_cancel(struct commands *cs)
{
	sd_event_source *reaper;

	if (!cs)
		return;
	if (cs->pid) {
		cs->child = sd_event_source_disable_unref(cs->child);
		kill(-cs->pid, SIGKILL);
		sd_event_add_child(cs->event, &reaper, cs->pid, WEXITED,
				   on_exit_of_cancelled, NULL);
	} else if (cs->child) {
		sd_event_source_set_enabled(cs->child, SD_EVENT_OFF);
	}
	if (cs->timer)
		sd_event_source_set_enabled(cs->timer, SD_EVENT_OFF);
	commands_free(cs);
}
