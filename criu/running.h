/* SPDX-License-Identifier: MIT */
#ifndef RUNNING_H
#define RUNNING_H

#include <stdbool.h>

/* Of the first line of "criu --version". */
bool running_parse(const char *text, unsigned int *major, unsigned int *minor);
/* Of the criu(8) that runs. 0 or -errno. */
int running_version(unsigned int *major, unsigned int *minor);

#endif /* RUNNING_H */
