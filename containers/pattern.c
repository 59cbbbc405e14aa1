// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "pattern.h"

bool pattern_blame(struct reason *r, const char *name)
{
	char rest[sizeof(r->text)];

	memcpy(rest, r->text, sizeof(rest));
	snprintf(r->text, sizeof(r->text), "%.100s%s%.150s", name,
		 *rest ? "." : "", rest);
	return false;
}

/* The value if that is the only member. */
static struct json_object *only_member(struct json_object *o, const char *name)
{
	struct json_object *value;

	return json_object_is_type(o, json_type_object) &&
			       json_object_object_length(o) == 1 &&
			       json_object_object_get_ex(o, name, &value) ?
		       value :
		       NULL;
}

static bool is_optional(struct json_object *pattern)
{
	return only_member(pattern, "optional");
}

static bool compiles(const char *re)
{
	regex_t compiled;

	if (regcomp(&compiled, re, REG_EXTENDED))
		return false;
	regfree(&compiled);
	return true;
}

/*
 * The longest of the leftmost matches is asked for its ends. An expression in
 * parentheses could close them.
 */
static bool all_of(const char *re, const char *text)
{
	regmatch_t at = { .rm_so = -1 };
	regex_t compiled;
	bool fits;

	if (regcomp(&compiled, re, REG_EXTENDED))
		return false;
	fits = !regexec(&compiled, text, 1, &at, 0) && at.rm_so == 0 &&
	       (size_t)at.rm_eo == strlen(text);
	regfree(&compiled);
	return fits;
}

static bool each_is_valid(struct json_object *array, struct reason *r)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		if (!pattern_is_valid(json_object_array_get_idx(array, i), r))
			return false;
	}
	return true;
}

bool pattern_is_valid(struct json_object *pattern, struct reason *r)
{
	static const char *const special[] = { "re", "any", "each",
					       "optional" };
	struct json_object *value;

	if (json_object_is_type(pattern, json_type_array))
		return each_is_valid(pattern, r);
	if (!json_object_is_type(pattern, json_type_object))
		return true;
	if ((value = only_member(pattern, "re")))
		return (json_object_is_type(value, json_type_string) &&
			compiles(json_object_get_string(value))) ||
		       pattern_blame(r, "re");
	if ((value = only_member(pattern, "any")))
		return (json_object_is_type(value, json_type_boolean) &&
			json_object_get_boolean(value)) ||
		       pattern_blame(r, "any");
	if ((value = only_member(pattern, "each")))
		return json_object_is_type(value, json_type_array) ?
			       each_is_valid(value, r) :
			       pattern_blame(r, "each");
	if ((value = only_member(pattern, "optional")))
		return pattern_is_valid(value, r);
	json_object_object_foreach(pattern, name, inner) {
		/* Beside other members it is half of something. */
		for (size_t i = 0; i < 4; i++) {
			if (!strcmp(name, special[i]))
				return pattern_blame(r, name);
		}
		if (!pattern_is_valid(inner, r))
			return pattern_blame(r, name);
	}
	return true;
}

static bool object_fits(struct json_object *pattern, struct json_object *value,
			struct reason *r)
{
	struct json_object *other;

	if (!json_object_is_type(value, json_type_object))
		return false;
	json_object_object_foreach(value, name, inner) {
		if (!json_object_object_get_ex(pattern, name, &other))
			return pattern_blame(r, name);
		if (is_optional(other))
			other = only_member(other, "optional");
		if (!pattern_fits(other, inner, r))
			return pattern_blame(r, name);
	}
	json_object_object_foreach(pattern, wanted, unused) {
		if (!is_optional(unused) &&
		    !json_object_object_get_ex(value, wanted, &other))
			return pattern_blame(r, wanted);
	}
	return true;
}

static bool array_fits(struct json_object *pattern, struct json_object *value,
		       struct reason *r)
{
	size_t n = json_object_array_length(pattern);

	if (!json_object_is_type(value, json_type_array) ||
	    json_object_array_length(value) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!pattern_fits(json_object_array_get_idx(pattern, i),
				  json_object_array_get_idx(value, i), r))
			return false;
	}
	return true;
}

bool pattern_fits_one(struct json_object *patterns, struct json_object *value)
{
	for (size_t i = 0; i < json_object_array_length(patterns); i++) {
		struct reason unused = { "" };

		if (pattern_fits(json_object_array_get_idx(patterns, i), value,
				 &unused))
			return true;
	}
	return false;
}

static bool each_fits(struct json_object *patterns, struct json_object *value)
{
	if (!json_object_is_type(value, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		if (!pattern_fits_one(patterns,
				      json_object_array_get_idx(value, i)))
			return false;
	}
	return true;
}

bool pattern_fits(struct json_object *pattern, struct json_object *value,
		  struct reason *r)
{
	struct json_object *inner;

	if ((inner = only_member(pattern, "re")))
		return json_object_is_type(value, json_type_string) &&
		       all_of(json_object_get_string(inner),
			      json_object_get_string(value));
	if (only_member(pattern, "any"))
		return true;
	if ((inner = only_member(pattern, "each")))
		return each_fits(inner, value);
	if (json_object_is_type(pattern, json_type_object))
		return object_fits(pattern, value, r);
	if (json_object_is_type(pattern, json_type_array))
		return array_fits(pattern, value, r);
	return json_object_equal(pattern, value);
}
