// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json-text.h"

static void add(struct text *t, const char *bytes, size_t len)
{
	if (t->len + len >= sizeof(t->bytes)) {
		t->full = true;
		return;
	}
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
	t->bytes[t->len] = 0;
}

void text_add(struct text *t, const char *bytes)
{
	add(t, bytes, strlen(bytes));
}

void text_format(struct text *t, const char *format, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		t->full = true;
	else
		add(t, text, (size_t)n);
}

void text_add_string(struct text *t, const char *string, size_t len)
{
	add(t, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)string[i];

		if (c < ' ')
			text_format(t, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			text_format(t, "\\%c", c);
		else
			add(t, string + i, 1);
	}
	add(t, "\"", 1);
}

/* Behind the string that begins with the quote at @at. */
static const char *end_of_string(const char *at)
{
	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
	}
	return *at ? at + 1 : at;
}

/* Behind the value, whatever it is. */
static const char *end_of_value(const char *at)
{
	int depth = 0;

	while (*at) {
		if (*at == '"') {
			at = end_of_string(at);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if ((*at == '}' || *at == ']' || *at == ',') && !depth)
			break;
		else if (*at == '}' || *at == ']')
			depth--;
		at++;
	}
	return at;
}

static void copy(const char *from, const char *end, char *to, size_t size)
{
	const bool quoted = *from == '"';
	size_t n = 0;

	if (quoted) {
		from++;
		end -= end > from && end[-1] == '"';
	}
	for (; from < end && n + 1 < size; from++) {
		if (quoted && *from == '\\' && from + 1 < end)
			from++;
		/* This goes to a terminal. */
		to[n++] = (unsigned char)*from < ' ' ? '?' : *from;
	}
	to[n] = 0;
}

bool json_find(const char *line, const char *name, char *value, size_t size)
{
	const char *at = line + strspn(line, " \t");

	if (*at++ != '{')
		return false;
	while (*at) {
		const char *key, *end;

		at += strspn(at, " \t,");
		if (*at != '"')
			return false;
		key = at + 1;
		at = end_of_string(at);
		end = at - 1;
		at += strspn(at, " \t");
		if (*at++ != ':')
			return false;
		at += strspn(at, " \t");
		if ((size_t)(end - key) == strlen(name) &&
		    !memcmp(key, name, strlen(name))) {
			copy(at, end_of_value(at), value, size);
			return true;
		}
		at = end_of_value(at);
	}
	return false;
}

bool json_is(const char *line, const char *name, const char *value)
{
	char found[512];

	return json_find(line, name, found, sizeof(found)) &&
	       !strcmp(found, value);
}
