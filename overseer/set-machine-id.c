// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "replace.h"
#include "set-machine-id.h"

#ifndef MACHINE_ID_FILE
#define MACHINE_ID_FILE "/etc/machine-id"
#endif
#ifndef MACHINE_ID_DBUS
#define MACHINE_ID_DBUS "/var/lib/dbus/machine-id"
#endif

int new_machine_id(char id[MACHINE_ID_SIZE])
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return errno ? -errno : -EIO;
	/* A UUID of version 4. */
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int replace(const char *path, const char *id, char *why, size_t size)
{
	const int r = replace_line(path, id);

	if (r)
		snprintf(why, size, "%s", path);
	return r;
}

int set_machine_id(const char *id, char *why, size_t size)
{
	struct stat st;
	const int r = replace(MACHINE_ID_FILE, id, why, size);

	if (r)
		return r;
	if (!lstat(MACHINE_ID_DBUS, &st))
		return S_ISREG(st.st_mode) ?
			       replace(MACHINE_ID_DBUS, id, why, size) :
			       0;
	if (errno == ENOENT)
		return 0;
	snprintf(why, size, MACHINE_ID_DBUS);
	return -errno;
}
