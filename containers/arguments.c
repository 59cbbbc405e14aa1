// SPDX-License-Identifier: MIT
/*
 * The command line of crun and runc. What is not in the tables is refused: an
 * option whose length is a guess would move the place of the id. The runtime
 * gets a command line that is built anew, so that it cannot be read otherwise.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"

#define MAKES (COMMAND_CREATE | COMMAND_RUN | COMMAND_RESTORE)
#define CRIU  (COMMAND_CHECKPOINT | COMMAND_RESTORE)
#define ALL   (~0u)

/*
 * @commands: where it belongs; 0: before the command.
 * @set: arguments_set() may add it.
 */
struct option_entry {
	const char *name;
	char letter;
	bool has_value;
	unsigned int commands;
};

static const struct option_entry entries[] = {
	{ "cgroup-manager", 0, true, 0 },
	{ "criu", 0, true, 0 },
	{ "debug", 0, false, 0 },
	{ "log", 0, true, 0 },
	{ "log-format", 0, true, 0 },
	{ "log-level", 0, true, 0 },
	{ "root", 0, true, 0 },
	{ "rootless", 0, true, 0 },
	{ "systemd-cgroup", 0, false, 0 },
	{ "version", 'v', false, 0 },
	{ "help", 'h', false, 0 },

	{ "bundle", 'b', true, MAKES | COMMAND_SPEC },
	{ "config", 'f', true, COMMAND_CREATE | COMMAND_RUN },
	{ "console-socket", 0, true, MAKES | COMMAND_EXEC },
	{ "no-new-keyring", 0, false, COMMAND_CREATE | COMMAND_RUN },
	{ "no-pivot", 0, false, MAKES },
	{ "no-subreaper", 0, false, MAKES },
	{ "pid-file", 0, true, MAKES | COMMAND_EXEC },
	{ "pidfd-socket", 0, true,
	  COMMAND_CREATE | COMMAND_RUN | COMMAND_EXEC },
	{ "preserve-fds", 0, true,
	  COMMAND_CREATE | COMMAND_RUN | COMMAND_EXEC },
	{ "detach", 'd', false, COMMAND_RUN | COMMAND_RESTORE | COMMAND_EXEC },
	{ "keep", 0, false, COMMAND_RUN },

	{ "all", 'a', false, COMMAND_KILL },
	{ "force", 'f', false, COMMAND_DELETE },

	{ "additional-gids", 'g', true, COMMAND_EXEC },
	{ "apparmor", 0, true, COMMAND_EXEC },
	{ "cap", 'c', true, COMMAND_EXEC },
	{ "cgroup", 0, true, COMMAND_EXEC },
	{ "cwd", 0, true, COMMAND_EXEC },
	{ "env", 'e', true, COMMAND_EXEC },
	{ "ignore-paused", 0, false, COMMAND_EXEC },
	{ "no-new-privs", 0, false, COMMAND_EXEC },
	{ "process", 'p', true, COMMAND_EXEC },
	{ "process-label", 0, true, COMMAND_EXEC },
	{ "tty", 't', false, COMMAND_EXEC },
	{ "user", 'u', true, COMMAND_EXEC },

	{ "format", 'f', true, COMMAND_PS | COMMAND_LIST },
	{ "quiet", 'q', false, COMMAND_LIST },
	{ "interval", 0, true, COMMAND_EVENTS },
	{ "stats", 0, false, COMMAND_EVENTS },

	{ "resources", 'r', true, COMMAND_UPDATE },
	{ "blkio-weight", 0, true, COMMAND_UPDATE },
	{ "cpu-burst", 0, true, COMMAND_UPDATE },
	{ "cpu-idle", 0, true, COMMAND_UPDATE },
	{ "cpu-period", 0, true, COMMAND_UPDATE },
	{ "cpu-quota", 0, true, COMMAND_UPDATE },
	{ "cpu-rt-period", 0, true, COMMAND_UPDATE },
	{ "cpu-rt-runtime", 0, true, COMMAND_UPDATE },
	{ "cpu-share", 0, true, COMMAND_UPDATE },
	{ "cpuset-cpus", 0, true, COMMAND_UPDATE },
	{ "cpuset-mems", 0, true, COMMAND_UPDATE },
	{ "kernel-memory", 0, true, COMMAND_UPDATE },
	{ "kernel-memory-tcp", 0, true, COMMAND_UPDATE },
	{ "l3-cache-schema", 0, true, COMMAND_UPDATE },
	{ "mem-bw-schema", 0, true, COMMAND_UPDATE },
	{ "memory", 0, true, COMMAND_UPDATE },
	{ "memory-reservation", 0, true, COMMAND_UPDATE },
	{ "memory-swap", 0, true, COMMAND_UPDATE },
	{ "pids-limit", 0, true, COMMAND_UPDATE },

	{ "image-path", 0, true, CRIU },
	{ "work-path", 0, true, CRIU },
	{ "parent-path", 0, true, COMMAND_CHECKPOINT },
	{ "leave-running", 0, false, COMMAND_CHECKPOINT },
	{ "tcp-established", 0, false, CRIU },
	{ "tcp-skip-in-flight", 0, false, COMMAND_CHECKPOINT },
	{ "link-remap", 0, false, COMMAND_CHECKPOINT },
	{ "ext-unix-sk", 0, false, CRIU },
	{ "shell-job", 0, false, CRIU },
	{ "lazy-pages", 0, false, CRIU },
	{ "status-fd", 0, true, COMMAND_CHECKPOINT },
	{ "page-server", 0, true, COMMAND_CHECKPOINT },
	{ "file-locks", 0, false, CRIU },
	{ "pre-dump", 0, false, COMMAND_CHECKPOINT },
	{ "manage-cgroups-mode", 0, true, CRIU },
	{ "empty-ns", 0, true, CRIU },
	{ "auto-dedup", 0, false, CRIU },
	{ "lsm-profile", 0, true, COMMAND_RESTORE },
	{ "lsm-mount-context", 0, true, COMMAND_RESTORE },

	{ "rootless", 0, false, COMMAND_SPEC },
};

