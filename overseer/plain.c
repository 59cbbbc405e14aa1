// SPDX-License-Identifier: MIT
/*
 * No init system: hooks are children, each in a process group, and in a cgroup below
 * the overseer's where there is one. Programs are frozen by the paths of cgroups.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "cgroup.h"
#include "commands.h"

#define HOOK "sysgenid-hook-"

/* What an overseer that was killed left behind, too. */
static void end_hooks(void)
{
	char own[PATH_MAX];

	if (!cgroup_of(0, own, sizeof(own)))
		cgroup_end_all(own, HOOK);
}

static bool add_hook(struct commands *cs, uint64_t timeout, const char *path,
		     const char *name, const struct situation *s,
		     char *const environment[])
{
	static unsigned int number;
	char own[PATH_MAX], cgroup[PATH_MAX + 320];
	char generation[64], state[64];
	const char *const argv[] = { path, NULL };
	struct words all = { .word = NULL };
	struct command_options o = { .name = path };
	char **list;
	bool ok;

	/* Nothing of ours runs while commands are added. */
	end_hooks();
	snprintf(generation, sizeof(generation), "SYSGENID_GENERATION=%" PRIu32,
		 s->generation);
	snprintf(state, sizeof(state), "SYSGENID_STATE=%s",
		 state_name(s->state));
	if (!cgroup_of(0, own, sizeof(own))) {
		snprintf(cgroup, sizeof(cgroup), "%s/" HOOK "%s-%d-%u", own,
			 name, getpid(), number++);
		o.cgroup = cgroup;
	}
	ok = words_add(&all, generation) && words_add(&all, state);
	for (char *const *e = environment; ok && e && *e; e++)
		ok = words_add(&all, *e);
	list = ok ? words_list(&all) : NULL;
	o.environment = (const char *const *)list;
	ok = list && commands_add_with(cs, timeout, argv, &o);
	free(list);
	words_free(&all);
	return ok;
}

static bool add_end_of_hooks(struct commands *cs, uint64_t timeout)
{
	(void)cs;
	(void)timeout;
	end_hooks();
	return true;
}

/* Of a word of "freeze ="; the slash alone is the root. Returns the length. */
static size_t path_of(const char *word, char path[PATH_MAX])
{
	const int len = snprintf(path, PATH_MAX, CGROUP_ROOT "%s",
				 strcmp(word, "/") ? word : "");

	return (size_t)len;
}

/* These words are cgroups already. */
static bool find_cgroups(const struct words *units, struct words *cgroups,
			 char *why, size_t size)
{
	for (size_t i = 0; i < units->count; i++) {
		if (words_add(cgroups, units->word[i]))
			continue;
		snprintf(why, size, "no memory");
		return false;
	}
	return true;
}

static bool has_only_cgroups(const struct words *units, const char *key,
			     char *why, size_t size)
{
	for (size_t i = 0; i < units->count; i++) {
		if (*units->word[i] == '/')
			continue;
		snprintf(
			why, size,
			"%s: %s: where systemd does not run, write the path of a cgroup, as /agents",
			key, units->word[i]);
		return false;
	}
	return true;
}

static int find_exempt(const struct words *units, struct words *cgroups,
		       char *why, size_t size)
{
	if (!has_only_cgroups(units, "freeze-except", why, size))
		return 0;
	return find_cgroups(units, cgroups, why, size) ? 1 : -ENOMEM;
}

/* 1, 0 or -errno. */
static int is_in(pid_t pid, const char *word)
{
	char path[PATH_MAX], unit[PATH_MAX];
	const size_t len = path_of(word, unit);
	int r = cgroup_of(pid, path, sizeof(path));

	if (r)
		return r;
	return !strncmp(path, unit, len) && (!path[len] || path[len] == '/');
}

static int freezing_is_safe(const struct words *units, pid_t client, char *why,
			    size_t size)
{
	const struct {
		pid_t pid;
		const char *what;
	} needed[] = {
		{ 0, "the overseer runs in it" },
		{ 1, "the first process runs in it" },
		{ client,
		  "the program that asks runs in it, and would never see the answer" },
	};

	if (!has_only_cgroups(units, "freeze", why, size))
		return 0;
	for (size_t i = 0; i < units->count; i++) {
		const char *word = units->word[i];

		for (size_t j = 0; j < sizeof(needed) / sizeof(needed[0]);
		     j++) {
			const int r = is_in(needed[j].pid, word);

			if (r < 0)
				snprintf(
					why, size,
					"freeze: it is not known what runs in %s: %s",
					word, strerror(-r));
			else if (r)
				snprintf(why, size,
					 "freeze: %s cannot be frozen: %s",
					 word, needed[j].what);
			if (r)
				return r < 0 ? r : 0;
		}
	}
	return 1;
}

/* Anybody may have sent it, as at a shutdown. */
static bool stop_is_requested(char *why, size_t size)
{
	snprintf(why, size, "nobody here says who asked");
	return false;
}

static struct target *target_new(struct loop *loop)
{
	(void)loop;
	return NULL;
}

static void target_free(struct target *t)
{
	(void)t;
}

static void target_set(struct target *t, bool ready)
{
	(void)t;
	(void)ready;
}

const struct backend backend_plain = {
	.name = "plain",
	.add_hook = add_hook,
	.add_end_of_hooks = add_end_of_hooks,
	.find_cgroups = find_cgroups,
	.freezing_is_safe = freezing_is_safe,
	.find_exempt = find_exempt,
	.stop_is_requested = stop_is_requested,
	.target_new = target_new,
	.target_free = target_free,
	.target_set = target_set,
};
