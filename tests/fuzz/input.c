// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

static const uint8_t *at;
static size_t left;

void input_begin(const uint8_t *data, size_t size)
{
	at = data;
	left = size;
}

bool input_is_over(void)
{
	return !left;
}

uint8_t input_byte(void)
{
	if (!left)
		return 0;
	left--;
	return *at++;
}

size_t input_bytes(void *to, size_t size)
{
	if (size > left)
		size = left;
	if (size)
		memcpy(to, at, size);
	at += size;
	left -= size;
	return size;
}

uint32_t input_word(void)
{
	uint32_t word = 0;

	input_bytes(&word, sizeof(word));
	return word;
}

char *input_text(void)
{
	const uint8_t *end = left ? memchr(at, 0, left) : NULL;
	size_t len = end ? (size_t)(end - at) : left;
	char *text = malloc(len + 1);

	MUST(text);
	input_bytes(text, len);
	text[len] = 0;
	if (end)
		input_byte();
	return text;
}

void must_fail(const char *fact, const char *file, int line)
{
	dprintf(2, "%s:%d: not so: %s\n", file, line, fact);
	abort();
}
