// SPDX-License-Identifier: MIT
/* Errors as engines read them: the last line of stderr, and of the log. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "errors.h"

static const char *const names[] = {
	[ERROR_NOT_READY] = "not-ready",   [ERROR_DENIED] = "denied",
	[ERROR_STALE] = "stale",	   [ERROR_EXISTS] = "exists",
	[ERROR_NOT_FOUND] = "not-found",   [ERROR_BAD_STATE] = "bad-state",
	[ERROR_BAD_POLICY] = "bad-policy", [ERROR_BAD_REQUEST] = "bad-request",
	[ERROR_FAILED] = "failed",
};

static const char *log_path;
static bool log_json;

void errors_log(const char *log, bool json)
{
	log_path = log;
	log_json = json;
}

static void one_line(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c >= 0x7f)
			*c = '?';
	}
}

static void write_log(const char *text)
{
	struct json_object *o;
	char now[40];
	time_t seconds = time(NULL);
	struct tm tm;
	int fd = open(log_path,
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
			      O_NONBLOCK,
		      0600);

	if (fd < 0) {
		dprintf(STDERR_FILENO, "sysgenid-runtime: %s: %s\n", log_path,
			strerror(errno));
		return;
	}
	if (log_json) {
		gmtime_r(&seconds, &tm);
		strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm);
		o = json_object_new_object();
		json_object_object_add(o, "level",
				       json_object_new_string("error"));
		json_object_object_add(o, "msg", json_object_new_string(text));
		json_object_object_add(o, "time", json_object_new_string(now));
		dprintf(fd, "%s\n",
			json_object_to_json_string_ext(
				o, JSON_C_TO_STRING_PLAIN |
					   JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(o);
	} else {
		dprintf(fd, "%s\n", text);
	}
	close(fd);
}

int fail(enum error error, const char *format, ...)
{
	/* In JSON, what one_line() leaves takes at most two characters. */
	char text[ERROR_LINE_MAX - 128], said[ERROR_LINE_MAX / 2 - 64];
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	snprintf(text, sizeof(text), "sysgenid-runtime: %s: %s", names[error],
		 said);
	one_line(text);
	if (log_path)
		write_log(text);
	dprintf(STDERR_FILENO, "%s\n", text);
	return 1;
}
