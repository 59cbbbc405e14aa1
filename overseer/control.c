// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <sysgenid.h>

#include "control.h"
#include "log.h"

#define CLIENTS_MAX 16

struct client {
	struct control *control;
	sd_event_source *source;
	int fd;
	size_t len;
	/* One at a time: until it is answered nothing more is read. */
	bool asked;
	char line[CONTROL_LINE_MAX + 1];
};

struct control {
	sd_event *event;
	sd_event_source *source;
	struct machine *machine;
	struct client *clients[CLIENTS_MAX];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;
};

static void hang_up(struct client *c)
{
	struct control *control = c->control;

	machine_forget(control->machine, c);
	sd_event_source_disable_unref(c->source);
	close(c->fd);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i] == c)
			control->clients[i] = NULL;
	}
	free(c);
}

/* Takes @o. Who does not read its answer does without. */
static void send_object(struct client *c, struct json_object *o)
{
	const char *text =
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	struct iovec parts[] = {
		{ (void *)(uintptr_t)text, strlen(text) },
		{ (void *)(uintptr_t) "\n", 1 },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	json_object_put(o);
}

static void send_error(struct client *c, const char *error, bool retry,
		       const char *why)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "ok", json_object_new_boolean(false));
	json_object_object_add(o, "error", json_object_new_string(error));
	json_object_object_add(o, "retry", json_object_new_boolean(retry));
	json_object_object_add(o, "message", json_object_new_string(why));
	send_object(c, o);
}

static void send_status(struct client *c)
{
	struct json_object *o = machine_status(c->control->machine);

	json_object_object_add(o, "ok", json_object_new_boolean(true));
	send_object(c, o);
}

static void on_answer(void *user, enum answer answer, const char *why)
{
	struct client *c = user;

	switch (answer) {
	case ANSWER_DONE:
		send_status(c);
		break;
	case ANSWER_NOT_READY:
		send_error(c, "not-ready", true, why);
		break;
	case ANSWER_FAILED:
		send_error(c, "failed", false, why);
		break;
	}
	c->asked = false;
	sd_event_source_set_enabled(c->source, SD_EVENT_ON);
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static bool flag_of(struct json_object *o, const char *key, bool *flag)
{
	struct json_object *value;

	*flag = false;
	if (!json_object_object_get_ex(o, key, &value))
		return true;
	*flag = json_object_get_boolean(value);
	return json_object_is_type(value, json_type_boolean);
}

static int digit(char c)
{
	const char *all = "0123456789abcdef", *at = c ? strchr(all, c) : NULL;

	return at ? (int)(at - all) : -1;
}

/* The number of bytes, or -1. */
static int from_hex(const char *text, unsigned char *bytes, size_t size)
{
	size_t n = 0;

	for (; *text; text += 2) {
		int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

		if (low < 0 || n == size)
			return -1;
		bytes[n++] = (unsigned char)(high << 4 | low);
	}
	return (int)n;
}

static void trigger(struct client *c, const char *entropy)
{
	unsigned char bytes[SYSGENID_ENTROPY_MAX];
	int len = from_hex(entropy, bytes, sizeof(bytes));
	struct json_object *o;
	uint32_t generation;

	if (len < 0) {
		send_error(
			c, "bad-request", false,
			"entropy is at most 512 bytes in lower-case hexadecimal");
		return;
	}
	if (!machine_trigger(c->control->machine, bytes, (size_t)len,
			     &generation)) {
		send_error(
			c, "failed", false,
			"the overseer makes no generations here: see publisher in sysgenid-overseer.conf(5)");
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "ok", json_object_new_boolean(true));
	json_object_object_add(o, "generation",
			       json_object_new_int64(generation));
	json_object_object_add(o, "published", json_object_new_boolean(true));
	send_object(c, o);
}

static void ask_machine(struct client *c, const char *request, bool flag)
{
	struct machine *m = c->control->machine;

	/* Not read from before there is an answer, which may be at once. */
	c->asked = true;
	sd_event_source_set_enabled(c->source, SD_EVENT_OFF);
	if (!strcmp(request, "quiesce"))
		machine_quiesce(m, flag, on_answer, c);
	else
		machine_resume(m, flag, on_answer, c);
}

static void handle(struct client *c, struct json_object *o)
{
	const char *request = text_of(o, "request");
	bool flag;

	if (strcmp(text_of(o, "scope"), "system")) {
		send_error(c, "bad-scope", false,
			   "the one scope that there is, is \"system\"");
		return;
	}
	if (!strcmp(request, "status")) {
		send_status(c);
		return;
	}
	if (!strcmp(request, "trigger")) {
		trigger(c, text_of(o, "entropy"));
		return;
	}
	if (strcmp(request, "quiesce") && strcmp(request, "resume")) {
		send_error(
			c, "bad-request", false,
			"there are the requests status, quiesce, resume and trigger");
		return;
	}
	if (!flag_of(o, *request == 'q' ? "until-resume" : "force", &flag)) {
		send_error(c, "bad-request", false,
			   "until-resume and force are true or false");
		return;
	}
	ask_machine(c, request, flag);
}

static void handle_line(struct client *c, const char *line, size_t len)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *o = NULL;

	if (tokener) {
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
		o = json_tokener_parse_ex(tokener, line, (int)len + 1);
	}
	if (json_object_is_type(o, json_type_object))
		handle(c, o);
	else
		send_error(c, "bad-request", false, "not a JSON object");
	json_object_put(o);
	json_tokener_free(tokener);
}

