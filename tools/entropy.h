/* SPDX-License-Identifier: MIT */
#ifndef ENTROPY_H
#define ENTROPY_H

#include <stddef.h>

#include <sysgenid.h>

struct entropy {
	unsigned char bytes[SYSGENID_ENTROPY_MAX];
	size_t len;
};

/* From a file, or "-"; an exit code. */
int read_entropy(const char *path, struct entropy *e);

#endif /* ENTROPY_H */