/* How many words follow the options; the first is the id, if there are any. */
static const struct {
	const char *name;
	enum command command;
	size_t least, most;
} commands[] = {
	{ "create", COMMAND_CREATE, 1, 1 },
	{ "start", COMMAND_START, 1, 1 },
	{ "state", COMMAND_STATE, 1, 1 },
	{ "kill", COMMAND_KILL, 1, 2 },
	{ "delete", COMMAND_DELETE, 1, 1 },
	{ "exec", COMMAND_EXEC, 1, SIZE_MAX },
	{ "pause", COMMAND_PAUSE, 1, 1 },
	{ "resume", COMMAND_RESUME, 1, 1 },
	{ "update", COMMAND_UPDATE, 1, 1 },
	/* runc hands what follows to ps(1), which names files there. */
	{ "ps", COMMAND_PS, 1, 1 },
	{ "events", COMMAND_EVENTS, 1, 1 },
	{ "list", COMMAND_LIST, 0, 0 },
	{ "checkpoint", COMMAND_CHECKPOINT, 1, 1 },
	{ "restore", COMMAND_RESTORE, 1, 1 },
	{ "run", COMMAND_RUN, 1, 1 },
	{ "features", COMMAND_FEATURES, 0, 0 },
	{ "spec", COMMAND_SPEC, 0, 0 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool belongs(const struct option_entry *o, enum command command)
{
	return command == COMMAND_NONE ? !o->commands :
					 o->commands & (unsigned int)command;
}

/* By the name between the dashes and an equal sign, or by the letter. */
static const struct option_entry *find_option(const char *word,
					      enum command command)
{
	bool is_long = word[1] == '-';
	size_t len = is_long ? strcspn(word + 2, "=") : 0;

	for (size_t i = 0; i < COUNT(entries); i++) {
		const struct option_entry *o = &entries[i];

		if (!belongs(o, command))
			continue;
		if (is_long ? strlen(o->name) == len &&
				      !strncmp(o->name, word + 2, len) :
			      o->letter && word[1] == o->letter && !word[2])
			return o;
	}
	return NULL;
}

/* The number of words that the option has, 0 after an error. */
static int take_option(struct arguments *a, int left, char **argv,
		       enum command command, char *why, size_t size)
{
	const struct option_entry *o = find_option(argv[0], command);
	const char *equal = argv[0][1] == '-' ? strchr(argv[0], '=') : NULL;

	if (!o) {
		snprintf(why, size, "unknown option \"%s\"", argv[0]);
		return 0;
	}
	if (a->count == ARGUMENTS_OPTIONS_MAX) {
		snprintf(why, size, "more than %d options",
			 ARGUMENTS_OPTIONS_MAX);
		return 0;
	}
	if (!o->has_value && equal) {
		snprintf(why, size, "the option --%s has no value", o->name);
		return 0;
	}
	if (o->has_value && !equal && left < 2) {
		snprintf(why, size, "the option --%s needs a value", o->name);
		return 0;
	}
	a->options[a->count].option = o;
	a->options[a->count++].value = !o->has_value ? NULL :
				       equal	     ? equal + 1 :
						       argv[1];
	return o->has_value && !equal ? 2 : 1;
}

/* What both runtimes take for an id, and what is a name for a file of ours. */
static bool is_id(const char *id)
{
	size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-");

	return len && len < 256 && !id[len] && *id != '.' && *id != '-';
}

static const char *parse_command(struct arguments *a, int argc, char **argv,
				 char *why, size_t size)
{
	size_t which = 0;
	int at = 1;

	while (which < COUNT(commands) && strcmp(commands[which].name, argv[0]))
		which++;
	if (which == COUNT(commands)) {
		snprintf(why, size, "unknown command \"%s\"", argv[0]);
		return why;
	}
	a->name = commands[which].name;
	a->command = commands[which].command;
	a->words = argv + argc;
	/* Options come behind the id, too, but for exec: there it is its words. */
	while (at < argc) {
		int n = 1;

		if (argv[at][0] == '-' && argv[at][1]) {
			n = take_option(a, argc - at, argv + at, a->command,
					why, size);
			if (!n)
				return why;
		} else if (a->words_count++ == 0) {
			a->words = argv + at;
		} else {
			/* Words stand one behind the other from here on. */
			a->words[a->words_count - 1] = argv[at];
		}
		at += n;
		if (a->command == COMMAND_EXEC && a->words_count == 1) {
			a->words_count += (size_t)(argc - at);
			if (at < argc)
				memmove(a->words + 1, argv + at,
					sizeof(*argv) * (size_t)(argc - at));
			break;
		}
	}
	if (a->words_count < commands[which].least ||
	    a->words_count > commands[which].most) {
		snprintf(why, size, "%s: %zu words are not what it takes",
			 a->name, a->words_count);
		return why;
	}
	if (!commands[which].most)
		return NULL;
	a->id = *a->words++;
	a->words_count--;
	if (is_id(a->id))
		return NULL;
	snprintf(why, size, "\"%s\" is not the id of a container", a->id);
	return why;
}

const char *arguments_parse(struct arguments *a, int argc, char **argv,
			    char *why, size_t size)
{
	int at = 1;

	*a = (struct arguments){ .command = COMMAND_NONE };
	while (at < argc && argv[at][0] == '-' && argv[at][1]) {
		int n = take_option(a, argc - at, argv + at, COMMAND_NONE, why,
				    size);

		if (!n)
			return why;
		at += n;
	}
	if (at < argc)
		return parse_command(a, argc - at, argv + at, why, size);
	if (arguments_has(a, "version") || arguments_has(a, "help"))
		return NULL;
	snprintf(why, size, "no command; see sysgenid-runtime(8)");
	return why;
}

static const struct argument *find(const struct arguments *a,
				   const char *option)
{
	for (size_t i = a->count; i--;) {
		if (!strcmp(a->options[i].option->name, option))
			return &a->options[i];
	}
	return NULL;
}

bool arguments_has(const struct arguments *a, const char *option)
{
	return find(a, option);
}

const char *arguments_value(const struct arguments *a, const char *option)
{
	const struct argument *found = find(a, option);

	return found ? found->value : NULL;
}

bool arguments_set(struct arguments *a, const char *option, const char *value)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->options[i].option->name, option))
			a->options[kept++] = a->options[i];
	}
	a->count = kept;
	if (!value)
		return true;
	for (size_t i = 0; i < COUNT(entries); i++) {
		if (!strcmp(entries[i].name, option) && entries[i].has_value &&
		    (!entries[i].commands ||
		     belongs(&entries[i], a->command)) &&
		    a->count < ARGUMENTS_OPTIONS_MAX) {
			a->options[a->count].option = &entries[i];
			a->options[a->count++].value = value;
			return true;
		}
	}
	return false;
}

