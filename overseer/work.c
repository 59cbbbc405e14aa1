// SPDX-License-Identifier: MIT
/* No program is started to freeze and thaw: a clone is thawed before anything else may run. */
#define _GNU_SOURCE
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "freezing.h"
#include "log.h"
#include "work.h"

#ifndef HOOKS
#define HOOKS "/etc/sysgenid"
#endif

bool work_is_running(const struct work *w)
{
	return w->commands;
}

void work_stop(struct work *w)
{
	w->interrupted = w->interrupted || w->commands;
	commands_cancel(w->commands);
	w->commands = NULL;
}

static void on_done(void *user, const char *failed)
{
	struct work *w = user;

	w->commands = NULL;
	w->done(w->user, failed);
}

void work_run(struct work *w, struct commands *cs, commands_done_fn *done,
	      void *user)
{
	w->interrupted = false;
	w->commands = cs;
	w->done = done;
	w->user = user;
	commands_run(cs, w->loop, on_done, w);
}

/* Takes @cs. */
static bool run_if(struct work *w, struct commands *cs, bool complete,
		   commands_done_fn *done, void *user)
{
	if (complete)
		work_run(w, cs, done, user);
	else
		commands_cancel(cs);
	return complete;
}

/* Those of work that was cut short: the next ones are not to meet them. */
static bool add_end_of_hooks(const struct work *w, const struct config *c,
			     struct commands *cs)
{
	return !w->interrupted ||
	       w->backend->add_end_of_hooks(cs, c->hook_timeout);
}

/* The slash alone is the root. */
static void path_of(const char *cgroup, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, CGROUP_ROOT "%s",
		 strcmp(cgroup, "/") ? cgroup : "");
}

static int freeze(const char *cgroup)
{
	char path[PATH_MAX];

	path_of(cgroup, path);
	return cgroup_freeze(path);
}

static int thaw(const char *cgroup)
{
	char path[PATH_MAX];

	path_of(cgroup, path);
	return cgroup_thaw(path);
}

static bool add_calls(struct commands *cs, const struct config *c,
		      const char *verb, commands_call_fn *call,
		      const struct words *cgroups)
{
	bool ok = true;

	for (size_t i = 0; ok && i < cgroups->count; i++) {
		char name[PATH_MAX];

		snprintf(name, sizeof(name), "%s %s", verb, cgroups->word[i]);
		ok = commands_add_call(cs, c->hook_timeout, name, call,
				       cgroups->word[i]);
	}
	return ok;
}

static bool find_cgroups(const struct work *w, const struct words *units,
			 struct words *cgroups)
{
	char why[256];

	if (w->backend->find_cgroups(units, cgroups, why, sizeof(why)))
		return true;
	log_error("%s", why);
	return false;
}

/* All that was frozen, even under an older configuration. An older overseer left names of units. */
static bool recall_cgroups(const struct work *w, struct words *cgroups)
{
	struct words left = { .word = NULL }, units = { .word = NULL };
	bool ok = freezing_recall(&left);

	for (size_t i = 0; ok && i < left.count; i++)
		ok = words_add(*left.word[i] == '/' ? cgroups : &units,
			       left.word[i]);
	ok = ok && (!units.count || find_cgroups(w, &units, cgroups));
	words_free(&left);
	words_free(&units);
	return ok;
}

static bool add_thaw(const struct work *w, const struct config *c,
		     struct commands *cs)
{
	struct words cgroups = { .word = NULL };
	const bool ok = recall_cgroups(w, &cgroups) &&
			add_calls(cs, c, "thaw", thaw, &cgroups);

	words_free(&cgroups);
	return ok;
}

bool work_adjust(struct work *w, const struct config *c,
		 const struct situation *s, commands_done_fn *done, void *user)
{
	struct commands *cs = commands_new();
	const bool ok = cs && add_end_of_hooks(w, c, cs) &&
			commands_add_folder(cs, w->backend, c->hook_timeout,
					    HOOKS "/adjust.d", s) &&
			add_thaw(w, c, cs);

	return run_if(w, cs, ok, done, user);
}

bool work_thaw(struct work *w, const struct config *c, commands_done_fn *done,
	       void *user)
{
	struct commands *cs = commands_new();
	const bool ok = cs && add_end_of_hooks(w, c, cs) && add_thaw(w, c, cs);

	return run_if(w, cs, ok, done, user);
}

bool work_freeze(struct work *w, const struct config *c, commands_done_fn *done,
		 void *user)
{
	struct words cgroups = { .word = NULL };
	struct commands *cs = commands_new();
	const bool ok = cs && find_cgroups(w, &c->freeze, &cgroups) &&
			freezing_remember(&cgroups) &&
			add_calls(cs, c, "freeze", freeze, &cgroups);

	words_free(&cgroups);
	return run_if(w, cs, ok, done, user);
}

struct commands *work_quiesce(const struct work *w, const struct config *c,
			      const struct situation *s)
{
	struct commands *cs = commands_new();

	if (cs && commands_add_folder(cs, w->backend, c->hook_timeout,
				      HOOKS "/quiesce.d", s))
		return cs;
	commands_cancel(cs);
	return NULL;
}
