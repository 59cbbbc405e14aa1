/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_SIGNALS_H
#define CONTAINERS_SIGNALS_H

#include <stdbool.h>

/* TERM, SIGTERM, term and 15 are one. 0: no such signal. */
int signal_number(const char *name);
/* Whether a container ends, or stands still, by this signal to its init. */
bool signal_ends(int number);

#endif /* CONTAINERS_SIGNALS_H */
