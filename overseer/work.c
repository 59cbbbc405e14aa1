// SPDX-License-Identifier: MIT
/* No program is started to freeze and thaw: a clone is thawed before anything else may run. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "containers.h"
#include "freeze-all.h"
#include "freezing.h"
#include "log.h"
#include "queues.h"
#include "wiping.h"
#include "work.h"

/* A queue that is not empty by then is stuck: nothing is sent any more. */
#define QUEUES_LIMIT 5000000ull

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

static int freeze(char *const cgroup[], char *why, size_t size)
{
	char path[PATH_MAX];

	(void)why;
	(void)size;
	path_of(*cgroup, path);
	return cgroup_freeze(path);
}

static int thaw(char *const cgroup[], char *why, size_t size)
{
	char path[PATH_MAX];
	int r;

	(void)why;
	(void)size;
	path_of(*cgroup, path);
	r = cgroup_thaw(path);
	return r > 0 ? freeze_all_move_back(*cgroup) : r;
}

static bool add_calls(struct commands *cs, const struct config *c,
		      const char *verb, commands_call_fn *call,
		      const struct words *cgroups)
{
	bool ok = true;

	for (size_t i = 0; ok && i < cgroups->count; i++) {
		const char *const words[] = { cgroups->word[i], NULL };
		char name[PATH_MAX];

		snprintf(name, sizeof(name), "%s %s", verb, cgroups->word[i]);
		ok = commands_add_call(cs, c->hook_timeout, name, call, words);
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
		 const struct situation *s, char *const environment[],
		 commands_done_fn *done, void *user)
{
	struct commands *cs = commands_new();
	const bool ok = cs && add_end_of_hooks(w, c, cs) &&
			commands_add_folder(cs, w->backend, c->hook_timeout,
					    HOOKS "/adjust.d", s,
					    environment) &&
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

static bool add_call_with(struct commands *cs, uint64_t timeout,
			  const char *name, commands_call_fn *call,
			  const struct words *words)
{
	char **all = words_list(words);
	const bool ok = all && commands_add_call(cs, timeout, name, call,
						 (const char *const *)all);

	free(all);
	return ok;
}

static bool add_freeze_all(const struct work *w, const struct config *c,
			   struct commands *cs)
{
	struct words exempt = { .word = NULL };
	char why[256] = "";
	bool ok = w->backend->find_exempt(&c->freeze_except, &exempt, why,
					  sizeof(why)) > 0;

	if (!ok)
		log_error("%s", why);
	ok = ok && add_call_with(cs, c->hook_timeout, "freeze all", freeze_all,
				 &exempt);
	words_free(&exempt);
	return ok;
}

static bool add_freeze(const struct work *w, const struct config *c,
		       struct commands *cs)
{
	struct words cgroups = { .word = NULL }, none = { .word = NULL };
	bool ok;

	if (c->freeze_all)
		return add_freeze_all(w, c, cs);
	ok = !c->freeze.count || (find_cgroups(w, &c->freeze, &cgroups) &&
				  freezing_remember(&cgroups) &&
				  add_calls(cs, c, "freeze", freeze, &cgroups));
	words_free(&cgroups);
	return ok && (!c->freeze_containers ||
		      add_call_with(cs, c->hook_timeout, "freeze containers",
				    containers_freeze, &none));
}

/* Of what is frozen by then. */
static bool add_list(const struct work *w, const struct config *c,
		     struct commands *cs)
{
	struct words cgroups = { .word = NULL };
	const bool ok = !c->wipe.count ||
			(find_cgroups(w, &c->wipe, &cgroups) &&
			 add_call_with(cs, c->hook_timeout, "list pages",
				       wiping_list, &cgroups));

	words_free(&cgroups);
	return ok;
}

/* Without a gate the machine goes on sending. */
static bool add_queues(const struct config *c, struct commands *cs)
{
	return c->gate == GATE_NONE ||
	       add_call_with(cs, QUEUES_LIMIT, "transmit queues",
			     queues_are_empty, &c->except_interfaces);
}

bool work_rest(struct work *w, const struct config *c, commands_done_fn *done,
	       void *user)
{
	struct commands *cs = commands_new();
	const bool ok = cs && add_freeze(w, c, cs) && add_list(w, c, cs) &&
			add_queues(c, cs);

	return run_if(w, cs, ok, done, user);
}

/* Of the process that asks: 1, 0 and @why, or -errno and @why. */
static int goes_on(pid_t client, const struct words *exempt, char *why,
		   size_t size)
{
	char **all = words_list(exempt);
	const int r = all ? freeze_all_reaches(client, all) : -ENOMEM;

	free(all);
	if (r < 0)
		snprintf(
			why, size,
			"freeze = all: it is not known where process %d is: %s",
			client, strerror(-r));
	else if (r)
		snprintf(
			why, size,
			"freeze = all: the program that asks, process %d, would be frozen, and never see the answer: name its unit or cgroup in freeze-except",
			client);
	return r < 0 ? r : !r;
}

static int may_freeze_all(const struct backend *backend, const struct config *c,
			  pid_t client, char *why, size_t size)
{
	struct words exempt = { .word = NULL };
	int r = backend->find_exempt(&c->freeze_except, &exempt, why, size);

	if (r > 0 && client)
		r = goes_on(client, &exempt, why, size);
	words_free(&exempt);
	return r;
}

int work_may_freeze(const struct backend *backend, const struct config *c,
		    pid_t client, char *why, size_t size)
{
	int r;

	if (c->freeze_all)
		return may_freeze_all(backend, c, client, why, size);
	r = backend->freezing_is_safe(&c->freeze, client, why, size);
	return r > 0 && c->freeze_containers ?
		       containers_freezing_is_safe(client, why, size) :
		       r;
}

struct commands *work_quiesce(const struct work *w, const struct config *c,
			      const struct situation *s)
{
	struct commands *cs = commands_new();

	if (cs && commands_add_folder(cs, w->backend, c->hook_timeout,
				      HOOKS "/quiesce.d", s, NULL))
		return cs;
	commands_cancel(cs);
	return NULL;
}
