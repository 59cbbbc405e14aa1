// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "replace.h"
#include "set-hostname.h"

#ifndef HOSTNAME_FILE
#define HOSTNAME_FILE "/etc/hostname"
#endif

int set_hostname(const char *name, bool keeps, char *why, size_t size)
{
	int r = sethostname(name, strlen(name)) ? -errno : 0;

	if (r) {
		snprintf(why, size, "sethostname");
		return r;
	}
	if (keeps)
		r = replace_line(HOSTNAME_FILE, name);
	if (r)
		snprintf(why, size, HOSTNAME_FILE);
	return r;
}
