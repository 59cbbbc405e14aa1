// SPDX-License-Identifier: MIT
/* Failures: one line that says what to do, and an exit code. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sysgenidctl.h"

static int say(int code, const char *what, const char *advice)
{
	fprintf(stderr, "sysgenidctl: %s: %s\n", what, advice);
	return code;
}

int complain(int error, const char *what)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return say(NOT_PERMITTED, what,
			   "not permitted; try it as root");
	case -EOPNOTSUPP:
		return say(
			FAILED, what,
			"the driver of " SYSGENID_DEVICE
			" is an older one that cannot do this; load the sysgenid module in its place");
	case -EOWNERDEAD:
		return say(
			NO_DEVICE, what,
			"the publisher has ended; look why \"sysgenidctl publish\" does not run");
	case -ETIMEDOUT:
		return say(TIMED_OUT, what, "no new generation in this time");
	default:
		return say(FAILED, what, strerror(-error));
	}
}

int complain_usage(const char *format, ...)
{
	va_list args;

	fputs("sysgenidctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; see \"sysgenidctl --help\"\n", stderr);
	return USAGE;
}

int open_device(struct sysgenid **g, bool soft)
{
	int r = sysgenid_open(g, soft ? SYSGENID_OPEN_SOFT : 0);

	switch (r) {
	case 0:
		return DONE;
	case -ENOENT:
		if (soft)
			return say(
				NO_DEVICE, SYSGENID_DEVICE,
				"not there, and no page file either; try \"modprobe sysgenid\" or \"sysgenidctl publish\"");
		return say(
			NO_DEVICE, SYSGENID_DEVICE,
			"there is none: the module is not loaded (\"modprobe sysgenid\"), or a container hides it; \"sysgenidctl doctor\" says more");
	case -ENODEV:
		if (soft)
			return say(
				NO_DEVICE, SYSGENID_SOFT_FOLDER,
				"no page file that can be trusted and has a living publisher; look why \"sysgenidctl publish\" does not run");
		return say(
			NO_DEVICE, SYSGENID_DEVICE,
			"not a sysgenid device; look what \"ls -l " SYSGENID_DEVICE
			"\" and \"modprobe sysgenid\" say");
	case -EACCES:
		return say(
			NOT_PERMITTED, SYSGENID_DEVICE,
			"not readable for you, though everybody should be able to read it: see \"ls -l " SYSGENID_DEVICE
			"\"");
	case -EPERM:
		return say(
			NOT_PERMITTED, SYSGENID_DEVICE,
			"kept from you by a container or sandbox; in a systemd unit add \"DeviceAllow=" SYSGENID_DEVICE
			" rw\"");
	default:
		return complain(r, SYSGENID_DEVICE);
	}
}
