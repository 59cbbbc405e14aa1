// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "waiters.h"

struct waiter {
	answer_fn *answer;
	void *user;
	struct waiter *next;
};

bool waiters_add(struct waiters *w, answer_fn *answer, void *user)
{
	struct waiter *new = calloc(1, sizeof(*new));

	if (!new) {
		answer(user, ANSWER_NOT_READY, "no memory");
		return false;
	}
	*new = (struct waiter){ answer, user, w->first };
	w->first = new;
	return true;
}

void waiters_answer(struct waiters *w, enum answer answer, const char *why)
{
	struct waiter *each = w->first;

	/* An answer may bring the next request. */
	w->first = NULL;
	while (each) {
		struct waiter *next = each->next;

		each->answer(each->user, answer, why);
		free(each);
		each = next;
	}
}

void waiters_forget(struct waiters *w, const void *user)
{
	struct waiter **each = &w->first;

	while (*each) {
		struct waiter *next = (*each)->next;

		if ((*each)->user == user) {
			free(*each);
			*each = next;
		} else {
			each = &(*each)->next;
		}
	}
}
