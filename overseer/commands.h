/* SPDX-License-Identifier: MIT */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "config.h"
#include "state.h"

#define COMMANDS_UNIT "sysgenid-overseer.service"
/* How the units of hooks begin. */
#define COMMANDS_HOOK "sysgenid-hook-"

/* Programs that are run one after the other, each with a deadline. */
struct commands;

/* @failed: NULL, or one line that says which one failed, and how. */
typedef void commands_done_fn(void *user, const char *failed);

struct commands *commands_new(void);
/* The program and its arguments. False: no memory. */
bool commands_add(struct commands *cs, uint64_t timeout,
		  const char *const argv[]);
/*
 * The executables of a folder, in the order of their names, as run-parts(8)
 * takes them, told of the situation. A folder that is not there has none. False
 * after a complaint.
 */
bool commands_add_folder(struct commands *cs, uint64_t timeout,
			 const char *folder, const struct situation *s);

/* Stops at the first that fails. Takes @cs over, which is gone when done is called. */
void commands_run(struct commands *cs, sd_event *event, commands_done_fn *done,
		  void *user);
/* Kills what runs, but hooks, which are systemd's; done is not called any more. */
void commands_cancel(struct commands *cs);

#endif /* COMMANDS_H */
