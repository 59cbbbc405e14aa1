/* SPDX-License-Identifier: MIT */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A request that grows, and an answer that is read: JSON without a library. */
struct text {
	char bytes[65536];
	size_t len;
	/* More was written than there is room for. */
	bool full;
};

void text_add(struct text *t, const char *bytes);
void __attribute__((format(printf, 2, 3)))
text_format(struct text *t, const char *format, ...);
/* In quotes. */
void text_add_string(struct text *t, const char *string, size_t len);

/*
 * The value of a member of the outermost object: a string without its quotes and
 * escapes, or what else there is. False: there is no such member.
 */
bool json_find(const char *line, const char *name, char *value, size_t size);
/* Whether the member is there, and has this value. */
bool json_is(const char *line, const char *name, const char *value);

#endif /* JSON_TEXT_H */
