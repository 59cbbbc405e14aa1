/* SPDX-License-Identifier: MIT */
#ifndef WAITERS_H
#define WAITERS_H

#include <stdbool.h>

enum answer {
	ANSWER_DONE,
	/* Not now; try again. */
	ANSWER_NOT_READY,
	ANSWER_FAILED,
};

/* @why: one line, or NULL. Called once, perhaps before the request returns. */
typedef void answer_fn(void *user, enum answer answer, const char *why);

/* Clients whose request is under way; each is answered once, whatever comes first. */
struct waiters {
	struct waiter *first;
};

/* False: there is no memory, and the answer said so. */
bool waiters_add(struct waiters *w, answer_fn *answer, void *user);
void waiters_answer(struct waiters *w, enum answer answer, const char *why);
/* Nobody waits for this answer any more. */
void waiters_forget(struct waiters *w, const void *user);

#endif /* WAITERS_H */
