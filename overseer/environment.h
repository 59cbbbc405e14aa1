/* SPDX-License-Identifier: MIT */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include "request.h"

/* SYSGENID_HOST_NAME=value for hooks, ending with NULL; to be freed. NULL: no memory. */
char **environment_new(const struct request *r);
void environment_free(char **variables);

#endif /* ENVIRONMENT_H */
