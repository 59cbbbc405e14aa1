// SPDX-License-Identifier: MIT
/* Reads what clients send, in a process without rights; acting.c does what they ask for. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <json-c/json.h>

#include "channel.h"
#include "control.h"
#include "log.h"
#include "protocol.h"

/*
 * Every connection but those that wait for an answer can make room for a new
 * one. So "status" and "resume --force" of root always find a place.
 */
#define CLIENTS_MAX 32
#define WAITING_MAX 16
#define FORCING_MAX 8

/* Microseconds until a request has to be complete. */
#ifndef REQUEST_LIMIT
#define REQUEST_LIMIT 30000000ull
#endif
/* Microseconds without a look at the socket where no descriptor is left. */
#define ACCEPT_PAUSE 1000000ull

/*
 * @limit: ends a connection on which no request becomes complete.
 * @number: counts connections; the smallest is the oldest.
 */
struct client {
	struct control *control;
	struct loop_source *source, *limit;
	uint64_t number;
	int fd;
	size_t len;
	/* One request at a time: until there is an answer nothing more is read. */
	bool waits, forces;
	/* What is waited for. */
	enum channel_kind kind;
	char line[PROTOCOL_LINE_MAX + 1];
};

struct control {
	struct loop *loop;
	struct loop_source *source, *pause, *answers;
	struct client *clients[CLIENTS_MAX];
	uint64_t connections;
	int fd, channel;
	bool exhausted;
};

/* False: who acts does not read. */
static bool send_to_actor(const struct client *c, enum channel_kind kind,
			  bool flag, pid_t pid, const unsigned char *entropy,
			  size_t len)
{
	struct channel_request r = {
		.id = c->number,
		.kind = (uint8_t)kind,
		.flag = flag,
		.client = pid,
		.len = (uint16_t)len,
	};

	if (len)
		memcpy(r.entropy, entropy, len);
	return send(c->control->channel, &r, sizeof(r),
		    MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(r);
}

static void hang_up(struct client *c)
{
	struct control *control = c->control;

	/* A request that cannot be forgotten is one that nobody has read. */
	if (c->waits)
		send_to_actor(c, CHANNEL_FORGET, false, 0, NULL, 0);
	loop_remove(c->source);
	loop_remove(c->limit);
	close(c->fd);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i] == c)
			control->clients[i] = NULL;
	}
	free(c);
}

/* What a client may ask for; see protocol.h. */
static struct json_object *features(void)
{
	struct json_object *list = json_object_new_array();

	for (const struct protocol_request *r = protocol_requests; r->name;
	     r++) {
		char name[64];

		json_object_array_add(list, json_object_new_string(r->name));
		snprintf(name, sizeof(name), "%s.%s", r->name,
			 r->member ? r->member : "");
		if (r->member)
			json_object_array_add(list,
					      json_object_new_string(name));
	}
	return list;
}

/*
 * Takes @o. A client that does not read its answers is sent no more: the event
 * loop finds the connection shut, and hangs up.
 */
