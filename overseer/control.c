// SPDX-License-Identifier: MIT
/* Reads what clients send, in a process without rights; acting.c does what they ask for. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../containers/json.h"
#include "base64.h"
#include "channel.h"
#include "control.h"
#include "log.h"
#include "protocol.h"
#include "request-parse.h"
#include "secret.h"

/*
 * Every connection but those that wait for an answer can make room for a new
 * one. So "status" and "resume --force" of root always find a place.
 */
#define LOCAL_MAX   32
#define WAITING_MAX 16
#define FORCING_MAX 8
/* Connections of the host: it cannot push out who is in the machine. */
#define HOSTS_MAX	  8
#define HOSTS_WAITING_MAX 6
#define CLIENTS_MAX	  (LOCAL_MAX + HOSTS_MAX + 1)

/* Microseconds until a request has to be complete. */
#ifndef REQUEST_LIMIT
#define REQUEST_LIMIT 30000000ull
#endif
/* Microseconds without a look at the socket where no descriptor is left. */
#define ACCEPT_PAUSE 1000000ull
/* What is read of one client before others have their turn. */
#define READS_MAX 8

enum origin {
	/* The unix socket. */
	LOCAL,
	/* A connection of the host's. */
	HOST,
	/* A serial port of the host's, which is never hung up. */
	PORT,
};

/*
 * @limit: ends a connection on which no request becomes complete.
 * @number: counts connections; the smallest is the oldest.
 */
