// SPDX-License-Identifier: MIT
/*
 * Which processes stop with a unit. A unit has other names, and a slice holds
 * units, so systemd is asked for the processes and not for names. Processes move:
 * what was safe when the configuration was read may not be so later.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "systemd.h"

/* 1 if there is one; 0 at the end; or -errno. */
static int next_process(sd_bus_message *processes, pid_t *pid)
{
	const char *cgroup, *command;
	uint32_t found;
	int r = sd_bus_message_read(processes, "(sus)", &cgroup, &found,
				    &command);

	*pid = (pid_t)found;
	return r;
}

/* NULL for a unit that does not run. 0 or -errno. */
static int list_processes(sd_bus *bus, const char *unit,
			  sd_bus_message **processes)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	*processes = NULL;
	/* Under any of its names. */
	r = sd_bus_call_method(bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
			       "LoadUnit", NULL, NULL, "s", unit);
	if (r >= 0)
		r = sd_bus_call_method(bus, SYSTEMD, SYSTEMD_PATH,
				       SYSTEMD_MANAGER, "GetUnitProcesses",
				       &error, processes, "s", unit);
	if (sd_bus_error_has_name(&error, SYSTEMD ".NoSuchUnit"))
		r = 0;
	else if (r >= 0)
		r = sd_bus_message_enter_container(*processes, 'a', "(sus)");
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

/* 1, 0 or -errno. */
static int has_process(sd_bus_message *processes, pid_t wanted)
{
	pid_t pid;
	int r;

	if (!processes)
		return 0;
	r = sd_bus_message_rewind(processes, false);
	while (r >= 0 && (r = next_process(processes, &pid)) > 0) {
		if (pid == wanted)
			return 1;
	}
	return r;
}

/* The same, for any process of a unit. */
static int has_process_of(sd_bus *bus, sd_bus_message *processes,
			  const char *unit)
{
	sd_bus_message *needed = NULL;
	pid_t pid;
	int found = 0, r = list_processes(bus, unit, &needed);

	while (r >= 0 && needed && !found &&
	       (r = next_process(needed, &pid)) > 0) {
		found = has_process(processes, pid);
		if (found < 0)
			r = found;
	}
	sd_bus_message_unref(needed);
	return r < 0 ? r : found;
}

/* Of units that may have several processes. */
static const struct {
	const char *unit, *what;
} needed[] = {
	{ SYSTEMD_UNIT, "the overseer runs in it" },
	{ "dbus.service",
	  "the message bus runs in it, which the overseer needs to thaw" },
	{ "systemd-journald.service",
	  "the journal runs in it, which the overseer writes to" },
};

/* What one of these processes would do in the unit; NULL: nothing is needed. */
static int find_needed(sd_bus *bus, sd_bus_message *processes, pid_t client,
		       const char **what)
{
	int r = has_process(processes, getpid());

	*what = "the overseer runs in it";
	if (r)
		return r;
	r = has_process(processes, 1);
	*what = "systemd itself runs in it";
	for (size_t i = 0; !r && i < sizeof(needed) / sizeof(needed[0]); i++) {
		r = has_process_of(bus, processes, needed[i].unit);
		*what = needed[i].what;
	}
	if (r || !client)
		return r;
	*what = "the program that asks runs in it, and would never see the answer";
	return has_process(processes, client);
}

static bool has_only_units(const struct words *units, const char *key,
			   char *why, size_t size)
{
	for (size_t i = 0; i < units->count; i++) {
		if (*units->word[i] != '/')
			continue;
		snprintf(why, size, "%s: %s: where systemd runs, name the unit",
			 key, units->word[i]);
		return false;
	}
	return true;
}

