// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "seen.h"

bool seen_has(const struct seen *s, dev_t device, ino_t inode)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->file[i].inode == inode && s->file[i].device == device)
			return true;
	}
	return false;
}

int seen_add(struct seen *s, dev_t device, ino_t inode)
{
	struct seen_file *more =
		reallocarray(s->file, s->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->file = more;
	more[s->count++] = (struct seen_file){ device, inode };
	return 0;
}

void seen_free(struct seen *s)
{
	free(s->file);
	*s = (struct seen){ 0 };
}