struct client {
	struct control *control;
	struct loop_source *source, *limit;
	uint64_t number;
	enum origin origin;
	int fd;
	size_t len;
	/* What comes until the next line belongs to one that was refused. */
	bool skips;
	/* One request at a time: until there is an answer nothing more is read. */
	bool waits, forces;
	/* What is waited for. */
	enum channel_kind kind;
	char line[PROTOCOL_LINE_MAX];
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
	explicit_bzero(c->line, c->len);
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
 * A client that does not read its answers is sent no more: the event loop finds the
 * connection shut, and hangs up. Who does not read a port asks again.
 */
static void send_text(struct client *c, const char *text)
{
	struct iovec parts[2] = { { (void *)(uintptr_t)text, strlen(text) },
				  { (void *)(uintptr_t) "\n", 1 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (c->origin == PORT) {
		if (writev(c->fd, parts, 2) != (ssize_t)(parts[0].iov_len + 1))
			log_notice("an answer found nobody at the port");
	} else if (sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		   (ssize_t)(parts[0].iov_len + 1)) {
		shutdown(c->fd, SHUT_RDWR);
	}
}

/* Takes @o. */
static void send_object(struct client *c, struct json_object *o)
{
	json_object_object_add(o, "version",
			       json_object_new_int(PROTOCOL_VERSION));
	json_object_object_add(o, "features", features());
	send_text(c, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
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
	/* A port without a host is hung up all the time: its edges count. */
	const uint32_t edges = c->origin == PORT ? EPOLLET : 0;

	c->waits = waits;
	loop_set_events(c->source, edges | (waits ? 0 : EPOLLIN));
	if (waits)
		loop_disarm(c->limit);
	else
		loop_arm(c->limit, REQUEST_LIMIT);
}

static bool take_lines(struct client *c);

static void on_answer(struct client *c, const struct channel_answer *a)
{
	struct json_object *o;

	switch (a->result) {
	case CHANNEL_RESTORED:
		send_text(c, a->text);
		break;
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
	take_lines(c);
}

static void add_client(struct control *control, int fd, enum origin origin);

static void hang_up_hosts(struct control *control)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = control->clients[i];

		if (c && c->origin != LOCAL)
			hang_up(c);
	}
}

/* @fd: -1 where none came. */
static ssize_t receive_answer(int channel, struct channel_answer *a, int *fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { a, sizeof(*a) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	const ssize_t n =
		recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

	*fd = -1;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return n;
}

static void on_answers(void *user, uint32_t events)
{
	static const struct channel_request alive = { .kind = CHANNEL_ALIVE };
	static struct channel_answer a;
	struct control *control = user;
	int fd;
	ssize_t n = receive_answer(control->channel, &a, &fd);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(a)) {
		loop_exit(control->loop, 0);
		return;
	}
	if (a.result == CHANNEL_CLOSE) {
		hang_up_hosts(control);
		return;
	}
	if (a.result == CHANNEL_CONNECTION || a.result == CHANNEL_PORT) {
		if (fd >= 0)
			add_client(control, fd,
				   a.result == CHANNEL_PORT ? PORT : HOST);
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

static int hex_digit(char c)
{
	const char *all = "0123456789abcdef", *at = c ? strchr(all, c) : NULL;

	return at ? (int)(at - all) : -1;
}

/* The number of bytes, or -1. */
static int from_hex(const char *text, size_t len, unsigned char *bytes,
		    size_t size)
{
	if (len % 2 || len / 2 > size)
		return -1;
	for (size_t i = 0; i < len; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i / 2] = (unsigned char)(high << 4 | low);
	}
	return (int)len / 2;
}

/* The others are answered at once. */
static bool waits_long(const struct client *c)
{
	return c->waits &&
	       (c->kind == CHANNEL_QUIESCE || c->kind == CHANNEL_RESUME ||
		c->kind == CHANNEL_RESTORE);
}

static unsigned int count_waiting(const struct control *control, bool is_local,
				  bool forces)
{
	unsigned int count = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *c = control->clients[i];

		count += c && waits_long(c) && c->forces == forces &&
			 (c->origin == LOCAL) == is_local;
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

static void send_busy(struct client *c)
{
	send_error(c, "busy", true, "the overseer reads no requests now");
	wait_for_answer(c, false);
}

static void ask(struct client *c, enum channel_kind kind, bool flag,
		const unsigned char *entropy, size_t len)
{
	/* Before the answer can come. */
	c->kind = kind;
	wait_for_answer(c, true);
	if (!send_to_actor(c, kind, flag, pid_of(c), entropy, len))
		send_busy(c);
}

/* False after an error to the client. */
static bool may_wait(struct client *c, bool forces)
{
	const bool is_local = c->origin == LOCAL;
	const unsigned int most = !is_local ? HOSTS_WAITING_MAX :
				  forces    ? FORCING_MAX :
					      WAITING_MAX;

	c->forces = forces;
	if (count_waiting(c->control, is_local, forces) < most)
		return true;
	send_error(c, "busy", true,
		   "too many clients wait for an answer already");
	return false;
}

static void ask_for_state(struct client *c, bool quiesce, bool flag)
{
	if (may_wait(c, !quiesce && flag))
		ask(c, quiesce ? CHANNEL_QUIESCE : CHANNEL_RESUME, flag, NULL,
		    0);
}

static void ask_for_generation(struct client *c, const struct secret *entropy)
{
	unsigned char bytes[PROTOCOL_ENTROPY_MAX];
	int len = entropy->present && entropy->len <= sizeof(entropy->text) ?
			  from_hex(entropy->text, entropy->len, bytes,
				   sizeof(bytes)) :
			  -1;

	if (len > 0)
		ask(c, CHANNEL_TRIGGER, false, bytes, (size_t)len);
	else
		send_error(
			c, "bad-request", false,
			"\"entropy\" is 1 to 512 bytes in lower-case hexadecimal");
	explicit_bzero(bytes, sizeof(bytes));
}

/* So that the host can tell whose error that is. */
static void send_bad_restore(struct client *c, struct json_object *o,
			     const char *why)
{
	const char *nonce = json_text(o, "nonce");
	struct json_object *e = json_object_new_object();
	unsigned char bytes[REQUEST_NONCE_MAX];

	if (nonce &&
	    base64_decode(nonce, strlen(nonce), bytes, sizeof(bytes)) > 0)
		json_object_object_add(e, "nonce",
				       json_object_new_string(nonce));
	json_object_object_add(e, "ok", json_object_new_boolean(false));
	json_object_object_add(e, "error",
			       json_object_new_string("bad-request"));
	json_object_object_add(e, "retry", json_object_new_boolean(false));
	json_object_object_add(e, "message", json_object_new_string(why));
	send_object(c, e);
}

static void ask_for_restore(struct client *c, struct json_object *o,
			    const struct secret *entropy)
{
	static struct channel_restore r;
	char why[256];

	if (!request_parse(&r.request, o, entropy, why, sizeof(why))) {
		send_bad_restore(c, o, why);
		return;
	}
	if (may_wait(c, false)) {
		r.head = (struct channel_request){ .id = c->number,
						   .kind = CHANNEL_RESTORE };
		c->kind = CHANNEL_RESTORE;
		wait_for_answer(c, true);
		if (send(c->control->channel, &r, sizeof(r),
			 MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(r))
			send_busy(c);
	}
	request_wipe(&r.request);
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
	char known[160] = "";

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

static void handle(struct client *c, struct json_object *o,
		   const struct secret *entropy)
{
	struct json_object *name, *scope, *value = NULL;
	const struct protocol_request *r;

	if (!is_our_version(c, o) ||
	    !get_member(c, o, "request", json_type_string, true, &name) ||
	    !get_member(c, o, "scope", json_type_string, false, &scope))
		return;
	r = find_request(json_object_get_string(name));
	/* Where there is none, a restore means the machine. */
	if (scope ? strcmp(json_object_get_string(scope), PROTOCOL_SCOPE) :
		    !r || r->type != PROTOCOL_RESTORE) {
		send_error(c, "bad-scope", false,
			   "\"scope\" has to be \"" PROTOCOL_SCOPE "\"");
		return;
	}
	if (!r) {
		send_unknown_request(c, json_object_get_string(name));
		return;
	}
	if (r->type == PROTOCOL_RESTORE) {
		ask_for_restore(c, o, entropy);
		return;
	}
	if (!has_only(c, o, r) ||
	    (r->member && !get_member(c, o, r->member, type_of(r->type),
				      r->required, &value)))
		return;
	if (!r->member)
		ask(c,
		    strcmp(r->name, "metrics") ? CHANNEL_STATUS :
						 CHANNEL_METRICS,
		    false, NULL, 0);
	else if (r->type == PROTOCOL_STRING)
		ask_for_generation(c, entropy);
	else
		ask_for_state(c, !strcmp(r->name, "quiesce"),
			      json_object_get_boolean(value));
}

static void handle_line(struct client *c, char *line, size_t len)
{
	struct json_object *o;
	struct secret entropy;
	char why[256];

	secret_take(&entropy, line, len);
	o = json_parse(line, len, why, sizeof(why));
	if (o)
		handle(c, o, &entropy);
	else
		send_bad_request(c, "not a JSON object: %s", why);
	secret_wipe(&entropy);
	json_object_put(o);
}

/* With the line that ended there, and what nobody needs is wiped. */
static void drop(struct client *c, size_t n)
{
	c->len -= n;
	memmove(c->line, c->line + n, c->len);
	explicit_bzero(c->line + c->len, n);
}

/* @error: "too-long" or "timeout". The rest of the line comes to a port all the same. */
static void refuse_line(struct client *c, const char *error, bool retry,
			const char *why)
{
	if (c->len)
		send_error(c, error, retry, why);
	if (c->origin != PORT) {
		hang_up(c);
		return;
	}
	c->skips = c->skips || c->len;
	drop(c, c->len);
	loop_arm(c->limit, REQUEST_LIMIT);
}

/*
 * One request at a time: what comes after one that waits stays where it is. False: the
 * line was refused, and the client may be gone.
 */
static bool take_lines(struct client *c)
{
	char *end;

	while (!c->waits && (end = memchr(c->line, '\n', c->len))) {
		const size_t n = (size_t)(end - c->line);

		*end = 0;
		loop_arm(c->limit, REQUEST_LIMIT);
		if (n && !c->skips)
			handle_line(c, c->line, n);
		c->skips = false;
		drop(c, n + 1);
	}
	if (c->waits)
		loop_disarm(c->limit);
	else if (c->skips)
		drop(c, c->len);
	if (c->len < sizeof(c->line) || c->waits)
		return true;
	refuse_line(c, "too-long", false, "a request has at most 64 KiB");
	return false;
}

static ssize_t receive(struct client *c)
{
	char *to = c->line + c->len;
	const size_t room = sizeof(c->line) - c->len;

	return c->origin == PORT ? read(c->fd, to, room) :
				   recv(c->fd, to, room, MSG_DONTWAIT);
}

/* The end of a port is that of the host's program: another one comes. */
static void on_readable(void *user, uint32_t events)
{
	struct client *c = user;
	ssize_t n = 1;

	if (c->waits) {
		if (events & (EPOLLHUP | EPOLLERR) && c->origin != PORT)
			hang_up(c);
		return;
	}
	for (int i = 0; i < READS_MAX && !c->waits && n > 0; i++) {
		n = receive(c);
		if (n > 0)
			c->len += (size_t)n;
		if (n > 0 && !take_lines(c))
			return;
	}
	if (c->origin != PORT && (!n || (n < 0 && errno != EAGAIN)))
		hang_up(c);
	else if (c->origin == PORT && n > 0 && !c->waits)
		loop_set_events(c->source, EPOLLIN | EPOLLET);
}

static void on_limit(void *user)
{
	refuse_line(user, "timeout", true,
		    "the request was not complete in time");
}

/* Of those from there that do not wait for the machine; most of them do not. */
static struct client *find_oldest(const struct control *control,
				  enum origin origin)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = control->clients[i];

		if (c && c->origin == origin && !waits_long(c) &&
		    (!oldest || c->number < oldest->number))
			oldest = c;
	}
	return oldest;
}

static unsigned int count_clients(const struct control *control,
				  enum origin origin)
{
	unsigned int count = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *c = control->clients[i];

		count += c && c->origin == origin;
	}
	return count;
}

/* False: all wait for the machine. */
static bool make_room(struct control *control, enum origin origin)
{
	const unsigned int most = origin == PORT ? 1 :
				  origin == HOST ? HOSTS_MAX :
						   LOCAL_MAX;
	struct client *oldest = find_oldest(control, origin);

	if (count_clients(control, origin) < most)
		return true;
	if (!oldest && origin != PORT)
		return false;
	for (size_t i = 0; !oldest && i < CLIENTS_MAX; i++) {
		if (control->clients[i] && control->clients[i]->origin == PORT)
			oldest = control->clients[i];
	}
	hang_up(oldest);
	return true;
}

static struct client *new_client(struct control *control, int fd,
				 enum origin origin)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->control = control;
	c->fd = fd;
	c->origin = origin;
	/* 0 is nobody. */
	c->number = ++control->connections;
	c->source = loop_add_io(control->loop, fd,
				origin == PORT ? EPOLLIN | EPOLLET : EPOLLIN,
				on_readable, c);
	c->limit = loop_add_timer(control->loop, on_limit, c);
	if (c->source && c->limit)
		return c;
	loop_remove(c->source);
	loop_remove(c->limit);
	free(c);
	return NULL;
}

/* Takes @fd. */
static void add_client(struct control *control, int fd, enum origin origin)
{
	struct client *c = make_room(control, origin) ?
				   new_client(control, fd, origin) :
				   NULL;

	if (!c) {
		close(fd);
		return;
	}
	loop_arm(c->limit, REQUEST_LIMIT);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (!control->clients[i]) {
			control->clients[i] = c;
			break;
		}
	}
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
	add_client(control, connection, LOCAL);
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
