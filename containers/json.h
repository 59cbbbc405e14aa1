/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_JSON_H
#define CONTAINERS_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* Of a file of ours, of config.json and of process.json. */
#define JSON_FILE_MAX (4u << 20)
#define JSON_DEPTH    32

/*
 * Strict: one object, UTF-8, no member twice or in two spellings, no zero byte in a
 * string, nothing behind. NULL: @why says what is wrong, without the name of the file.
 */
struct json_object *json_parse(const char *text, size_t len, char *why,
			       size_t size);
/* A regular file of at most JSON_FILE_MAX bytes, relative to @dir. */
struct json_object *json_read_at(int dir, const char *path, char *why,
				 size_t size);
/* The bytes of such a file, with a zero byte behind, to be freed. */
char *json_slurp_at(int dir, const char *path, size_t *len, char *why,
		    size_t size);
/* -errno. The file is whole or not there: it is renamed into place. */
int json_write_at(int dir, const char *name, struct json_object *o);

/*
 * 0: for runc the two are one name. Go's parser takes a member for a known one
 * whatever the case of its letters is, and the last of several counts.
 */
int json_compare_names(const char *a, const char *b);

struct json_object *json_member(struct json_object *o, const char *name,
				enum json_type type);
/* NULL if there is no such string. */
const char *json_text(struct json_object *o, const char *name);

#endif /* CONTAINERS_JSON_H */
