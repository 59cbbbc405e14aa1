/* SPDX-License-Identifier: MIT */
#ifndef SET_HOSTNAME_H
#define SET_HOSTNAME_H

#include <stdbool.h>
#include <stddef.h>

/* Now and, if @keeps, in the file that the next boot reads. 0; or -errno and @why. */
int set_hostname(const char *name, bool keeps, char *why, size_t size);

#endif /* SET_HOSTNAME_H */