/* To the end of the line: the next one waits in the socket for its turn. */
static ssize_t receive(struct client *c, int fd)
{
	char *to = c->line + c->len, *end;
	ssize_t n = recv(fd, to, CONTROL_LINE_MAX - c->len,
			 MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0)
		return n;
	end = memchr(to, '\n', (size_t)n);
	return recv(fd, to, end ? (size_t)(end - to) + 1 : (size_t)n,
		    MSG_DONTWAIT);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events,
		       void *user)
{
	struct client *c = user;
	ssize_t n = receive(c, fd);

	(void)source;
	(void)events;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		hang_up(c);
		return 0;
	}
	c->len += (size_t)n;
	if (c->line[c->len - 1] == '\n') {
		c->line[c->len - 1] = 0;
		n = (ssize_t)c->len - 1;
		c->len = 0;
		handle_line(c, c->line, (size_t)n);
	} else if (c->len == CONTROL_LINE_MAX) {
		send_error(c, "too-long", false, "a request has at most 3 KiB");
		hang_up(c);
	}
	return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events,
			 void *user)
{
	struct control *control = user;
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *c = NULL;

	(void)source;
	(void)events;
	if (connection < 0)
		return 0;
	for (size_t i = 0; i < CLIENTS_MAX && !c; i++) {
		if (control->clients[i])
			continue;
		c = calloc(1, sizeof(*c));
		control->clients[i] = c;
	}
	if (!c) {
		close(connection);
		return 0;
	}
	c->control = control;
	c->fd = connection;
	sd_event_add_io(control->event, &c->source, connection, EPOLLIN,
			on_readable, c);
	return 0;
}

struct control *control_new(sd_event *event, struct machine *m,
			    const char *path)
{
	struct control *c = calloc(1, sizeof(*c));
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (!c)
		return NULL;
	c->event = event;
	c->machine = m;
	snprintf(c->path, sizeof(c->path), "%s", path);
	memcpy(address.sun_path, c->path, sizeof(c->path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path);
	/* Root's alone from its first moment. */
	umask(0077);
	if (c->fd < 0 ||
	    bind(c->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(c->fd, CLIENTS_MAX) ||
	    sd_event_add_io(event, &c->source, c->fd, EPOLLIN, on_connection,
			    c) < 0) {
		log_error("%s: %s", path, strerror(errno));
		if (c->fd >= 0)
			close(c->fd);
		free(c);
		return NULL;
	}
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (c->clients[i])
			hang_up(c->clients[i]);
	}
	sd_event_source_disable_unref(c->source);
	close(c->fd);
	unlink(c->path);
	free(c);
}
