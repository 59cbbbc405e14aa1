/* SPDX-License-Identifier: MIT */
#ifndef SYSTEMD_H
#define SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "backend.h"
#include "config.h"
#include "loop.h"

#define SYSTEMD_UNIT "sysgenid-overseer.service"
/* How the units of hooks begin. */
#define SYSTEMD_HOOK "sysgenid-hook-"

#define SYSTEMD		"org.freedesktop.systemd1"
#define SYSTEMD_PATH	"/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD ".Manager"
#define SYSTEMD_UNITS	SYSTEMD ".Unit"

/* Microseconds: the last SIGTERM of a shutdown comes when nobody answers any more. */
#define SYSTEMD_LIMIT 5000000ull

/* The functions of the backend with these names; see backend.h. */
int systemd_freezing_is_safe(const struct words *units, pid_t client, char *why,
			     size_t size);
int systemd_find_exempt(const struct words *units, struct words *cgroups,
			char *why, size_t size);
bool systemd_find_cgroups(const struct words *units, struct words *cgroups,
			  char *why, size_t size);
bool systemd_stop_is_requested(char *why, size_t size);
struct restarts *systemd_restart(struct loop *loop, const struct words *units,
				 uint64_t limit, restarts_done_fn *done,
				 void *user);
void systemd_restart_cancel(struct restarts *r);

/*
 * sysgenid-ready.target: active while the machine is ready. Asks systemd, in the
 * order of the calls, until it has agreed. Waits for nothing but the answer to a
 * first stop.
 */
struct target *systemd_target_new(struct loop *loop);
void systemd_target_free(struct target *t);
void systemd_target_set(struct target *t, bool ready);

#endif /* SYSTEMD_H */
