// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "config.h"
#include "freeze-all.h"
#include "freezing.h"

/* Holds what runs beside the overseer, or beside what it needs. */
#define ASIDE "/sysgenid-frozen"

/* The kernel takes no longer one, and a cut one is not there. */
#define LONG_PATH (PATH_MAX + 64)

/* Of /proc/PID/stat. */
#define KERNEL_THREAD 0x00200000u

struct looking {
	char *const *exempt;
	/* Where the overseer and its parents are. */
	struct words spared;
	/* What is to be frozen, and the cgroups with processes that have to move first. */
	struct words frozen, crowded;
	char *why;
	size_t size;
};

/* ---- processes ---- */

/* 0 or -errno. */
static int read_stat(pid_t pid, pid_t *parent, unsigned int *flags)
{
	char file[64], text[512];
	const char *rest;
	size_t n;
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%d/stat", pid);
	f = fopen(file, "re");
	if (!f)
		return -errno;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	/* A name may hold anything. */
	rest = strrchr(text, ')');
	return rest && sscanf(rest, ") %*c %d %*d %*d %*d %*d %u", parent,
			      flags) == 2 ?
		       0 :
		       -ESRCH;
}

/* @pid itself counts. */
static bool descends_from(pid_t pid, pid_t ancestor)
{
	unsigned int flags;

	while (pid && pid != ancestor) {
		if (read_stat(pid, &pid, &flags))
			return false;
	}
	return pid;
}

static bool is_spared(pid_t pid)
{
	return descends_from(pid, getpid()) || descends_from(getpid(), pid);
}

/* One that has ended needs no freezing. What cannot be looked at counts as one. */
static bool is_program(pid_t pid)
{
	unsigned int flags;
	pid_t parent;
	const int r = read_stat(pid, &parent, &flags);

	return r ? r != -ENOENT && r != -ESRCH : !(flags & KERNEL_THREAD);
}

/* ---- cgroups ---- */

static void path_of(const char *cgroup, char path[LONG_PATH])
{
	snprintf(path, LONG_PATH, CGROUP_ROOT "%s",
		 strcmp(cgroup, "/") ? cgroup : "");
}

/* As /agents; 0 or -errno. */
static int find_cgroup(pid_t pid, char cgroup[LONG_PATH])
{
	char path[LONG_PATH];
	const int r = cgroup_of(pid, path, sizeof(path));
	const char *name = path + strlen(CGROUP_ROOT);

	if (!r)
		snprintf(cgroup, LONG_PATH, "%s", *name ? name : "/");
	return r;
}

/* The same one counts. */
static bool is_below(const char *cgroup, const char *top)
{
	const size_t len = strcmp(top, "/") ? strlen(top) : 0;

	return !strncmp(cgroup, top, len) &&
	       (!cgroup[len] || cgroup[len] == '/');
}

static bool is_exempt(const char *cgroup, char *const exempt[])
{
	while (*exempt && !is_below(cgroup, *exempt))
		exempt++;
	return *exempt;
}

static bool is_one_of(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++) {
		if (!strcmp(words->word[i], word))
			return true;
	}
	return false;
}

/* Something in it goes on. */
static bool has_to_run(const struct looking *l, const char *cgroup)
{
	for (char *const *e = l->exempt; *e; e++) {
		if (is_below(*e, cgroup))
			return true;
	}
	for (size_t i = 0; i < l->spared.count; i++) {
		if (is_below(l->spared.word[i], cgroup))
			return true;
	}
	return false;
}

static int fail(struct looking *l, int error, const char *what)
{
	snprintf(l->why, l->size, "%s", what);
	return error;
}

/* The processes of a cgroup, but not those below. NULL and errno. */
static FILE *open_processes(const char *cgroup)
{
	char path[LONG_PATH], file[LONG_PATH + 16];

	path_of(cgroup, path);
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	return fopen(file, "re");
}

/* 1, 0 or -errno. */
static int is_crowded(const char *cgroup)
{
	FILE *f = open_processes(cgroup);
	int r = 0, pid;

	if (!f)
		return -errno;
	errno = 0;
	while (!r && fscanf(f, "%d", &pid) == 1)
		r = is_program(pid) && !is_spared(pid);
	/* A threaded one, for example, cannot be read. */
	if (!r && ferror(f))
		r = errno ? -errno : -EIO;
	fclose(f);
	return r;
}

static void name_aside(const char *cgroup, char aside[PATH_MAX])
{
	snprintf(aside, PATH_MAX, "%s" ASIDE,
		 strcmp(cgroup, "/") ? cgroup : "");
}

/* 0 or -errno. */
static int note_crowded(struct looking *l, const char *cgroup)
{
	const int r = is_crowded(cgroup);
	char aside[PATH_MAX];

	/* The cgroup may have gone. */
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r <= 0)
		return r ? fail(l, r, cgroup) : 0;
	name_aside(cgroup, aside);
	return words_add(&l->crowded, cgroup) &&
			       (is_one_of(&l->frozen, aside) ||
				words_add(&l->frozen, aside)) ?
		       0 :
		       -ENOMEM;
}

static int look_at(struct looking *l, const char *cgroup);

