// SPDX-License-Identifier: MIT
/*
 * A hook needs rights that the overseer does without, so systemd runs it, as a unit
 * of its own that ends with the overseer's.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "backend.h"
#include "commands.h"
#include "systemd.h"

#define SECOND 1000000ull
/* For systemd, to end what was not done in time. */
#define GRACE (10 * SECOND)

/* The number makes the name of each unit a new one: the last may still be there. */
static bool add_hook(struct commands *cs, uint64_t timeout, const char *path,
		     const char *name, const struct situation *s)
{
	static unsigned int number;
	char unit[NAME_MAX + 64], limit[64];
	char generation[64], state[64];
	const char *const argv[] = {
		"systemd-run", "--quiet", "--pipe", "--wait", "--collect",
		"--service-type=exec", unit, limit,
		/* Its processes get as long after SIGTERM. */
		"--property=TimeoutStopSec=2",
		"--property=BindsTo=" SYSTEMD_UNIT,
		"--property=After=" SYSTEMD_UNIT, generation, state, "--", path,
		NULL
	};
	const struct command_options o = { .name = path,
					   .patience = timeout + GRACE };

	snprintf(unit, sizeof(unit), "--unit=" SYSTEMD_HOOK "%s-%d-%u", name,
		 getpid(), number++);
	snprintf(limit, sizeof(limit), "--property=RuntimeMaxSec=%" PRIu64,
		 (uint64_t)(timeout / SECOND));
	snprintf(generation, sizeof(generation),
		 "--setenv=SYSGENID_GENERATION=%" PRIu32, s->generation);
	snprintf(state, sizeof(state), "--setenv=SYSGENID_STATE=%s",
		 state_name(s->state));
	return commands_add_with(cs, timeout, argv, &o);
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
