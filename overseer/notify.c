// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"

static void complain(const char *path, int error)
{
	log_error("NOTIFY_SOCKET=%s: %s", path, strerror(error));
}

void notify(const char *lines)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const size_t len = path ? strlen(path) : 0;
	socklen_t size;
	int fd;

	if (!len)
		return;
	if ((*path != '/' && *path != '@') || len >= sizeof(address.sun_path)) {
		complain(path, EAFNOSUPPORT);
		return;
	}
	memcpy(address.sun_path, path, len);
	/* An abstract name begins with a zero byte, and has none at its end. */
	if (*path == '@')
		address.sun_path[0] = 0;
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
			   (*path == '/'));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, lines, strlen(lines), MSG_NOSIGNAL,
			     (const struct sockaddr *)&address, size) < 0)
		complain(path, errno);
	if (fd >= 0)
		close(fd);
}

void notify_status(const char *format, ...)
{
	char text[1024] = "STATUS=";
	const size_t start = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + start, sizeof(text) - start, format, args);
	va_end(args);
	/* What follows a line break would be another assignment. */
	for (char *c = text; *c; c++) {
		if (*c == '\n')
			*c = ' ';
	}
	notify(text);
}

/* Twice in each period. */
struct watchdog {
	struct loop_source *timer;
	uint64_t half;
};

static void on_half(void *user)
{
	const struct watchdog *w = user;

	notify("WATCHDOG=1");
	loop_arm(w->timer, w->half);
}

bool notify_watchdog(struct loop *l)
{
	static struct watchdog w;
	const char *period = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	unsigned long long usec = period ? strtoull(period, NULL, 10) : 0;

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return true;
	w.half = usec / 2;
	w.timer = loop_add_timer(l, on_half, &w);
	if (!w.timer)
		return false;
	loop_arm(w.timer, 0);
	return true;
}
