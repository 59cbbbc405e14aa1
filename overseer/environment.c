// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "environment.h"

/* So that the host sets nothing that a program or the C library looks at by itself. */
#define PREFIX "SYSGENID_HOST_"

char **environment_new(const struct request *r)
{
	size_t at = 0, count = 0;
	const char *variable;
	char **all;

	while (request_variable(r, &at))
		count++;
	all = calloc(count + 1, sizeof(*all));
	at = count = 0;
	while (all && (variable = request_variable(r, &at))) {
		if (asprintf(&all[count], PREFIX "%s", variable) < 0) {
			all[count] = NULL;
			environment_free(all);
			return NULL;
		}
		count++;
	}
	return all;
}

void environment_free(char **variables)
{
	for (char **v = variables; v && *v; v++)
		free(*v);
	free(variables);
}
