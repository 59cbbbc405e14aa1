// SPDX-License-Identifier: MIT
/* What json-c lets pass and engines, crun and we could read differently is refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"

/* Every member of every object has a colon, and none stands elsewhere. */
static size_t count_colons(const char *text, size_t len)
{
	bool in_string = false;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (text[i] == ':' && !in_string)
			n++;
	}
	return n;
}

/* The next character of a name; two characters beyond ASCII have an ASCII letter as a case. */
static int next_folded(const char **at)
{
	static const char long_s[] = "\xc5\xbf", kelvin[] = "\xe2\x84\xaa";
	unsigned char c = (unsigned char)**at;

	if (!strncmp(*at, long_s, strlen(long_s))) {
		*at += strlen(long_s);
		return 's';
	}
	if (!strncmp(*at, kelvin, strlen(kelvin))) {
		*at += strlen(kelvin);
		return 'k';
	}
	*at += c != 0;
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

int json_compare_names(const char *a, const char *b)
{
	int x, y;

	do {
		x = next_folded(&a);
		y = next_folded(&b);
	} while (x && x == y);
	return x - y;
}

static int compare_entries(const void *a, const void *b)
{
	return json_compare_names(*(const char *const *)a,
				  *(const char *const *)b);
}

static const char *find_spellings(struct json_object *o)
{
	size_t count = (size_t)json_object_object_length(o), n = 0;
	const char **names, *wrong = NULL;

	if (count < 2)
		return NULL;
	names = malloc(count * sizeof(*names));
	if (!names)
		return "no memory";
	json_object_object_foreach(o, name, value) {
		(void)value;
		names[n++] = name;
	}
	qsort(names, n, sizeof(*names), compare_entries);
	for (size_t i = 1; i < n && !wrong; i++) {
		if (!json_compare_names(names[i - 1], names[i]))
			wrong = "two members of one object differ only in case";
	}
	free(names);
	return wrong;
}

static const char *check_text(struct json_object *o)
{
	size_t len = (size_t)json_object_get_string_len(o);

	return memchr(json_object_get_string(o), 0, len) ?
		       "a string has a zero byte in it" :
		       NULL;
}

/* What is wrong with it; *@members: those of all objects. */
static const char *check_all(struct json_object *o, size_t *members)
{
	const char *wrong = NULL;

	if (json_object_is_type(o, json_type_string))
		return check_text(o);
	if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; !wrong && i < json_object_array_length(o);
		     i++)
			wrong = check_all(json_object_array_get_idx(o, i),
					  members);
		return wrong;
	}
	if (!json_object_is_type(o, json_type_object))
		return NULL;
	*members += (size_t)json_object_object_length(o);
	wrong = find_spellings(o);
	json_object_object_foreach(o, name, value) {
		(void)name;
		if (!wrong)
			wrong = check_all(value, members);
	}
	return wrong;
}

/* json-c ends the name of a member at a zero byte: such a name is not ours. */
static bool has_zero_escape(const char *text, size_t len)
{
	for (const char *at = text;
	     (at = memmem(at, len - (size_t)(at - text), "u0000", 5)); at++) {
		size_t slashes = 0;

		while (at - slashes > text && at[-1 - (ssize_t)slashes] == '\\')
			slashes++;
		if (slashes % 2)
			return true;
	}
	return false;
}

static const char *check(struct json_object *o, const char *text, size_t len)
{
	const char *wrong;
	size_t members = 0;

	if (!json_object_is_type(o, json_type_object))
		return "not a JSON object";
	wrong = check_all(o, &members);
	if (wrong)
		return wrong;
	if (members != count_colons(text, len))
		return "a member stands twice in one object";
	return has_zero_escape(text, len) ? "a string has a zero byte in it" :
					    NULL;
}

struct json_object *json_parse(const char *text, size_t len, char *why,
			       size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *o = NULL;
	const char *wrong = NULL;

	if (len > JSON_FILE_MAX)
		wrong = "more than 4 MiB";
	else if (!tokener)
		wrong = "no memory";
	else if (memchr(text, 0, len))
		wrong = "there is a zero byte in it";
	if (!wrong) {
		json_tokener_set_flags(tokener,
				       JSON_TOKENER_STRICT |
					       JSON_TOKENER_VALIDATE_UTF8);
		/* With the zero byte behind: that is the end. */
		o = json_tokener_parse_ex(tokener, text, (int)len + 1);
		wrong = o ? check(o, text, len) :
			    json_tokener_error_desc(
				    json_tokener_get_error(tokener));
	}
	if (tokener)
		json_tokener_free(tokener);
	if (!wrong)
		return o;
	snprintf(why, size, "%s", wrong);
	json_object_put(o);
	return NULL;
}

static char *slurp(int fd, size_t *len, const char **wrong)
{
	struct stat st;
	size_t room, n = 0;
	char *text;
	ssize_t got;

	if (fstat(fd, &st)) {
		*wrong = strerror(errno);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		*wrong = "not a regular file";
		return NULL;
	}
	if (st.st_size > JSON_FILE_MAX) {
		*wrong = "more than 4 MiB";
		return NULL;
	}
	room = (size_t)st.st_size + 2;
	text = malloc(room);
	if (!text) {
		*wrong = "no memory";
		return NULL;
	}
	while (n < room - 1) {
		got = read(fd, text + n, room - 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			*wrong = strerror(errno);
			free(text);
			return NULL;
		}
		if (!got)
			break;
		n += (size_t)got;
	}
	/* One byte more than it had: somebody writes to it. */
	if (n != (size_t)st.st_size) {
		*wrong = "the file changed while it was read";
		free(text);
		return NULL;
	}
	text[n] = 0;
	*len = n;
	return text;
}

char *json_slurp_at(int dir, const char *path, size_t *len, char *why,
		    size_t size)
{
	int fd =
		openat(dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	const char *wrong = NULL;
	char *text = NULL;

	if (fd < 0)
		wrong = strerror(errno);
	else
		text = slurp(fd, len, &wrong);
	if (fd >= 0)
		close(fd);
	if (!text)
		snprintf(why, size, "%s", wrong);
	return text;
}

struct json_object *json_read_at(int dir, const char *path, char *why,
				 size_t size)
{
	size_t len;
	char *text = json_slurp_at(dir, path, &len, why, size);
	struct json_object *o = text ? json_parse(text, len, why, size) : NULL;

	free(text);
	return o;
}

int json_write_at(int dir, const char *name, struct json_object *o)
{
	const char *text = json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	char unfinished[64];
	size_t len, done = 0;
	int fd, r = 0;

	snprintf(unfinished, sizeof(unfinished), ".%s.%d", name, (int)getpid());
	fd = openat(dir, unfinished,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return -errno;
	if (!text)
		r = -ENOMEM;
	len = text ? strlen(text) : 0;
	while (!r && done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0)
			r = -errno;
		else
			done += (size_t)n;
	}
	close(fd);
	if (!r && renameat(dir, unfinished, dir, name))
		r = -errno;
	if (r)
		unlinkat(dir, unfinished, 0);
	return r;
}

struct json_object *json_member(struct json_object *o, const char *name,
				enum json_type type)
{
	struct json_object *value;

	return json_object_is_type(o, json_type_object) &&
			       json_object_object_get_ex(o, name, &value) &&
			       json_object_is_type(value, type) ?
		       value :
		       NULL;
}

const char *json_text(struct json_object *o, const char *name)
{
	return json_object_get_string(json_member(o, name, json_type_string));
}