static void send_object(struct client *c, struct json_object *o)
{
	struct iovec parts[2] = { { .iov_base = NULL } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	const char *text;

	json_object_object_add(o, "version",
			       json_object_new_int(PROTOCOL_VERSION));
	json_object_object_add(o, "features", features());
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	parts[0] = (struct iovec){ (void *)(uintptr_t)text, strlen(text) };
	parts[1] = (struct iovec){ (void *)(uintptr_t) "\n", 1 };
	if (sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)(parts[0].iov_len + 1))
		shutdown(c->fd, SHUT_RDWR);
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

/* A client that waits is not read from, but its end is noticed. */
static void wait_for_answer(struct client *c, bool waits)
{
	c->waits = waits;
	loop_set_events(c->source, waits ? 0 : EPOLLIN);
	if (waits)
		loop_disarm(c->limit);
	else
		loop_arm(c->limit, REQUEST_LIMIT);
}

static void on_answer(struct client *c, const struct channel_answer *a)
{
	struct json_object *o;

	switch (a->result) {
	case CHANNEL_DONE:
		o = json_tokener_parse(a->text);
		if (!o)
			o = json_object_new_object();
		json_object_object_add(o, "ok", json_object_new_boolean(true));
		send_object(c, o);
		break;
	case CHANNEL_NOT_READY:
		send_error(c, "not-ready", true, a->text);
		break;
	default:
		send_error(c, "failed", false, a->text);
		break;
	}
	wait_for_answer(c, false);
}

static void on_answers(void *user, uint32_t events)
{
	static const struct channel_request alive = { .kind = CHANNEL_ALIVE };
	static struct channel_answer a;
	struct control *control = user;
	ssize_t n = recv(control->channel, &a, sizeof(a), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(a)) {
		loop_exit(control->loop, 0);
		return;
	}
	if (a.result == CHANNEL_PING) {
		send(control->channel, &alive, sizeof(alive),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = control->clients[i];

		if (c && c->waits && c->number == a.id)
			on_answer(c, &a);
	}
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

/* The others are answered at once. */
static bool waits_long(const struct client *c)
{
	return c->waits &&
	       (c->kind == CHANNEL_QUIESCE || c->kind == CHANNEL_RESUME);
}

static unsigned int count_waiting(const struct control *control, bool forces)
{
	unsigned int count = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *c = control->clients[i];

		count += c && waits_long(c) && c->forces == forces;
	}
	return count;
}

/* 0: one of a pid namespace that is not below ours, so that no unit here holds it. */
static pid_t pid_of(const struct client *c)
{
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);

	getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	return peer.pid;
}

static void ask(struct client *c, enum channel_kind kind, bool flag,
		const unsigned char *entropy, size_t len)
{
	/* Before the answer can come. */
	c->kind = kind;
	wait_for_answer(c, true);
	if (send_to_actor(c, kind, flag, pid_of(c), entropy, len))
		return;
	send_error(c, "busy", true, "the overseer reads no requests now");
	wait_for_answer(c, false);
}

static void ask_for_state(struct client *c, bool quiesce, bool flag)
{
	c->forces = !quiesce && flag;
	if (count_waiting(c->control, c->forces) >=
	    (c->forces ? FORCING_MAX : WAITING_MAX)) {
		send_error(c, "busy", true,
			   "too many clients wait for an answer already");
		return;
	}
	ask(c, quiesce ? CHANNEL_QUIESCE : CHANNEL_RESUME, flag, NULL, 0);
}

static void ask_for_generation(struct client *c, const char *entropy)
{
	unsigned char bytes[PROTOCOL_ENTROPY_MAX];
	int len = from_hex(entropy, bytes, sizeof(bytes));

	if (len > 0)
		ask(c, CHANNEL_TRIGGER, false, bytes, (size_t)len);
	else
		send_error(
			c, "bad-request", false,
			"\"entropy\" is 1 to 512 bytes in lower-case hexadecimal");
}

static const struct protocol_request *find_request(const char *name)
{
	const struct protocol_request *r = protocol_requests;

	while (r->name && strcmp(r->name, name))
		r++;
	return r->name ? r : NULL;
}

static void __attribute__((format(printf, 2, 3)))
send_bad_request(struct client *c, const char *format, ...)
{
	char why[256];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	send_error(c, "bad-request", false, why);
}

/* The member, NULL if it is absent. False after an error to the client. */
static bool get_member(struct client *c, struct json_object *o,
		       const char *member, enum json_type type, bool required,
		       struct json_object **value)
{
	if (!json_object_object_get_ex(o, member, value)) {
		*value = NULL;
		if (required)
			send_bad_request(c, "\"%s\" is missing", member);
		return !required;
	}
	if (json_object_is_type(*value, type))
		return true;
	send_bad_request(c, "\"%s\" is not %s", member,
			 type == json_type_string ? "a string" :
			 type == json_type_int	  ? "a number" :
						    "true or false");
	return false;
}

/* A member that nobody reads is a mistake of the client, and not to be passed over. */
static bool has_only(struct client *c, struct json_object *o,
		     const struct protocol_request *r)
{
	json_object_object_foreach(o, name, unused) {
		(void)unused;
		if (!strcmp(name, "request") || !strcmp(name, "scope") ||
		    !strcmp(name, "version") ||
		    (r->member && !strcmp(name, r->member)))
			continue;
		send_bad_request(
			c, "the request \"%s\" has no member \"%s\"", r->name,
			protocol_is_plain(name) ? name : "(not a plain name)");
		return false;
	}
	return true;
}

static enum json_type type_of(enum protocol_type type)
{
	return type == PROTOCOL_STRING ? json_type_string : json_type_boolean;
}

/* False after an error to the client. */
static bool is_our_version(struct client *c, struct json_object *o)
{
	struct json_object *version;

	if (!get_member(c, o, "version", json_type_int, false, &version))
		return false;
	if (!version || json_object_get_int64(version) == PROTOCOL_VERSION)
		return true;
	send_bad_request(c, "\"version\" is %d here", PROTOCOL_VERSION);
	return false;
}

static void send_unknown_request(struct client *c, const char *name)
{
	char known[128] = "";

	for (const struct protocol_request *r = protocol_requests; r->name;
	     r++) {
		const size_t len = strlen(known);

		snprintf(known + len, sizeof(known) - len, "%s%s",
			 len ? ", " : "", r->name);
	}
	send_bad_request(c, "there is no \"request\" \"%s\", but %s",
			 protocol_is_plain(name) ? name : "(not a plain name)",
			 known);
}

static void handle(struct client *c, struct json_object *o)
{
	struct json_object *name, *scope, *value = NULL;
	const struct protocol_request *r;

	if (!is_our_version(c, o) ||
	    !get_member(c, o, "request", json_type_string, true, &name) ||
	    !get_member(c, o, "scope", json_type_string, false, &scope))
		return;
	if (!scope || strcmp(json_object_get_string(scope), PROTOCOL_SCOPE)) {
		send_error(c, "bad-scope", false,
			   "\"scope\" has to be \"" PROTOCOL_SCOPE "\"");
		return;
	}
	r = find_request(json_object_get_string(name));
	if (!r) {
		send_unknown_request(c, json_object_get_string(name));
		return;
	}
	if (!has_only(c, o, r) ||
	    (r->member && !get_member(c, o, r->member, type_of(r->type),
				      r->required, &value)))
		return;
	if (!r->member)
		ask(c, CHANNEL_STATUS, false, NULL, 0);
	else if (r->type == PROTOCOL_STRING)
		ask_for_generation(c, json_object_get_string(value));
	else
		ask_for_state(c, !strcmp(r->name, "quiesce"),
			      json_object_get_boolean(value));
}

static void handle_line(struct client *c, const char *line, size_t len)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *o = NULL;

	/* The parser ends at a zero byte, whatever follows. */
	if (tokener && !memchr(line, 0, len)) {
		json_tokener_set_flags(tokener,
				       JSON_TOKENER_STRICT |
					       JSON_TOKENER_VALIDATE_UTF8);
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
static ssize_t receive(struct client *c)
{
	char *to = c->line + c->len, *end;
	ssize_t n = recv(c->fd, to, PROTOCOL_LINE_MAX - c->len,
			 MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0)
		return n;
	end = memchr(to, '\n', (size_t)n);
	return recv(c->fd, to, end ? (size_t)(end - to) + 1 : (size_t)n,
		    MSG_DONTWAIT);
}

static void on_readable(void *user, uint32_t events)
{
	struct client *c = user;
	ssize_t n;

	if (c->waits) {
		if (events & (EPOLLHUP | EPOLLERR))
			hang_up(c);
		return;
	}
	n = receive(c);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	c->len += (size_t)n;
	if (c->line[c->len - 1] == '\n') {
		c->line[c->len - 1] = 0;
		n = (ssize_t)c->len - 1;
		c->len = 0;
		loop_arm(c->limit, REQUEST_LIMIT);
		handle_line(c, c->line, (size_t)n);
	} else if (c->len == PROTOCOL_LINE_MAX) {
		send_error(c, "too-long", false, "a request has at most 3 KiB");
		hang_up(c);
	}
}

static void on_limit(void *user)
{
	struct client *c = user;

	if (c->len)
		send_error(c, "timeout", true,
			   "the request was not complete in time");
	hang_up(c);
}

/* The oldest that does not wait for the machine; most of them do not. */
static void make_room(struct control *control)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = control->clients[i];

		if (!c)
			return;
		if (!waits_long(c) && (!oldest || c->number < oldest->number))
			oldest = c;
	}
	if (oldest)
		hang_up(oldest);
}

