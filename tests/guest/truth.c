// SPDX-License-Identifier: MIT
/*
 * truth CALL [first | fifo PRIORITY]: makes one kind of call without end, across
 * a resume, and counts the stale answers. An answer is stale if the hypervisor's
 * id was seen to be new before the call began. With first, no call is made before
 * the id is new. The program says "ready", and ends some calls after the resume
 * with
 *
 *	calls N late N stale N
 *
 * late: calls that found a stale counter page when they started. Had such a call
 * not looked at the hardware id itself, its answer would be wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>

#include "hw.h"
#include "realtime.h"

enum { CALLS_AFTER = 2000 };

static struct hw hw;
static int fd;

/* Each returns whether the answer was the one from before the resume. */

static bool call_read(void)
{
	uint32_t value;

	return read(fd, &value, sizeof(value)) != sizeof(value) ||
	       value == hw.generation;
}

static bool call_write(void)
{
	return write(fd, &hw.generation, sizeof(hw.generation)) ==
	       sizeof(hw.generation);
}

static bool call_poll(void)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) != 1;
}

static bool call_select(void)
{
	struct timeval now = { 0, 0 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &now) != 1;
}

static bool call_get(void)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };

	return ioctl(fd, SYSGENID_GET, &get) || get.generation == hw.generation;
}

static bool call_confirm(void)
{
	struct sysgenid_confirm_args confirm = { .size = sizeof(confirm),
						 .generation = hw.generation };

	return !ioctl(fd, SYSGENID_CONFIRM, &confirm);
}

static bool call_wait_generation(void)
{
	struct sysgenid_wait_args wait = { .size = sizeof(wait),
					   .generation = hw.generation };

	return !ioctl(fd, SYSGENID_WAIT_GENERATION, &wait) || errno != ESTALE;
}

static bool call_wait_watchers(void)
{
	return !ioctl(fd, SYSGENID_WAIT_WATCHERS, 1);
}

static bool call_list(void)
{
	struct sysgenid_watcher entry;
	struct sysgenid_list_args list = {
		.size = sizeof(list),
		.entries = (uintptr_t)&entry,
		.entry_size = sizeof(entry),
		.count = 1,
	};

	return ioctl(fd, SYSGENID_LIST_WATCHERS, &list) ||
	       list.generation == hw.generation;
}

static bool call_track(void)
{
	int other = open(SYSGENID_DEVICE, O_RDWR);
	bool stale;

	ioctl(other, SYSGENID_SET_WATCHER_TRACKING, 1);
	stale = hw.page->generation == hw.generation;
	close(other);
	return stale;
}

static bool call_open(void)
{
	int other = open(SYSGENID_DEVICE, O_RDONLY);
	bool stale = hw.page->generation == hw.generation;

	close(other);
	return stale;
}

static bool call_sysfs(void)
{
	int file = open("/sys/class/misc/sysgenid/generation", O_RDONLY);
	char text[16] = "";
	ssize_t n = read(file, text, sizeof(text) - 1);

	close(file);
	return n <= 0 || strtoul(text, NULL, 10) == hw.generation;
}

static const struct {
	const char *name;
	bool (*stale)(void);
} calls[] = {
	{ "read", call_read },
	{ "write", call_write },
	{ "poll", call_poll },
	{ "select", call_select },
	{ "get", call_get },
	{ "confirm", call_confirm },
	{ "wait-generation", call_wait_generation },
	{ "wait-watchers", call_wait_watchers },
	{ "list", call_list },
	{ "track", call_track },
	{ "open", call_open },
	{ "sysfs", call_sysfs },
};

int main(int argc, char **argv)
{
	unsigned long after = 0, late = 0, stale = 0;
	const bool first = argc > 2 && !strcmp(argv[2], "first");
	bool (*call)(void) = NULL;
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(calls) / sizeof(*calls); i++)
		if (!strcmp(calls[i].name, argv[1]))
			call = calls[i].stale;
	if (!call) {
		for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
			puts(calls[i].name);
		return 2;
	}
	hw_open(&hw);
	fd = open(SYSGENID_DEVICE, O_RDWR | O_NONBLOCK);
	puts("ready");
	fflush(stdout);
	if (argc > 3)
		be_realtime(argv[3]);
	while (after < CALLS_AFTER) {
		bool new = hw_new(&hw),
		     old_page = hw.page->generation == hw.generation;
		bool was_stale;

		if (first && !new)
			continue;
		was_stale = call();
		if (!new)
			continue;
		after++;
		late += old_page;
		stale += was_stale;
	}
	printf("calls %lu late %lu stale %lu\n", after, late, stale);
	return 0;
}