/* In two words: argp takes "--tty" alone, and both runtimes take this. */
static size_t add_options(char **to, const struct arguments *a, bool global,
			  char (*dashed)[32])
{
	size_t n = 0;

	for (size_t i = 0; i < a->count; i++) {
		const struct option_entry *o = a->options[i].option;

		if (!o->commands != global)
			continue;
		snprintf(dashed[i], sizeof(dashed[i]), "--%s", o->name);
		to[n++] = dashed[i];
		if (o->has_value)
			to[n++] = (char *)(uintptr_t)a->options[i].value;
	}
	return n;
}

char **arguments_other(const struct arguments *a, const char *runtime,
		       const char *const words[])
{
	struct arguments other = *a;

	other.name = NULL;
	other.id = NULL;
	other.count = 0;
	for (size_t i = 0; i < a->count; i++) {
		if (!a->options[i].option->commands)
			other.options[other.count++] = a->options[i];
	}
	other.words = (char **)(uintptr_t)words;
	other.words_count = 0;
	while (words[other.words_count])
		other.words_count++;
	return arguments_build(&other, runtime);
}

char **arguments_build(const struct arguments *a, const char *runtime)
{
	size_t most = 2 * a->count + a->words_count + 4, n = 0;
	char **argv = malloc(most * sizeof(*argv) + a->count * 32);
	char(*dashed)[32];

	if (!argv)
		return NULL;
	dashed = (char(*)[32])(argv + most);
	argv[n++] = (char *)(uintptr_t)runtime;
	n += add_options(argv + n, a, true, dashed);
	if (a->name)
		argv[n++] = (char *)(uintptr_t)a->name;
	n += add_options(argv + n, a, false, dashed);
	if (a->id)
		argv[n++] = (char *)(uintptr_t)a->id;
	for (size_t i = 0; i < a->words_count; i++)
		argv[n++] = a->words[i];
	argv[n] = NULL;
	return argv;
}
