/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_ARGUMENTS_H
#define CONTAINERS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

/* A bit for each command of crun and runc. */
enum command {
	COMMAND_CREATE = 1 << 0,
	COMMAND_START = 1 << 1,
	COMMAND_STATE = 1 << 2,
	COMMAND_KILL = 1 << 3,
	COMMAND_DELETE = 1 << 4,
	COMMAND_EXEC = 1 << 5,
	COMMAND_PAUSE = 1 << 6,
	COMMAND_RESUME = 1 << 7,
	COMMAND_UPDATE = 1 << 8,
	COMMAND_PS = 1 << 9,
	COMMAND_EVENTS = 1 << 10,
	COMMAND_LIST = 1 << 11,
	COMMAND_CHECKPOINT = 1 << 12,
	COMMAND_RESTORE = 1 << 13,
	COMMAND_RUN = 1 << 14,
	COMMAND_FEATURES = 1 << 15,
	COMMAND_SPEC = 1 << 16,
	/* --version and --help, without a command. */
	COMMAND_NONE = 1 << 17,
};

#define ARGUMENTS_OPTIONS_MAX 256

struct argument {
	const struct option_entry *option;
	const char *value;
};

/*
 * @words: what follows the options, without the id for a command that has one.
 */
struct arguments {
	enum command command;
	const char *name;
	const char *id;
	struct argument options[ARGUMENTS_OPTIONS_MAX];
	size_t count;
	char **words;
	size_t words_count;
};

/* NULL, or what is wrong with the command line, in @why. */
const char *arguments_parse(struct arguments *a, int argc, char **argv,
			    char *why, size_t size);
bool arguments_has(const struct arguments *a, const char *option);
/* The last one counts, as in both runtimes. */
const char *arguments_value(const struct arguments *a, const char *option);
/* Replaces the option, or adds it. @value NULL: takes it away. */
bool arguments_set(struct arguments *a, const char *option, const char *value);
/*
 * The command line for @runtime, options in the places where both crun and runc
 * read them. NULL: no memory. To be freed, without what it points to.
 */
char **arguments_build(const struct arguments *a, const char *runtime);
/* The same runtime, told something else: what stands before the command, then @words. */
char **arguments_other(const struct arguments *a, const char *runtime,
		       const char *const words[]);

#endif /* CONTAINERS_ARGUMENTS_H */
