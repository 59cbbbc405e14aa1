// SPDX-License-Identifier: MIT
/* /etc/sysgenid/runtime.conf: an INI file with one section, read by libinih. */
#define _GNU_SOURCE
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"

#define WAIT_MAX 3600
#define KEYS	 6

struct reading {
	struct settings *s;
	FILE *file;
	int lines;
	/* By key: the line that gives it; 0: none does. */
	int given[KEYS];
	/* Why the first bad line is bad. */
	char why[256];
};

static const char *set_runtime(struct settings *s, const char *value)
{
	static const char *const directories[] = { "/usr/bin", "/usr/sbin",
						   "/usr/local/bin",
						   "/usr/local/sbin" };

	if (*value == '/') {
		if (strlen(value) >= sizeof(s->runtime))
			return "a path that long is none";
		strcpy(s->runtime, value);
		return NULL;
	}
	if (strcmp(value, "crun") && strcmp(value, "runc"))
		return "crun, runc or a path";
	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories);
	     i++) {
		snprintf(s->runtime, sizeof(s->runtime), "%s/%s",
			 directories[i], value);
		if (!access(s->runtime, X_OK))
			break;
	}
	return NULL;
}

static const char *set_either(bool *to, const char *value, const char *yes,
			      const char *no, const char *wrong)
{
	if (strcmp(value, yes) && strcmp(value, no))
		return wrong;
	*to = !strcmp(value, yes);
	return NULL;
}

static const char *set_wait(struct settings *s, const char *value)
{
	size_t len = strspn(value, "0123456789");
	unsigned long n = strtoul(value, NULL, 10);

	if (!len || len > 4 || value[len] || n > WAIT_MAX)
		return "a whole number of seconds from 0 to 3600";
	s->wait = (unsigned int)n;
	return NULL;
}

static const char *set_policy(struct settings *s, const char *value)
{
	return set_either(&s->policy, value, "required", "none",
			  "none or required");
}

static const char *set_gate(struct settings *s, const char *value)
{
	return set_either(&s->overseer, value, "require", "ignore",
			  "require or ignore");
}

static const char *set_device(struct settings *s, const char *value)
{
	return set_either(&s->device, value, "yes", "no", "yes or no");
}

static const char *set_hw_device(struct settings *s, const char *value)
{
	return set_either(&s->hw_device, value, "yes", "no", "yes or no");
}

static const struct {
	const char *name;
	const char *(*set)(struct settings *s, const char *value);
} keys[KEYS] = {
	{ "runtime", set_runtime }, { "policy", set_policy },
	{ "gate", set_gate },	    { "wait", set_wait },
	{ "device", set_device },   { "hw-device", set_hw_device },
};

static const char *set(struct reading *r, const char *key, const char *value)
{
	static char twice[64];
	int i = 0;

	while (i < KEYS && strcmp(keys[i].name, key))
		i++;
	if (i == KEYS)
		return "there is no such key";
	if (r->given[i]) {
		snprintf(twice, sizeof(twice),
			 "line %d has this key already; remove one",
			 r->given[i]);
		return twice;
	}
	r->given[i] = r->lines;
	return keys[i].set(r->s, value);
}

static int take(void *user, const char *section, const char *key,
		const char *value)
{
	struct reading *r = user;
	const char *wrong;

	if (r->why[0])
		return 1;
	wrong = strcmp(section, "runtime") ? "the section is not [runtime]" :
					     set(r, key, value);
	if (!wrong)
		return 1;
	snprintf(r->why, sizeof(r->why), "%s: %s", key, wrong);
	return 0;
}

/* libinih would take the end of a long line, and an indented one, for others. */
static char *read_line(char *line, int size, void *user)
{
	struct reading *r = user;
	char *text = r->why[0] ? NULL : fgets(line, size, r->file);
	size_t len;

	if (!text)
		return NULL;
	r->lines++;
	len = strlen(line);
	if (!len || (line[len - 1] != '\n' && !feof(r->file))) {
		snprintf(r->why, sizeof(r->why),
			 "too long, or with a zero byte");
		return NULL;
	}
	memmove(line, line + strspn(line, " \t"),
		len + 1 - strspn(line, " \t"));
	return line;
}

bool settings_read(struct settings *s, const char *path, char *why, size_t size)
{
	struct reading r = { .s = s };
	int line;

	*s = (struct settings){ .overseer = true, .wait = 30, .device = true };
	set_runtime(s, "crun");
	if (access(s->runtime, X_OK))
		set_runtime(s, "runc");
	r.file = fopen(path, "re");
	if (!r.file) {
		if (errno == ENOENT && !strcmp(path, SETTINGS_PATH))
			return true;
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return false;
	}
	line = ini_parse_stream(read_line, &r, take, &r);
	if (!line && ferror(r.file))
		snprintf(r.why, sizeof(r.why), "it cannot be read");
	fclose(r.file);
	if (!line && !r.why[0])
		return true;
	snprintf(why, size, "%s, line %d: %s", path, line > 0 ? line : r.lines,
		 r.why[0] ? r.why : "neither \"key = value\" nor [runtime]");
	return false;
}

const char *settings_root(const struct settings *s)
{
	const char *name = strrchr(s->runtime, '/');

	return name && strstr(name, "runc") ? "/run/runc" : "/run/crun";
}
