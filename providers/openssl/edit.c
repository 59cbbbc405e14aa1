// SPDX-License-Identifier: MIT
/*
 * The one line that is added to openssl.cnf, at its head. OpenSSL reads a section
 * that comes twice as one, and takes the later of two equal keys. So what the
 * administrator says wins, and stays as it is. OpenSSL ignores an included file
 * that is missing.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define LINE ".include " INCLUDED "\n"

/* What early versions added to the end of the file. */
#define EARLY_BEGIN \
	"# sysgenid: begin. \"sysgenidctl openssl disable\" takes this out.\n"
#define EARLY_END "\n# sysgenid: end"
/* Where the file's last line had none. */
#define EARLY_NEWLINE ", and the newline before the begin was not there"

/* Where this line begins, or NULL. */
static const char *find_line(const struct text *t, const char *line)
{
	const char *end = t->bytes + t->len, *at = t->bytes;
	size_t len = strlen(line);

	while ((at = memmem(at, (size_t)(end - at), line, len))) {
		if (at == t->bytes || at[-1] == '\n')
			return at;
		at++;
	}
	return NULL;
}

enum state config_state(const struct text *t)
{
	if (find_line(t, EARLY_BEGIN))
		return ENABLED_EARLY;
	return find_line(t, LINE) ? ENABLED : DISABLED;
}

static bool begins_with(const char *at, const char *end, const char *what)
{
	size_t len = strlen(what);

	return (size_t)(end - at) >= len && !memcmp(at, what, len);
}

/* What is left without the bytes from @from to @to. */
static bool without(const struct text *in, const char *from, const char *to,
		    struct text *out)
{
	size_t head = (size_t)(from - in->bytes);
	size_t tail = in->len - (size_t)(to - in->bytes);

	out->len = head + tail;
	out->bytes = malloc(out->len + 1);
	if (!out->bytes)
		return complain("out of memory"), false;
	memcpy(out->bytes, in->bytes, head);
	memcpy(out->bytes + head, to, tail);
	return true;
}

static bool without_early_lines(const struct text *in, struct text *out)
{
	const char *from = find_line(in, EARLY_BEGIN);
	const char *last = in->bytes + in->len;
	const char *to = memmem(from, (size_t)(last - from), EARLY_END,
				strlen(EARLY_END));

	if (to) {
		to += strlen(EARLY_END);
		if (begins_with(to, last, EARLY_NEWLINE) && from > in->bytes) {
			to += strlen(EARLY_NEWLINE);
			from--;
		}
	}
	if (!to || to == last || *to != '\n') {
		complain(
			"the lines that sysgenid added are not whole any more; take them out by hand, they begin with: %.16s",
			EARLY_BEGIN);
		return false;
	}
	return without(in, from, to + 1, out);
}

bool config_disable(const struct text *in, struct text *out)
{
	const char *line = find_line(in, LINE);

	if (config_state(in) == ENABLED_EARLY)
		return without_early_lines(in, out);
	return without(in, line, line + strlen(LINE), out);
}

bool config_enable(const struct text *in, struct text *out)
{
	struct text rest = { NULL, 0 };

	if (config_state(in) == ENABLED_EARLY) {
		if (!config_disable(in, &rest))
			return false;
		in = &rest;
	}
	out->len = strlen(LINE) + in->len;
	out->bytes = malloc(out->len + 1);
	if (out->bytes) {
		memcpy(out->bytes, LINE, strlen(LINE));
		memcpy(out->bytes + strlen(LINE), in->bytes, in->len);
	} else {
		complain("out of memory");
	}
	free(rest.bytes);
	return out->bytes;
}
