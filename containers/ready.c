// SPDX-License-Identifier: MIT
/*
 * The overseer learns of a resume from the kernel, and later than the kernel.
 * What it says is about the generation that it names; the device says which one
 * is current, at once after a resume.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid.h>

#include "../overseer/protocol.h"
#include "json.h"
#include "ready.h"

/* Seconds until the overseer goes on with an answer. */
#define ANSWER_LIMIT 5
/* Nanoseconds between two questions. */
#define PAUSE 50000000

static int dial(void)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX,
					     .sun_path = PROTOCOL_SOCKET };
	const struct timeval limit = { .tv_sec = ANSWER_LIMIT };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* The number of bytes of the line at *@line, to be freed; -errno. */
static ssize_t receive_line(int fd, char **line)
{
	FILE *f = fdopen(fd, "re");
	size_t size = 0;
	ssize_t n;

	if (!f) {
		n = -errno;
		close(fd);
		return n;
	}
	errno = 0;
	n = getline(line, &size, f);
	if (n < 0)
		n = errno ? -errno : -ECONNRESET;
	else if ((*line)[n - 1] != '\n')
		n = ferror(f) && errno ? -errno : -ECONNRESET;
	else
		(*line)[--n] = 0;
	fclose(f);
	return n;
}

/* As receive_line(). */
static ssize_t ask(const char *request, char **line)
{
	int fd = dial(), error;

	if (fd < 0)
		return fd;
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	return receive_line(fd, line);
}

static struct json_object *ask_status(char *why, size_t size)
{
	struct json_object *o = NULL;
	char *line = NULL;
	ssize_t n = ask("{\"request\":\"status\",\"scope\":\"" PROTOCOL_SCOPE
			"\"}\n",
			&line);

	if (n >= 0)
		o = json_parse(line, (size_t)n, why, size);
	free(line);
	if (n >= 0 && !o)
		snprintf(why, size, "the answer of the overseer is malformed");
	else if (n == -ENOENT || n == -ECONNREFUSED)
		snprintf(why, size,
			 "the overseer does not run: start sysgenid-overseer");
	else if (n < 0)
		snprintf(why, size, "%s: %s", PROTOCOL_SOCKET,
			 strerror((int)-n));
	return o;
}

static bool ask_overseer(uint32_t *generation, char *why, size_t size)
{
	struct json_object *o = ask_status(why, size), *number;
	const char *state = json_text(o, "state");
	const char *about = json_text(o, "about");
	int64_t value = -1;
	bool ready;

	if (!o)
		return false;
	number = json_member(o, "generation", json_type_int);
	if (number)
		value = json_object_get_int64(number);
	ready = state && !strcmp(state, "ready") && value >= 0 &&
		value <= UINT32_MAX;
	if (ready)
		*generation = (uint32_t)value;
	else if (state)
		snprintf(why, size, "the machine is %s%s%s", state,
			 about ? ": " : "", about ? about : "");
	else
		snprintf(why, size, "the answer of the overseer is malformed");
	json_object_put(o);
	return ready;
}

bool ready_generation(uint32_t *generation, char *why, size_t size)
{
	struct sysgenid *g;
	int r = sysgenid_open(&g, SYSGENID_OPEN_SOFT);

	if (!r) {
		r = sysgenid_read(g, generation);
		sysgenid_close(g);
	}
	if (r)
		snprintf(
			why, size,
			"the generation cannot be read: %s; run \"sysgenidctl doctor\"",
			strerror(-r));
	return !r;
}

bool ready_now(bool overseer, uint32_t *generation, char *why, size_t size)
{
	uint32_t settled = 0;

	/* The device last: what the overseer said may be stale by then. */
	if (overseer && !ask_overseer(&settled, why, size))
		return false;
	if (!ready_generation(generation, why, size))
		return false;
	if (!overseer || settled == *generation)
		return true;
	snprintf(why, size,
		 "the machine is ready for generation %" PRIu32
		 ", and the current one is %" PRIu32,
		 settled, *generation);
	return false;
}

bool ready_soon(bool overseer, unsigned int seconds, uint32_t *generation,
		char *why, size_t size)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	struct timespec end, now;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)seconds;
	while (!ready_now(overseer, generation, why, size)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec ||
		    (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec))
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

bool ready_at(bool overseer, uint32_t generation, char *why, size_t size)
{
	uint32_t now;

	if (!ready_now(overseer, &now, why, size))
		return false;
	if (now == generation)
		return true;
	snprintf(why, size,
		 "the machine was resumed as a clone: generation %" PRIu32
		 " became %" PRIu32,
		 generation, now);
	return false;
}
