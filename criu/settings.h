/* SPDX-License-Identifier: MIT */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_PATH "/etc/sysgenid/criu.conf"

struct settings {
	bool go_on; /* restore even if nothing could be reseeded or published */
};

/* No file: the defaults. False: why says what is wrong. */
bool settings_read(struct settings *s, const char *path, char *why,
		   size_t size);

#endif /* SETTINGS_H */
