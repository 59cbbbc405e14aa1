// SPDX-License-Identifier: MIT
/* --entropy: bytes that differ in each clone. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "entropy.h"
#include "sysgenidctl.h"

/*
 * A file may not be longer than what is used of it: the part that differs in
 * each clone could be the one left out. A device has no end.
 */
int read_entropy(const char *path, struct entropy *e)
{
	bool is_stdin = !strcmp(path, "-");
	FILE *f = is_stdin ? stdin : fopen(path, "rbe");
	bool endless, failed, longer;
	struct stat st;

	if (!f)
		return complain(-errno, path);
	setvbuf(f, NULL, _IONBF, 0);
	endless = fstat(fileno(f), &st) == 0 && S_ISCHR(st.st_mode);
	e->len = fread(e->bytes, 1, sizeof(e->bytes), f);
	longer = !endless && e->len == sizeof(e->bytes) && fgetc(f) != EOF;
	failed = ferror(f);
	if (!is_stdin)
		fclose(f);
	if (!failed && !longer && e->len)
		return DONE;
	fprintf(stderr, "sysgenidctl: %s: %s\n", path,
		failed ? "cannot be read" :
		longer ? "longer than 512 bytes; give a digest of it" :
			 "empty");
	return FAILED;
}
