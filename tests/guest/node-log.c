// SPDX-License-Identifier: MIT
/*
 * node-log FILE: writes a line to FILE for each state of a node of the device.
 * The lines begin when the program has returned.
 *
 *	NAME MODE UID GID MICROSECONDS
 *
 * The time is that of CLOCK_MONOTONIC, as systemd's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void record(FILE *log, int folder, const char *name)
{
	struct timespec now;
	struct stat s;

	if (strncmp(name, "sysgenid", 8) || fstatat(folder, name, &s, 0))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(log, "%s %o %u %u %lld\n", name, s.st_mode & 07777, s.st_uid,
		s.st_gid, now.tv_sec * 1000000LL + now.tv_nsec / 1000);
	fflush(log);
}

int main(int argc, char **argv)
{
	char events[64 * (sizeof(struct inotify_event) + NAME_MAX + 1)]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	int watch = inotify_init1(IN_CLOEXEC);
	int folder = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	FILE *log = argc == 2 ? fopen(argv[1], "we") : NULL;
	ssize_t n;

	if (!log || folder < 0 ||
	    inotify_add_watch(watch, "/dev", IN_CREATE | IN_ATTRIB) < 0) {
		perror("node-log");
		return 2;
	}
	if (daemon(0, 0))
		return 2;
	while ((n = read(watch, events, sizeof(events))) > 0) {
		for (char *p = events; p < events + n;) {
			struct inotify_event *event = (struct inotify_event *)p;

			if (event->len)
				record(log, folder, event->name);
			p += sizeof(*event) + event->len;
		}
	}
	return 2;
}
