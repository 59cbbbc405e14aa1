// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acting.h"
#include "channel.h"
#include "log.h"

/* More than control.c lets wait. */
#define PENDING_MAX 64

struct pending {
	struct acting *acting;
	uint64_t id;
	struct pending *next;
};

struct acting {
	struct machine *machine;
	struct loop_source *source;
	int channel;
	struct pending *pending;
	unsigned int count;
	bool pinged, is_lost;
	acting_lost_fn *lost;
	void *user;
};

/* A channel that takes nothing has a reader that hangs. */
static void answer(struct acting *a, uint64_t id, enum channel_result result,
		   const char *text)
{
	static struct channel_answer m;

	m.id = id;
	m.result = result;
	memset(m.text, 0, sizeof(m.text));
	snprintf(m.text, sizeof(m.text), "%s", text ? text : "");
	if (send(a->channel, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    sizeof(m))
		a->is_lost = true;
}

static void answer_object(struct acting *a, uint64_t id, struct json_object *o)
{
	answer(a, id, CHANNEL_DONE,
	       json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

static void remove_pending(struct pending *p)
{
	struct pending **each = &p->acting->pending;

	while (*each != p)
		each = &(*each)->next;
	*each = p->next;
	p->acting->count--;
	free(p);
}

static void on_answer(void *user, enum answer result, const char *why)
{
	struct pending *p = user;
	struct acting *a = p->acting;

	if (result == ANSWER_DONE)
		answer_object(a, p->id, machine_status(a->machine));
	else
		answer(a, p->id,
		       result == ANSWER_NOT_READY ? CHANNEL_NOT_READY :
						    CHANNEL_FAILED,
		       why);
	remove_pending(p);
}

static void forget(struct acting *a, struct pending *p)
{
	machine_forget(a->machine, p);
	remove_pending(p);
}

/* NULL: the answer said that there is no memory. */
static struct pending *add_pending(struct acting *a, uint64_t id)
{
	struct pending *p = a->count < PENDING_MAX ? calloc(1, sizeof(*p)) :
						     NULL;

	if (!p) {
		answer(a, id, CHANNEL_NOT_READY, "no memory");
		return NULL;
	}
	*p = (struct pending){ a, id, a->pending };
	a->pending = p;
	a->count++;
	return p;
}

static void on_restored(void *user, enum answer result, const char *text)
{
	struct pending *p = user;

	answer(p->acting, p->id,
	       result == ANSWER_DONE	  ? CHANNEL_RESTORED :
	       result == ANSWER_NOT_READY ? CHANNEL_NOT_READY :
					    CHANNEL_FAILED,
	       text);
	remove_pending(p);
}

static void restore(struct acting *a, const struct channel_restore *r)
{
	struct pending *p = add_pending(a, r->head.id);

	if (p)
		machine_restore(a->machine, &r->request, on_restored, p);
}

static void ask_machine(struct acting *a, const struct channel_request *r)
{
	struct pending *p = add_pending(a, r->id);

	if (!p)
		return;
	if (r->kind == CHANNEL_QUIESCE)
		machine_quiesce(a->machine, r->flag, r->client, on_answer, p);
	else
		machine_resume(a->machine, r->flag, on_answer, p);
}

static void trigger(struct acting *a, const struct channel_request *r)
{
	struct json_object *o;
	uint32_t generation;
	const char *error;
	char why[256];

	if (!machine_trigger(a->machine, r->entropy, r->len, &generation,
			     &error)) {
		answer(a, r->id, CHANNEL_FAILED,
		       "the overseer makes no generations here: see publisher in sysgenid-overseer.conf(5)");
		return;
	}
	if (error) {
		snprintf(why, sizeof(why),
			 "generation %" PRIu32 " was published, but: %s",
			 generation, error);
		answer(a, r->id, CHANNEL_FAILED, why);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "generation",
			       json_object_new_int64(generation));
	json_object_object_add(o, "published", json_object_new_boolean(true));
	answer_object(a, r->id, o);
}

static void end_of(struct acting *a, uint64_t id)
{
	struct pending *p = a->pending;

	while (p && p->id != id)
		p = p->next;
	if (p)
		forget(a, p);
}

/* Whoever sends it may be under somebody else's control: nothing but these values is taken. */
static bool is_well_formed(const struct channel_restore *whole, ssize_t n)
{
	const struct channel_request *r = &whole->head;
	char why[256];

	if (n < (ssize_t)sizeof(*r))
		return false;
	if (r->kind == CHANNEL_RESTORE)
		return n == sizeof(*whole) && !r->len &&
		       request_is_valid(&whole->request, why, sizeof(why));
	return n == sizeof(*r) && r->kind < CHANNEL_KINDS && r->flag <= 1 &&
	       r->len <= sizeof(r->entropy) && r->client >= 0 &&
	       (r->kind == CHANNEL_TRIGGER) == (r->len > 0);
}

static void act(struct acting *a, const struct channel_restore *whole)
{
	const struct channel_request *r = &whole->head;

	switch ((enum channel_kind)r->kind) {
	case CHANNEL_STATUS:
		machine_look(a->machine);
		answer_object(a, r->id, machine_status(a->machine));
		break;
	case CHANNEL_METRICS:
		answer_object(a, r->id, machine_metrics(a->machine));
		break;
	case CHANNEL_QUIESCE:
	case CHANNEL_RESUME:
		ask_machine(a, r);
		break;
	case CHANNEL_TRIGGER:
		trigger(a, r);
		break;
	case CHANNEL_RESTORE:
		restore(a, whole);
		break;
	case CHANNEL_FORGET:
		end_of(a, r->id);
		break;
	case CHANNEL_ALIVE:
		a->pinged = false;
		break;
	case CHANNEL_KINDS:
		break;
	}
}

static void on_request(void *user, uint32_t events)
{
	static struct channel_restore r;
	struct acting *a = user;
	ssize_t n = recv(a->channel, &r, sizeof(r), MSG_DONTWAIT | MSG_TRUNC);
	bool ok;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	ok = n > 0 && is_well_formed(&r, n);
	if (ok)
		act(a, &r);
	else
		a->is_lost = true;
	/* There may be entropy in it. */
	explicit_bzero(&r, sizeof(r));
	if (n > 0 && !ok)
		log_error(
			"the process that reads requests sent a malformed one");
	/* From the loop alone, as it frees what answers come from. */
	if (a->is_lost)
		a->lost(a->user);
}

bool acting_pass(struct acting *a, int fd, bool is_port)
{
	static struct channel_answer m;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec part = { &m, sizeof(m) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	m.result = is_port ? CHANNEL_PORT : CHANNEL_CONNECTION;
	if (fd < 0) {
		m.result = CHANNEL_CLOSE;
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(a->channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       sizeof(m);
}

bool acting_ping(struct acting *a)
{
	const bool was_answered = !a->pinged && !a->is_lost;

	a->pinged = true;
	answer(a, 0, CHANNEL_PING, NULL);
	return was_answered;
}

struct acting *acting_new(struct loop *loop, struct machine *m, int channel,
			  acting_lost_fn *lost, void *user)
{
	struct acting *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->machine = m;
	a->channel = channel;
	a->lost = lost;
	a->user = user;
	a->source = loop_add_io(loop, channel, EPOLLIN, on_request, a);
	if (a->source)
		return a;
	free(a);
	return NULL;
}

void acting_free(struct acting *a)
{
	if (!a)
		return;
	while (a->pending)
		forget(a, a->pending);
	loop_remove(a->source);
	close(a->channel);
	free(a);
}
