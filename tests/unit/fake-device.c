// SPDX-License-Identifier: MIT
/* Linked to sysgenidctl: a machine whose state FAKE names. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

static bool publish(int timeout_ms)
{
	/* Whoever waits a whole day gets what he waits for. */
	if (timeout_ms < 0 || timeout_ms > 86400000)
		fake_publish();
	return false;
}

/* A page file is looked at now and then. */
static bool publish_soon(int timeout_ms)
{
	static int looks;

	(void)timeout_ms;
	if (++looks % 5 == 0)
		fake_publish();
	return false;
}

/* Somebody is faster between the reading and the trigger. */
static void busy(enum fake_call call)
{
	static int ioctls;

	if (call == FAKE_IOCTL && ++ioctls == 3)
		fake_publish();
}

static __attribute__((constructor)) void start(void)
{
	const char *state = getenv("FAKE");

	fake_start();
	fake.asleep = publish;
	fake.about.features = 7;
	fake.about.time = 12345678901;
	fake.about.source = SYSGENID_SOURCE_VMGENID;
	fake.about.sources = 1 << SYSGENID_SOURCE_VMGENID |
			     1 << SYSGENID_SOURCE_SOFTWARE;
	fake.about.flags = SYSGENID_GET_INSTANCE;
	memcpy(fake.about.instance_id, "\1\2\3\xff", 4);
	fake.watchers = 300;
	fake.outdated = 2;
	if (!state)
		return;
	fake.page->source = SYSGENID_SOURCE_SOFTWARE;
	if (!strcmp(state, "soft") || !strcmp(state, "stale")) {
		fake.open_errno = ENOENT;
		fake.folder.open_errno = 0;
		fake.asleep = publish_soon;
		fake.no_publisher = !strcmp(state, "stale");
		return;
	}
	if (!strcmp(state, "none"))
		fake.open_errno = ENOENT;
	else if (!strcmp(state, "stranger"))
		fake.stranger_errno = ENOTTY, fake.stranger = true;
	else if (!strcmp(state, "unreadable"))
		fake.open_errno = EACCES;
	else if (!strcmp(state, "sandbox"))
		fake.open_errno = EPERM;
	else if (!strcmp(state, "user"))
		fake.open_rw_errno = fake.hw_open_errno = fake.capable_errno =
			EACCES;
	else if (!strcmp(state, "unseeded"))
		fake.about.flags = SYSGENID_GET_RESEED_FAILED;
	else if (!strcmp(state, "pending"))
		fake.about.flags = SYSGENID_GET_RESEED_PENDING;
	else if (!strcmp(state, "busy"))
		fake.before = busy;
	else if (!strcmp(state, "earlier"))
		fake.trigger_size = 32;
	else if (!strcmp(state, "old"))
		memset(&fake.page->magic, 0, 8), fake.old_driver = true;
	else
		abort();
}
