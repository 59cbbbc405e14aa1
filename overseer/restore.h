/* SPDX-License-Identifier: MIT */
#ifndef RESTORE_H
#define RESTORE_H

#include <json-c/json.h>

#include "phases.h"
#include "request.h"
#include "state.h"
#include "waiters.h"

/*
 * The host's request of one generation, and its one answer. Memory is part of a snapshot:
 * the next generation forgets both, or a clone would answer for its siblings.
 */
struct restore {
	uint32_t generation;
	/* Nothing is asked: a nonce of no bytes. */
	struct request request;
	/* Nanoseconds of CLOCK_BOOTTIME. */
	uint64_t since;
	/* NULL: not yet. */
	char *answer;
	bool was_ready;
	struct waiters waiters;
};

bool restore_is_of(const struct restore *r, uint32_t generation);
bool restore_is_under_way(const struct restore *r);
/* Forgets the last one. */
void restore_begin(struct restore *r, const struct request *request,
		   uint32_t generation);
/* Who waits is told that there is a newer generation. */
void restore_forget(struct restore *r);

/* What an answer tells. @error: a word, and @why a sentence; NULL: none. */
struct restored {
	enum state state;
	uint32_t generation;
	/* NULL: none. */
	const unsigned char *id;
	bool reseeded;
	const struct phases *phases;
	/* To be put; NULL: none. */
	struct json_object *laggards;
	const char *error, *why;
};

/* The answer to all who wait for it, and to who asks again. */
void restore_answer(struct restore *r, const struct restored *facts);
/* To somebody alone, whose request is not done. */
void restore_refuse(const struct request *request, const struct restored *facts,
		    answer_fn *answer, void *user);

#endif /* RESTORE_H */
