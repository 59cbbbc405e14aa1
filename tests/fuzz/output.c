// SPDX-License-Identifier: MIT
/* What sysgenidctl prints of malformed answers of a kernel: JSON is JSON, and text upsets no terminal. */
#define _GNU_SOURCE
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "../../tools/sysgenidctl.h"
#include "../unit/fake.h"
#include "fuzz.h"

static const char *space(const char *s)
{
	while (*s == ' ' || *s == '\n')
		s++;
	return s;
}

/* What follows the value, or NULL if it is none. */
static const char *value(const char *s);

static const char *string(const char *s)
{
	if (*s++ != '"')
		return NULL;
	for (; *s != '"'; s++) {
		if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
			return NULL;
		if (*s != '\\')
			continue;
		s++;
		if (*s == 'u') {
			for (int i = 0; i < 4; i++)
				if (!isxdigit((unsigned char)*++s))
					return NULL;
		} else if (*s != '"' && *s != '\\') {
			return NULL;
		}
	}
	return s + 1;
}

static const char *members(const char *s, char end, bool named)
{
	s = space(s);
	if (*s == end)
		return s + 1;
	for (;;) {
		if (named) {
			s = string(space(s));
			if (!s || *s++ != ':')
				return NULL;
		}
		s = value(s);
		if (!s)
			return NULL;
		s = space(s);
		if (*s == end)
			return s + 1;
		if (*s++ != ',')
			return NULL;
	}
}

static const char *value(const char *s)
{
	static const char *const words[] = { "true", "false", "null" };

	s = space(s);
	if (*s == '{')
		return members(s + 1, '}', true);
	if (*s == '[')
		return members(s + 1, ']', false);
	if (*s == '"')
		return string(s);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(s, words[i], strlen(words[i])))
			return s + strlen(words[i]);
	if (*s == '-')
		s++;
	if (!isdigit((unsigned char)*s))
		return NULL;
	while (isdigit((unsigned char)*s))
		s++;
	return s;
}

/* Commands print a value a line. */
static void check_json(const char *s)
{
	while (*(s = space(s))) {
		s = value(s);
		MUST(s);
	}
}

static void check_text(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		MUST(s[i] == '\n' || (s[i] >= 0x20 && s[i] < 0x7f));
}

struct command {
	int (*run)(int argc, char **argv);
	const char *words[4];
	bool json;
};

static const struct command commands[] = {
	{ cmd_get, { "get", "--json" }, true },
	{ cmd_get, { "get", "--verbose" }, false },
	{ cmd_watchers, { "watchers", "--json" }, true },
	{ cmd_watchers, { "watchers" }, false },
	{ cmd_watchers, { "watchers", "--json", "--outdated" }, true },
	{ cmd_wait, { "wait", "--json", "--timeout=1" }, true },
	{ cmd_watch, { "watch", "--json", "--count=2" }, true },
	{ cmd_trigger, { "trigger", "--json" }, true },
	{ cmd_trigger, { "trigger", "--expected=5" }, false },
};

/* Standard output and error are memory while the command runs. */
static int run(const struct command *c, char **out, size_t *len)
{
	FILE *saved_out = stdout, *saved_err = stderr;
	char *words[5] = { NULL }, *err = NULL;
	int argc = 0, code;
	size_t err_len = 0;

	for (; argc < 4 && c->words[argc]; argc++)
		words[argc] = (char *)(uintptr_t)c->words[argc];
	optind = 0;
	stdout = open_memstream(out, len);
	stderr = open_memstream(&err, &err_len);
	MUST(stdout && stderr);
	code = c->run(argc, words);
	fclose(stdout);
	fclose(stderr);
	stdout = saved_out;
	stderr = saved_err;
	check_text(err, err_len);
	free(err);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct command *c;
	char *out = NULL;
	size_t len = 0;
	int code;

	input_begin(data, size);
	c = &commands[input_byte() % ARRAY_SIZE(commands)];
	kernel_begin();
	code = run(c, &out, &len);
	kernel_end();
	MUST(code >= DONE && code <= TIMED_OUT);
	check_text(out, len);
	if (c->json)
		check_json(out);
	free(out);
	return 0;
}