static bool add_client(struct control *control, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return false;
	c->control = control;
	c->fd = fd;
	/* 0 is nobody. */
	c->number = ++control->connections;
	c->source = loop_add_io(control->loop, fd, EPOLLIN, on_readable, c);
	c->limit = loop_add_timer(control->loop, on_limit, c);
	if (!c->source || !c->limit) {
		loop_remove(c->source);
		loop_remove(c->limit);
		free(c);
		return false;
	}
	loop_arm(c->limit, REQUEST_LIMIT);
	make_room(control);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (!control->clients[i]) {
			control->clients[i] = c;
			break;
		}
	}
	return true;
}

static void on_pause_over(void *user)
{
	struct control *control = user;

	if (!loop_enable(control->source, true))
		loop_arm(control->pause, ACCEPT_PAUSE);
}

/* The connection stays in the queue: without a pause the loop would do nothing else. */
static void pause_accepting(struct control *control, int error)
{
	if (!control->exhausted)
		log_error("no connection can be accepted: %s", strerror(error));
	control->exhausted = true;
	loop_enable(control->source, false);
	loop_arm(control->pause, ACCEPT_PAUSE);
}

static void on_connection(void *user, uint32_t events)
{
	struct control *control = user;
	int connection = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (connection < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			pause_accepting(control, errno);
		return;
	}
	control->exhausted = false;
	if (!add_client(control, connection))
		close(connection);
}

struct control *control_new(struct loop *loop, int fd, int channel)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->loop = loop;
	c->fd = fd;
	c->channel = channel;
	c->source = loop_add_io(loop, fd, EPOLLIN, on_connection, c);
	c->answers = loop_add_io(loop, channel, EPOLLIN, on_answers, c);
	c->pause = loop_add_timer(loop, on_pause_over, c);
	if (c->source && c->answers && c->pause)
		return c;
	control_free(c);
	return NULL;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (c->clients[i])
			hang_up(c->clients[i]);
	}
	loop_remove(c->source);
	loop_remove(c->answers);
	loop_remove(c->pause);
	free(c);
}
