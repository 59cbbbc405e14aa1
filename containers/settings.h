/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_SETTINGS_H
#define CONTAINERS_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#ifndef SETTINGS_PATH
#define SETTINGS_PATH "/etc/sysgenid/runtime.conf"
#endif

/*
 * sysgenid-runtime(8) describes each.
 * @wait: seconds.
 */
struct settings {
	char runtime[PATH_MAX];
	bool policy;
	bool overseer;
	unsigned int wait;
	bool device;
	bool hw_device;
};

/* False: @why says what is wrong. A file that is not there is one with no keys. */
bool settings_read(struct settings *s, const char *path, char *why,
		   size_t size);
/* Where that runtime keeps its containers if nobody says. */
const char *settings_root(const struct settings *s);

#endif /* CONTAINERS_SETTINGS_H */
