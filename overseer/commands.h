/* SPDX-License-Identifier: MIT */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdint.h>

#include "backend.h"
#include "loop.h"
#include "state.h"

/* Programs that are run one after the other, each with a deadline. */
struct commands;

/* @failed: NULL, or one line that says which one failed, and how. */
typedef void commands_done_fn(void *user, const char *failed);

struct commands *commands_new(void);
/* The program and its arguments. False: no memory. */
bool commands_add(struct commands *cs, uint64_t timeout,
		  const char *const argv[]);

struct command_options {
	/* What a person calls it. NULL: the first word. */
	const char *name;
	/* Longer than its timeout where somebody else ends it then; 0: not so. */
	uint64_t patience;
	/* NAME=VALUE, in addition to those of the overseer; ends with NULL. NULL: none. */
	const char *const *environment;
	/* Made for the program, and ends with it; where it cannot be made there is none. NULL: none. */
	const char *cgroup;
};

bool commands_add_with(struct commands *cs, uint64_t timeout,
		       const char *const argv[],
		       const struct command_options *options);

/* 1: done; 0: to be called again; or -errno. @why: what it waits for, or what failed. */
typedef int commands_call_fn(char *const words[], char *why, size_t size);

/* No program: a function, which is called with @words, ending with NULL, until it is done. */
bool commands_add_call(struct commands *cs, uint64_t timeout, const char *name,
		       commands_call_fn *call, const char *const words[]);
/*
 * The executables of a directory, in the order of their names, as run-parts(8)
 * takes them, told of the situation and of @environment. A directory that is not there
 * has none. False after a complaint.
 */
bool commands_add_folder(struct commands *cs, const struct backend *backend,
			 uint64_t timeout, const char *folder,
			 const struct situation *s, char *const environment[]);

/* Stops at the first that fails. Takes @cs over, which is gone when done is called. */
void commands_run(struct commands *cs, struct loop *loop,
		  commands_done_fn *done, void *user);
/* Kills what runs, but what systemd runs; done is not called any more. */
void commands_cancel(struct commands *cs);

#endif /* COMMANDS_H */
