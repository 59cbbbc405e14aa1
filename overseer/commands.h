/* SPDX-License-Identifier: MIT */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "config.h"

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
 * takes them. A folder that is not there has none. False after a complaint.
 */
bool commands_add_folder(struct commands *cs, uint64_t timeout,
			 const char *folder);

/*
 * Stops at the first that fails. @environment: NULL-terminated, replaces
 * variables of the same names. Takes @cs over, which is gone when done is called.
 */
void commands_run(struct commands *cs, sd_event *event,
		  const char *const *environment, commands_done_fn *done,
		  void *user);
/* Kills what runs; done is not called any more. */
void commands_cancel(struct commands *cs);

#endif /* COMMANDS_H */
