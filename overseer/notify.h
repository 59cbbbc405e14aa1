/* SPDX-License-Identifier: MIT */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "loop.h"

/* Lines for who started the overseer, as sd_notify(3) documents them; nothing if nobody asked. */
void notify(const char *lines);
/* "STATUS=", on one line. */
void notify_status(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
/* From now on the loop says that it goes round. False: no memory. */
bool notify_watchdog(struct loop *l);

#endif /* NOTIFY_H */
