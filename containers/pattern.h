/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_PATTERN_H
#define CONTAINERS_PATTERN_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* The member that does not fit, from the outermost one on: "linux.sysctl". */
struct reason {
	char text[256];
};

/* @r gets @name in front. Always false. */
bool pattern_blame(struct reason *r, const char *name);
/* Whether a value may stand where @pattern stands in a policy. */
bool pattern_is_valid(struct json_object *pattern, struct reason *r);
/*
 * What may stand in a policy:
 *
 * a string, a number, true or false: that value;
 *
 * an array: element by element; an object: the same members;
 *
 * {"re": R}: a string that all of R fits; {"any": true}: everything;
 *
 * {"each": [P, ...]}: an array, each of whose elements fits a P;
 *
 * {"optional": P}: the member may be absent.
 */
bool pattern_fits(struct json_object *pattern, struct json_object *value,
		  struct reason *r);
/* Whether an element of the array @patterns fits. */
bool pattern_fits_one(struct json_object *patterns, struct json_object *value);

#endif /* CONTAINERS_PATTERN_H */
