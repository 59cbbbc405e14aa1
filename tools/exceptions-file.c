// SPDX-License-Identifier: MIT
/* sysgenidctl gate arm --exceptions FILE. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exceptions-file.h"

struct parser {
	struct exceptions *to;
	const char *path;
	unsigned int line;
};

static bool refuse(const struct parser *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool refuse(const struct parser *p, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "sysgenidctl: %s:%u: ", p->path, p->line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

static bool add_line(struct parser *p, char *line)
{
	static const struct {
		const char *word;
		bool (*add)(struct exceptions *e, const char *rest);
	} kinds[] = {
		{ "device", exceptions_add_device },
		{ "mark", exceptions_add_mark },
		{ "filter", exceptions_add_filter },
		{ "bytecode", exceptions_add_bytecode },
	};
	size_t len = strlen(line), word;

	while (len && isspace((unsigned char)line[len - 1]))
		line[--len] = 0;
	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return true;
	word = strcspn(line, " \t");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strlen(kinds[i].word) != word ||
		    strncmp(line, kinds[i].word, word))
			continue;
		line += word + strspn(line + word, " \t");
		if (!*line)
			return refuse(p, "%s: nothing follows", kinds[i].word);
		return kinds[i].add(p->to, line) ||
		       refuse(p, "%s: %s", kinds[i].word, p->to->why);
	}
	return refuse(
		p,
		"\"%.*s\" is neither \"device\", \"mark\", \"filter\" nor \"bytecode\"",
		(int)word, line);
}

static bool read_lines(struct parser *p, FILE *f)
{
	size_t room = 0;
	char *line = NULL;
	bool ok = true;
	ssize_t n;

	while (ok && (n = getline(&line, &room, f)) >= 0) {
		p->line++;
		ok = strlen(line) == (size_t)n ?
			     add_line(p, line) :
			     refuse(p, "there is a 0 byte in the line");
	}
	free(line);
	if (ok && ferror(f))
		ok = refuse(p, "%s", strerror(errno));
	return ok &&
	       (exceptions_join_filters(p->to) || refuse(p, "%s", p->to->why));
}

bool exceptions_read(const char *path, struct exceptions *e)
{
	struct parser p = { .to = e, .path = path };
	FILE *f = fopen(path, "re");
	bool ok;

	memset(e, 0, sizeof(*e));
	if (!f) {
		fprintf(stderr, "sysgenidctl: %s: %s\n", path, strerror(errno));
		return false;
	}
	ok = read_lines(&p, f);
	fclose(f);
	if (!ok)
		exceptions_free(e);
	return ok;
}
