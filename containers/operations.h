/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_OPERATIONS_H
#define CONTAINERS_OPERATIONS_H

#include "arguments.h"
#include "settings.h"

/* What was asked for. The exit status; complaints were made. */
int operate(const struct settings *s, struct arguments *a);

#endif /* CONTAINERS_OPERATIONS_H */
