// SPDX-License-Identifier: MIT
/* Lies: errors at any call, positive results, short writes, and answers with other bytes in them. */
#include <string.h>

#include "../unit/fake.h"
#include "fuzz.h"

/* Of 256 bytes, so many leave things as they are. */
enum { HONEST_CALLS = 208, HONEST_ANSWERS = 160 };

/* Whose file it is was not told, or not truly: the library closes nothing then. */
static bool lied_about_files;

static bool refuse(enum fake_call call, int *error)
{
	uint8_t lie = input_byte();

	fake.ioctl_positive = 0;
	if (call == FAKE_IOCTL && lie == HONEST_CALLS - 1)
		fake.ioctl_positive = 1 + input_byte();
	if (lie < HONEST_CALLS)
		return false;
	lied_about_files |= call == FAKE_FSTAT;
	*error = 1 + input_byte() % 133;
	return true;
}

static void spoil(enum fake_call call, void *answer, size_t size)
{
	uint8_t lie = input_byte();
	size_t from;

	if (lie < HONEST_ANSWERS || !size)
		return;
	lied_about_files |= call == FAKE_FSTAT;
	from = (lie & 1 ? input_word() : input_byte()) % size;
	input_bytes((char *)answer + from,
		    size - from < 64 ? size - from : 1 + input_byte() % 64);
}

/* Who sleeps is woken by a generation, or by a signal. */
static bool asleep(int timeout_ms)
{
	(void)timeout_ms;
	fake_publish();
	return input_byte() & 1;
}

static int error_or_none(void)
{
	uint8_t b = input_byte();

	return b < HONEST_CALLS ? 0 : b - HONEST_CALLS + 1;
}

void kernel_begin(void)
{
	uint8_t kind = input_byte();

	lied_about_files = false;
	fake_start();
	fake.asleep = asleep;
	fake.refuse = refuse;
	fake.spoil = spoil;
	fake.old_driver = (kind & 15) == 15;
	fake.open_errno = kind & 16 ? error_or_none() : 0;
	fake.open_rw_errno = kind & 32 ? error_or_none() : 0;
	fake.watchers = kind & 64 ? 600 : 3;
	fake.outdated = 2;
	if (kind & 128) {
		/* What can be mapped is not what it should be either. */
		input_bytes(fake.page, sizeof(*fake.page));
		input_bytes(fake.record, sizeof(*fake.record));
	}
}

void kernel_end(void)
{
	MUST(!fake.mappings && !fake.allocations);
	MUST(!fake.open_files || lied_about_files);
	fake_end();
}
