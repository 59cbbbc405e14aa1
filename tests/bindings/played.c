// SPDX-License-Identifier: MIT
/*
 * Linked to libsysgenid in a shared library of the same name: programs in any
 * language that call the library get a device that is played.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <time.h>

#include "../unit/fake.h"

/* Another thread publishes meanwhile, or nobody does. */
static bool sleep_for(int timeout_ms)
{
	static const struct timespec ms = { .tv_nsec = 1000000 };
	uint32_t before = fake.page->generation;

	for (int i = 0; timeout_ms < 0 || i < timeout_ms; i++) {
		if (__atomic_load_n(&fake.page->generation, __ATOMIC_ACQUIRE) !=
		    before)
			break;
		nanosleep(&ms, NULL);
	}
	return false;
}

static __attribute__((constructor)) void start(void)
{
	fake_start();
	fake.pollable = true;
	fake.asleep = sleep_for;
	fake.about.flags = SYSGENID_GET_INSTANCE;
	memcpy(fake.about.instance_id, "\1\2\3\xff", 4);
	fake.watchers = 3;
	fake.outdated = 2;
}

/* For the tests: the machine has resumed as a clone, and the kernel has looked. */
void played_resume(void);
void played_resume(void)
{
	fake_publish();
	memcpy(fake.record->id, fake.hardware_id, sizeof(fake.record->id));
}

/* The hardware id is another one, and the kernel has not looked yet. */
void played_resume_unseen(void);
void played_resume_unseen(void)
{
	fake.hardware_id[0]++;
}

/* @error: of each open from now on; 0: there is a device. */
void played_open_errno(int error);
void played_open_errno(int error)
{
	fake.open_errno = error;
}

bool played_is_tracked(int fd);
bool played_is_tracked(int fd)
{
	return fake_tracked(fd);
}

/* Whether all that the library opened, mapped and allocated was given back. */
bool played_is_clean(void);
bool played_is_clean(void)
{
	return fake_is_clean();
}
