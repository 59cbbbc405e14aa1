// SPDX-License-Identifier: MIT
/* /etc/sysgenid/criu.conf: an INI file with one section, read by libinih. */
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "settings.h"

static int take(void *user, const char *section, const char *key,
		const char *value)
{
	struct settings *s = user;

	if (strcmp(section, "criu") || strcmp(key, "without-trigger") ||
	    (strcmp(value, "fail") && strcmp(value, "go-on")))
		return 0;
	s->go_on = !strcmp(value, "go-on");
	return 1;
}

bool settings_read(struct settings *s, const char *path, char *why, size_t size)
{
	FILE *file = fopen(path, "re");
	int line;

	*s = (struct settings){ .go_on = false };
	if (!file) {
		if (errno == ENOENT)
			return true;
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return false;
	}
	line = ini_parse_file(file, take, s);
	if (!line && ferror(file))
		line = -1;
	fclose(file);
	if (!line)
		return true;
	snprintf(
		why, size,
		"%s, line %d: only \"without-trigger = fail\" or \"go-on\", in [criu]",
		path, line);
	return false;
}