static int look_below(struct looking *l, const char *cgroup)
{
	const char *above = strcmp(cgroup, "/") ? cgroup : "";
	char path[LONG_PATH], below[PATH_MAX];
	struct dirent *entry;
	int r = 0;
	DIR *dir;

	path_of(cgroup, path);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : fail(l, -errno, cgroup);
	while (!r && (errno = 0, entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", above,
			     entry->d_name) >= (int)sizeof(below))
			r = fail(l, -ENAMETOOLONG, cgroup);
		else
			r = look_at(l, below);
	}
	if (!r && errno)
		r = fail(l, -errno, cgroup);
	closedir(dir);
	return r;
}

/* 0 or -errno. */
static int look_at(struct looking *l, const char *cgroup)
{
	char path[LONG_PATH];
	int r;

	if (is_exempt(cgroup, l->exempt))
		return 0;
	if (has_to_run(l, cgroup)) {
		r = note_crowded(l, cgroup);
		return r ? r : look_below(l, cgroup);
	}
	path_of(cgroup, path);
	r = cgroup_is_populated(path);
	if (r == -ENOENT || r == -ENODEV)
		r = 0;
	if (r <= 0 || is_one_of(&l->frozen, cgroup))
		return r < 0 ? fail(l, r, cgroup) : 0;
	return words_add(&l->frozen, cgroup) ? 0 : -ENOMEM;
}

/* 0 or -errno. */
static int find_spared(struct looking *l)
{
	char cgroup[LONG_PATH];
	unsigned int flags;
	int r = 0;

	for (pid_t pid = getpid(); !r && pid;) {
		r = find_cgroup(pid, cgroup);
		if (!r && !is_one_of(&l->spared, cgroup) &&
		    !words_add(&l->spared, cgroup))
			r = -ENOMEM;
		if (!r)
			r = read_stat(pid, &pid, &flags);
	}
	return r ? fail(l, r, "the cgroup of the overseer is not known") : 0;
}

/* What moves into a frozen cgroup freezes, and whatever it has started by then moves next. 0 or -errno. */
static int move_aside(struct looking *l, const char *cgroup)
{
	char aside[PATH_MAX], path[LONG_PATH];
	FILE *f;
	int pid, r = 0;

	name_aside(cgroup, aside);
	path_of(aside, path);
	if (!cgroup_make(path))
		return fail(l, -errno, aside);
	r = cgroup_freeze(path);
	if (r < 0)
		return fail(l, r, aside);
	f = open_processes(cgroup);
	if (!f)
		return fail(l, -errno, cgroup);
	r = 0;
	while (!r && fscanf(f, "%d", &pid) == 1) {
		if (is_program(pid) && !is_spared(pid))
			r = cgroup_move(pid, path);
		if (r == -ESRCH)
			r = 0;
	}
	fclose(f);
	return r ? fail(l, r, aside) : 0;
}

/* 1: all are; 0; or -errno. */
static int freeze_each(struct looking *l)
{
	int r, all = 1;

	for (size_t i = 0; i < l->frozen.count; i++) {
		char path[LONG_PATH];

		path_of(l->frozen.word[i], path);
		r = cgroup_freeze(path);
		if (r == -ENOENT || r == -ENODEV)
			continue;
		if (r < 0)
			return fail(l, r, l->frozen.word[i]);
		if (!r)
			all = fail(l, 0, l->frozen.word[i]);
	}
	return all;
}

/* What was found in an earlier step is remembered; what is new is, too, before it is frozen. */
static int freeze_found(struct looking *l)
{
	const size_t before = l->frozen.count;
	int r = find_spared(l), all;

	if (!r)
		r = look_at(l, "/");
	if (!r && l->frozen.count > before && !freezing_remember(&l->frozen))
		r = fail(l, -EIO, "it cannot be noted what is frozen");
	for (size_t i = 0; !r && i < l->crowded.count; i++)
		r = move_aside(l, l->crowded.word[i]);
	if (r)
		return r;
	all = freeze_each(l);
	/* What has moved, or is new, may have started something. */
	return all > 0 && (l->crowded.count || l->frozen.count > before) ? 0 :
									   all;
}

int freeze_all(char *const exempt[], char *why, size_t size)
{
	struct looking l = { .exempt = exempt, .why = why, .size = size };
	int r;

	snprintf(why, size, "new programs");
	r = freezing_recall(&l.frozen) ?
		    freeze_found(&l) :
		    fail(&l, -EIO, "it is not known what is frozen");
	words_free(&l.spared);
	words_free(&l.frozen);
	words_free(&l.crowded);
	return r;
}

int freeze_all_reaches(pid_t pid, char *const exempt[])
{
	char cgroup[LONG_PATH];
	int r;

	if (is_spared(pid))
		return 0;
	r = find_cgroup(pid, cgroup);
	return r ? r : !is_exempt(cgroup, exempt);
}

int freeze_all_move_back(const char *cgroup)
{
	const size_t len = strlen(cgroup), end = strlen(ASIDE);
	char path[LONG_PATH], above[LONG_PATH];
	FILE *f;
	int pid, r = 0;

	if (len < end || strcmp(cgroup + len - end, ASIDE))
		return 1;
	path_of(cgroup, path);
	snprintf(above, sizeof(above), "%.*s",
		 (int)(strlen(path) - strlen(ASIDE)), path);
	f = open_processes(cgroup);
	if (!f)
		return errno == ENOENT ? 1 : -errno;
	while (!r && fscanf(f, "%d", &pid) == 1) {
		r = cgroup_move(pid, above);
		if (r == -ESRCH)
			r = 0;
	}
	fclose(f);
	if (r)
		return r;
	if (!rmdir(path) || errno == ENOENT)
		return 1;
	return errno == EBUSY ? 0 : -errno;
}
