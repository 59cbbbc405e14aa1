// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sysgenid.h>

#include "base64.h"
#include "protocol.h"
#include "restore.h"

bool restore_is_of(const struct restore *r, uint32_t generation)
{
	return r->request.nonce_len && r->generation == generation;
}

bool restore_is_under_way(const struct restore *r)
{
	return r->request.nonce_len && !r->answer;
}

static void add(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name,
			       text ? json_object_new_string(text) : NULL);
}

static void add_id(struct json_object *o, const unsigned char *id)
{
	char hex[2 * SYSGENID_INSTANCE_SIZE + 1];

	for (size_t i = 0; id && i < SYSGENID_INSTANCE_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	add(o, "id", id ? hex : NULL);
}

static struct json_object *compose(const struct request *r,
				   const struct restored *f)
{
	struct json_object *o = json_object_new_object();
	char nonce[BASE64_SIZE(REQUEST_NONCE_MAX)];

	base64_encode(r->nonce, r->nonce_len, nonce);
	json_object_object_add(o, "version",
			       json_object_new_int(PROTOCOL_VERSION));
	add(o, "nonce", nonce);
	json_object_object_add(o, "ok", json_object_new_boolean(!f->error));
	json_object_object_add(o, "generation",
			       json_object_new_int64(f->generation));
	add_id(o, f->id);
	add(o, "state", state_name(f->state));
	json_object_object_add(o, "reseeded",
			       json_object_new_boolean(f->reseeded));
	json_object_object_add(o, "phases",
			       f->phases ? phases_json(f->phases) :
					   json_object_new_object());
	json_object_object_add(o, "laggards",
			       f->laggards ? f->laggards :
					     json_object_new_array());
	add(o, "error", f->error);
	if (f->error)
		add(o, "message", f->why);
	return o;
}

static const char *text_of(struct json_object *o)
{
	return json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

void restore_refuse(const struct request *request, const struct restored *facts,
		    answer_fn *answer, void *user)
{
	struct json_object *o = compose(request, facts);

	answer(user, ANSWER_DONE, text_of(o));
	json_object_put(o);
}

void restore_answer(struct restore *r, const struct restored *facts)
{
	struct json_object *o = compose(&r->request, facts);

	r->answer = strdup(text_of(o));
	r->was_ready = facts->state == READY;
	json_object_put(o);
	if (r->answer)
		waiters_answer(&r->waiters, ANSWER_DONE, r->answer);
	else
		waiters_answer(&r->waiters, ANSWER_NOT_READY, "no memory");
}

void restore_forget(struct restore *r)
{
	waiters_answer(&r->waiters, ANSWER_NOT_READY,
		       "there is a newer generation");
	request_wipe(&r->request);
	free(r->answer);
	r->answer = NULL;
	r->was_ready = false;
}

void restore_begin(struct restore *r, const struct request *request,
		   uint32_t generation)
{
	restore_forget(r);
	r->request = *request;
	r->generation = generation;
	r->since = phases_now();
}
