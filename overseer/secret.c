// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <string.h>

#include "secret.h"

static const char name[] = "entropy";

/* Behind the last character of the string that begins at @text. */
static size_t length_of(const char *text, size_t left)
{
	size_t n = 0;

	while (n < left && text[n] != '"')
		n += text[n] == '\\' ? 2 : 1;
	return n < left ? n : left;
}

/* Some programs write a slash as \/; no other escape is base64. */
static void take(struct secret *s, char *text, size_t len)
{
	s->present = true;
	s->len = 0;
	for (size_t i = 0; i < len && s->len <= SECRET_MAX; i++) {
		if (text[i] == '\\' && i + 1 < len && text[i + 1] == '/')
			continue;
		if (s->len < SECRET_MAX)
			s->text[s->len] = text[i];
		s->len++;
	}
	explicit_bzero(text, len);
	memset(text, 'A', len);
}

void secret_take(struct secret *s, char *line, size_t len)
{
	bool is_name = false, is_value = false;
	int depth = 0;

	*s = (struct secret){ .present = false };
	for (size_t i = 0; i < len; i++) {
		char *text = line + i + 1;
		size_t n;

		switch (line[i]) {
		case '"':
			n = length_of(text, len - i - 1);
			if (depth == 1 && is_value)
				take(s, text, n);
			is_name = n == strlen(name) && !memcmp(text, name, n);
			i += n + 1;
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			depth--;
			break;
		case ':':
			is_value = is_name;
			break;
		case ',':
			is_value = false;
			break;
		default:
			break;
		}
	}
}

void secret_wipe(struct secret *s)
{
	explicit_bzero(s, sizeof(*s));
}
