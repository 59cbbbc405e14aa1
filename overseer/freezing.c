// SPDX-License-Identifier: MIT
/* Which units are frozen, in a file that outlives the overseer. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "freezing.h"
#include "log.h"

#ifndef FROZEN_FILE
#define FROZEN_FILE "/run/sysgenid/overseer.frozen"
#endif

bool freezing_remember(const struct words *units)
{
	FILE *f = fopen(FROZEN_FILE ".new", "we");
	bool ok = f;

	for (size_t i = 0; ok && i < units->count; i++)
		ok = fprintf(f, "%s\n", units->word[i]) > 0;
	if (f && fclose(f))
		ok = false;
	if (ok && !rename(FROZEN_FILE ".new", FROZEN_FILE))
		return true;
	log_error(FROZEN_FILE ": %s", strerror(errno));
	return false;
}

bool freezing_recall(struct words *units)
{
	FILE *f = fopen(FROZEN_FILE, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	bool ok;

	if (!f && errno == ENOENT)
		return true;
	ok = f;
	while (ok && (len = getline(&line, &size, f)) > 0) {
		line[strcspn(line, "\n")] = 0;
		ok = words_add(units, line);
	}
	ok = ok && feof(f);
	if (!ok)
		log_error(FROZEN_FILE ": %s", strerror(errno));
	free(line);
	if (f)
		fclose(f);
	return ok;
}

void freezing_forget(void)
{
	unlink(FROZEN_FILE);
}
