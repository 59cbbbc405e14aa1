// SPDX-License-Identifier: MIT
/*
 * A hook needs rights that the overseer does without, so systemd runs it, as a unit
 * of its own that ends with the overseer's.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend.h"
#include "commands.h"
#include "systemd.h"

#define SECOND 1000000ull
/* For systemd, to end what was not done in time. */
#define GRACE (10 * SECOND)

static bool __attribute__((format(printf, 2, 3)))
add_word(struct words *words, const char *format, ...)
{
	char *word;
	va_list args;
	bool ok;

	va_start(args, format);
	ok = vasprintf(&word, format, args) >= 0;
	va_end(args);
	if (!ok)
		return false;
	ok = words_add(words, word);
	free(word);
	return ok;
}

static bool add_all(struct words *words, const char *const more[])
{
	bool ok = true;

	for (; ok && *more; more++)
		ok = words_add(words, *more);
	return ok;
}

/* The number makes the name of each unit a new one: the last may still be there. */
static bool add_hook(struct commands *cs, uint64_t timeout, const char *path,
		     const char *name, const struct situation *s,
		     char *const environment[])
{
	static unsigned int number;
	static const char *const run[] = {
		"systemd-run", "--quiet", "--pipe", "--wait", "--collect",
		"--service-type=exec",
		/* Its processes get as long after SIGTERM. */
		"--property=TimeoutStopSec=2",
		"--property=BindsTo=" SYSTEMD_UNIT,
		"--property=After=" SYSTEMD_UNIT, NULL
	};
	const struct command_options o = { .name = path,
					   .patience = timeout + GRACE };
	struct words argv = { .word = NULL };
	char **list;
	bool ok = add_all(&argv, run) &&
		  add_word(&argv, "--unit=" SYSTEMD_HOOK "%s-%d-%u", name,
			   getpid(), number++) &&
		  add_word(&argv, "--property=RuntimeMaxSec=%" PRIu64,
			   (uint64_t)(timeout / SECOND)) &&
		  add_word(&argv, "--setenv=SYSGENID_GENERATION=%" PRIu32,
			   s->generation) &&
		  add_word(&argv, "--setenv=SYSGENID_STATE=%s",
			   state_name(s->state));

	for (char *const *e = environment; ok && e && *e; e++)
		ok = add_word(&argv, "--setenv=%s", *e);
	ok = ok && words_add(&argv, "--") && words_add(&argv, path);
	list = ok ? words_list(&argv) : NULL;
	ok = list &&
	     commands_add_with(cs, timeout, (const char *const *)list, &o);
	free(list);
	words_free(&argv);
	return ok;
}

static bool add_end_of_hooks(struct commands *cs, uint64_t timeout)
{
	static const char *const argv[] = { "systemctl", "stop",
					    SYSTEMD_HOOK "*.service", NULL };

	return commands_add(cs, timeout, argv);
}

const struct backend backend_systemd = {
	.name = "systemd",
	.add_hook = add_hook,
	.add_end_of_hooks = add_end_of_hooks,
	.find_cgroups = systemd_find_cgroups,
	.freezing_is_safe = systemd_freezing_is_safe,
	.find_exempt = systemd_find_exempt,
	.stop_is_requested = systemd_stop_is_requested,
	.restart = systemd_restart,
	.restart_cancel = systemd_restart_cancel,
	.target_new = systemd_target_new,
	.target_free = systemd_target_free,
	.target_set = systemd_target_set,
};
