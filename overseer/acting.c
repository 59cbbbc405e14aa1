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

static void ask_machine(struct acting *a, const struct channel_request *r)
{
	struct pending *p = a->count < PENDING_MAX ? calloc(1, sizeof(*p)) :
						     NULL;

	if (!p) {
		answer(a, r->id, CHANNEL_NOT_READY, "no memory");
		return;
	}
	*p = (struct pending){ a, r->id, a->pending };
	a->pending = p;
	a->count++;
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
static bool is_well_formed(const struct channel_request *r, ssize_t n)
{
	return n == sizeof(*r) && r->kind < CHANNEL_KINDS && r->flag <= 1 &&
	       r->len <= sizeof(r->entropy) && r->client >= 0 &&
	       (r->kind == CHANNEL_TRIGGER) == (r->len > 0);
}

static void act(struct acting *a, const struct channel_request *r)
{
	switch ((enum channel_kind)r->kind) {
	case CHANNEL_STATUS:
		machine_look(a->machine);
		answer_object(a, r->id, machine_status(a->machine));
		break;
	case CHANNEL_QUIESCE:
	case CHANNEL_RESUME:
		ask_machine(a, r);
		break;
	case CHANNEL_TRIGGER:
		trigger(a, r);
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
	struct acting *a = user;
	struct channel_request r;
	ssize_t n = recv(a->channel, &r, sizeof(r), MSG_DONTWAIT | MSG_TRUNC);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && is_well_formed(&r, n))
		act(a, &r);
	else
		a->is_lost = true;
	if (n > 0 && !is_well_formed(&r, n))
		log_error(
			"the process that reads requests sent a malformed one");
	/* From the loop alone, as it frees what answers come from. */
	if (a->is_lost)
		a->lost(a->user);
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
