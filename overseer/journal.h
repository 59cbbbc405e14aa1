/* SPDX-License-Identifier: MIT */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "phases.h"
#include "state.h"

/* One of these ids in MESSAGE_ID finds the lines of that kind. */
#define JOURNAL_READY "91502b5b42204298bb7c5488aadd83a7"
#define JOURNAL_HELD  "b1b37245742e4cc7ba248ee2332116e0"

/*
 * A line of the log about the machine. Where the log is the journal, programs find the
 * state, the generation and the times of the phases in fields of their own.
 *
 * @id: one of the above. @p: NULL, or what took how long.
 */
void journal_line(int priority, const char *id, const struct situation *now,
		  const struct phases *p, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#endif /* JOURNAL_H */