int systemd_freezing_is_safe(const struct words *units, pid_t client, char *why,
			     size_t size)
{
	sd_bus *bus = NULL;
	const char *what;
	int r, found = 0;

	if (!units->count)
		return 1;
	if (!has_only_units(units, "freeze", why, size))
		return 0;
	r = sd_bus_open_system(&bus);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, SYSTEMD_LIMIT);
	for (size_t i = 0; r >= 0 && !found && i < units->count; i++) {
		sd_bus_message *processes;

		r = list_processes(bus, units->word[i], &processes);
		if (r >= 0)
			found = r = find_needed(bus, processes, client, &what);
		if (r > 0)
			snprintf(why, size, "freeze: %s cannot be frozen: %s",
				 units->word[i], what);
		sd_bus_message_unref(processes);
	}
	if (r < 0)
		snprintf(
			why, size,
			"freeze: systemd does not say what runs in these units: %s",
			strerror(-r));
	sd_bus_close_unref(bus);
	return r < 0 ? r : !found;
}

/* As org.freedesktop.systemd1.Service; of a name with a suffix, which the configuration asks for. */
static void find_interface(const char *unit, char *interface, size_t size)
{
	const char *suffix = strrchr(unit, '.');

	suffix = suffix ? suffix + 1 : "";
	snprintf(interface, size, SYSTEMD ".%c%s", toupper(*suffix),
		 *suffix ? suffix + 1 : "");
}

/* To be freed; empty for a unit that does not run. 0 or -errno. */
static int find_cgroup(sd_bus *bus, const char *unit, char **cgroup)
{
	sd_bus_message *answer = NULL;
	const char *object;
	char interface[64];
	int r;

	find_interface(unit, interface, sizeof(interface));
	r = sd_bus_call_method(bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
			       "LoadUnit", NULL, &answer, "s", unit);
	if (r >= 0)
		r = sd_bus_message_read(answer, "o", &object);
	if (r >= 0)
		r = sd_bus_get_property_string(bus, SYSTEMD, object, interface,
					       "ControlGroup", NULL, cgroup);
	sd_bus_message_unref(answer);
	return r < 0 ? r : 0;
}

bool systemd_find_cgroups(const struct words *units, struct words *cgroups,
			  char *why, size_t size)
{
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);
	bool ok = true;

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, SYSTEMD_LIMIT);
	for (size_t i = 0; r >= 0 && ok && i < units->count; i++) {
		char *cgroup = NULL;

		r = find_cgroup(bus, units->word[i], &cgroup);
		ok = r >= 0 && *cgroup == '/';
		if (r >= 0 && !ok)
			snprintf(why, size, "freeze: %s does not run",
				 units->word[i]);
		else if (ok && !words_add(cgroups, cgroup))
			r = -ENOMEM;
		free(cgroup);
	}
	if (r < 0)
		snprintf(why, size,
			 "freeze: systemd does not say where the units are: %s",
			 strerror(-r));
	sd_bus_close_unref(bus);
	return r >= 0 && ok;
}

/* 0 or -errno; a unit that does not run has none. */
static int add_cgroup(sd_bus *bus, const char *unit, struct words *cgroups)
{
	char *cgroup = NULL;
	int r = find_cgroup(bus, unit, &cgroup);

	if (r >= 0 && *cgroup == '/' && !words_add(cgroups, cgroup))
		r = -ENOMEM;
	free(cgroup);
	return r;
}

/* The overseer and systemd are spared as processes. */
int systemd_find_exempt(const struct words *units, struct words *cgroups,
			char *why, size_t size)
{
	sd_bus *bus = NULL;
	int r;

	if (!has_only_units(units, "freeze-except", why, size))
		return 0;
	r = sd_bus_open_system(&bus);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, SYSTEMD_LIMIT);
	for (size_t i = 0; r >= 0 && i < sizeof(needed) / sizeof(needed[0]);
	     i++)
		r = add_cgroup(bus, needed[i].unit, cgroups);
	for (size_t i = 0; r >= 0 && i < units->count; i++)
		r = add_cgroup(bus, units->word[i], cgroups);
	if (r < 0)
		snprintf(
			why, size,
			"freeze = all: systemd does not say where the units are that go on: %s",
			strerror(-r));
	sd_bus_close_unref(bus);
	return r < 0 ? r : 1;
}
