/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_ERRORS_H
#define CONTAINERS_ERRORS_H

#include <stdbool.h>

/* sysgenid-runtime(8) describes each. */
enum error {
	ERROR_NOT_READY,
	ERROR_DENIED,
	ERROR_STALE,
	ERROR_EXISTS,
	ERROR_NOT_FOUND,
	ERROR_BAD_STATE,
	ERROR_BAD_POLICY,
	ERROR_BAD_REQUEST,
	ERROR_FAILED,
};

/* With its end, the longest line of an error. */
#define ERROR_LINE_MAX 3072

/* What --log and --log-format said. @log may be NULL. */
void errors_log(const char *log, bool json);
/* One line on stderr, and in the log. Always 1, the exit status. */
int fail(enum error error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* CONTAINERS_ERRORS_H */
