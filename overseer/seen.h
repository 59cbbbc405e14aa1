/* SPDX-License-Identifier: MIT */
#ifndef SEEN_H
#define SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Files that were met already, by their device and inode. */
struct seen {
	struct seen_file {
		dev_t device;
		ino_t inode;
	} * file;
	size_t count;
};

bool seen_has(const struct seen *s, dev_t device, ino_t inode);
/* 0 or -ENOMEM. */
int seen_add(struct seen *s, dev_t device, ino_t inode);
void seen_free(struct seen *s);

#endif /* SEEN_H */
