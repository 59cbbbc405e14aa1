// SPDX-License-Identifier: MIT
/*
 * Why SIGTERM came. A service gets the same signal from "systemctl stop", at a
 * shutdown, with a unit that it depends on, and from kill(1). Only the first one
 * may open the gate; what cannot be told apart may not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "systemd.h"

struct job {
	const char *unit, *type, *unit_path;
};

/* 1, 0 after the last one, or -errno. */
static int next_job(sd_bus_message *jobs, struct job *job)
{
	const char *state, *path;
	unsigned int id;

	return sd_bus_message_read(jobs, "(usssoo)", &id, &job->unit,
				   &job->type, &state, &path, &job->unit_path);
}

/* The same as next_job(). */
static int find_job(sd_bus_message *jobs, const char *unit, struct job *job)
{
	int r = sd_bus_message_rewind(jobs, false);

	if (r < 0)
		return r;
	do {
		r = next_job(jobs, job);
	} while (r > 0 && strcmp(job->unit, unit));
	return r;
}

/* 1, 0 or -errno: systemd has finished with that unit, and it runs. */
static int is_active(sd_bus *bus, const char *unit)
{
	char *path = NULL, *state = NULL;
	int r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);

	if (r >= 0)
		r = sd_bus_get_property_string(bus, SYSTEMD, path,
					       SYSTEMD_UNITS, "ActiveState",
					       NULL, &state);
	if (r >= 0)
		r = !strcmp(state, "active") || !strcmp(state, "reloading");
	free(path);
	free(state);
	return r;
}

/* The dependencies by which another unit stops this one: as it ends, or starts. */
static const struct dependency {
	const char *name;
	bool starts;
} dependencies[] = {
	{ "Requires", false },
	{ "Requisite", false },
	{ "BindsTo", false },
	{ "PartOf", false },
	{ "StopPropagatedFrom", false },
	{ "Conflicts", true },
	{ "ConflictedBy", true },
};

/*
 * 1 and the name: one of these units has a job, or has done what stops ours
 * already; 0 or -errno.
 */
static int find_cause_of(sd_bus *bus, sd_bus_message *jobs, const char *path,
			 const struct dependency *d, char *name, size_t size)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *units = NULL;
	const char *unit;
	struct job job;
	int found = 0,
	    r = sd_bus_get_property(bus, SYSTEMD, path, SYSTEMD_UNITS, d->name,
				    &error, &units, "as");

	/* An older systemd does not have this kind of dependency. */
	if (sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_PROPERTY))
		r = 0;
	else if (r >= 0)
		r = sd_bus_message_enter_container(units, 'a', "s");
	while (r > 0 && !found &&
	       (r = sd_bus_message_read(units, "s", &unit)) > 0) {
		found = find_job(jobs, unit, &job);
		if (!found) {
			int active = is_active(bus, unit);

			found = active < 0 ? active : active == d->starts;
		}
		if (found > 0)
			snprintf(name, size, "%s", unit);
	}
	sd_bus_error_free(&error);
	sd_bus_message_unref(units);
	return r < 0 ? r : found;
}

static int find_cause(sd_bus *bus, sd_bus_message *jobs, const char *path,
		      char *name, size_t size)
{
	const size_t count = sizeof(dependencies) / sizeof(dependencies[0]);
	int r = 0;

	for (size_t i = 0; !r && i < count; i++)
		r = find_cause_of(bus, jobs, path, &dependencies[i], name,
				  size);
	return r;
}

/* 1: it is requested; 0 and @why; or -errno. */
static int look(sd_bus *bus, sd_bus_message *jobs, char *why, size_t size)
{
	struct job ours;
	char name[256], *state = NULL;
	int r = find_job(jobs, SYSTEMD_UNIT, &ours);

	if (r < 0)
		return r;
	if (!r || strcmp(ours.type, "stop")) {
		snprintf(why, size, "systemd has no stop job for this unit");
		return 0;
	}
	r = sd_bus_get_property_string(bus, SYSTEMD, SYSTEMD_PATH,
				       SYSTEMD_MANAGER, "SystemState", NULL,
				       &state);
	if (r < 0)
		return r;
	if (!strcmp(state, "stopping")) {
		snprintf(why, size, "the machine is shutting down");
		free(state);
		return 0;
	}
	free(state);
	r = find_cause(bus, jobs, ours.unit_path, name, sizeof(name));
	if (r > 0)
		snprintf(why, size, "it is stopped because of %s", name);
	return r < 0 ? r : !r;
}

bool systemd_stop_is_requested(char *why, size_t size)
{
	sd_bus_message *jobs = NULL;
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, SYSTEMD_LIMIT);
	if (r >= 0)
		r = sd_bus_call_method(bus, SYSTEMD, SYSTEMD_PATH,
				       SYSTEMD_MANAGER, "ListJobs", NULL, &jobs,
				       NULL);
	if (r >= 0)
		r = sd_bus_message_enter_container(jobs, 'a', "(usssoo)");
	if (r >= 0)
		r = look(bus, jobs, why, size);
	if (r < 0)
		snprintf(why, size, "systemd does not say why: %s",
			 strerror(-r));
	sd_bus_message_unref(jobs);
	sd_bus_close_unref(bus);
	return r > 0;
}
