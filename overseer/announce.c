// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
/* Its version of Linux 6.1 needs the line above. */
#include <linux/vm_sockets.h>
#include <unistd.h>

#include "announce.h"
#include "backoff.h"
#include "config.h"
#include "log.h"

/*
 * @line: the next one; NULL: there is none. @last: the newest, without its line break.
 * @part: a line of which the host may have the beginning.
 */
struct announcer {
	struct loop *loop;
	struct loop_source *source;
	struct backoff *again;
	char *where, *line, *last, *part;
	size_t sent;
	int fd;
	bool vsock, complained;
	struct sockaddr_vm address;
};

static void proceed(struct announcer *a);

static void on_again(void *user)
{
	proceed(user);
}

static void hang_up(struct announcer *a)
{
	a->source = loop_remove(a->source);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	/* The next one begins with a line, not with the rest of one. */
	free(a->part);
	a->part = NULL;
	a->sent = 0;
}

struct announcer *announcer_new(struct loop *loop, const char *where)
{
	struct announcer *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->loop = loop;
	a->fd = -1;
	a->where = strdup(where);
	a->again = backoff_new(loop, on_again, a);
	if (!a->where || !a->again) {
		announcer_free(a);
		return NULL;
	}
	a->address.svm_family = AF_VSOCK;
	a->vsock =
		config_vsock(where, &a->address.svm_cid, &a->address.svm_port);
	return a;
}

void announcer_free(struct announcer *a)
{
	if (!a)
		return;
	hang_up(a);
	backoff_free(a->again);
	free(a->where);
	free(a->line);
	free(a->last);
	free(a);
}

/* A line that nobody took at all gives way to a newer one. */
static void put_back(struct announcer *a)
{
	if (a->sent || !a->part)
		return;
	if (!a->line)
		a->line = a->part;
	else
		free(a->part);
	a->part = NULL;
}

/* One line for one trouble, however often it is met. */
static void try_again(struct announcer *a, int error)
{
	/* From its beginning: whoever listens then has not seen that. */
	a->sent = 0;
	put_back(a);
	if (!a->complained)
		log_warning("announce = %s, which is tried again: %s", a->where,
			    strerror(error));
	a->complained = true;
	hang_up(a);
	backoff_arm(a->again);
}

/* 0, or an error. */
static int open_port(struct announcer *a)
{
	if (!a->vsock) {
		a->fd = open(a->where,
			     O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		return a->fd < 0 ? errno : 0;
	}
	a->fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->fd < 0)
		return errno;
	if (connect(a->fd, (struct sockaddr *)&a->address,
		    sizeof(a->address)) &&
	    errno != EINPROGRESS)
		return errno;
	return 0;
}

static void on_port(void *user, uint32_t events)
{
	struct announcer *a = user;

	a->source = loop_remove(a->source);
	if (a->vsock && events & (EPOLLERR | EPOLLHUP)) {
		int error = 0;
		socklen_t size = sizeof(error);

		getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		try_again(a, error ? error : ECONNRESET);
		return;
	}
	/* A port whose other end nobody has open says so all the time. */
	if (events & EPOLLOUT)
		proceed(a);
	else
		backoff_arm(a->again);
}

/* Until there is room. A regular file always has some, and is no matter for the loop. */
static void wait_for_room(struct announcer *a)
{
	a->source = loop_add_io(a->loop, a->fd, EPOLLOUT, on_port, a);
	if (!a->source)
		backoff_arm(a->again);
}

static bool take_next(struct announcer *a)
{
	if (!a->part) {
		a->part = a->line;
		a->line = NULL;
		a->sent = 0;
	}
	return a->part;
}

static void proceed(struct announcer *a)
{
	backoff_disarm(a->again);
	while (!a->source && take_next(a)) {
		const size_t left = strlen(a->part) - a->sent;
		int error = a->fd < 0 ? open_port(a) : 0;
		ssize_t n = -1;

		if (!error) {
			n = write(a->fd, a->part + a->sent, left);
			error = n < 0 ? errno : 0;
		}
		if (error == EAGAIN || error == ENOTCONN ||
		    error == EINPROGRESS) {
			put_back(a);
			wait_for_room(a);
			return;
		}
		if (error) {
			try_again(a, error);
			return;
		}
		a->sent += (size_t)n;
		if ((size_t)n < left)
			continue;
		free(a->part);
		a->part = NULL;
		a->complained = false;
		backoff_reset(a->again);
		/* A connection does not outlive the snapshot; a line that it took then would be lost. */
		if (a->vsock)
			hang_up(a);
	}
}

void announcer_say(struct announcer *a, struct json_object *line)
{
	const char *text =
		json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN);
	char *next = NULL;

	if (!a || (a->last && !strcmp(a->last, text)))
		return;
	if (asprintf(&next, "%s\n", text) < 0)
		return;
	free(a->last);
	a->last = strdup(text);
	free(a->line);
	a->line = next;
	backoff_reset(a->again);
	proceed(a);
}
