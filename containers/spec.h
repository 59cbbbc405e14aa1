/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_SPEC_H
#define CONTAINERS_SPEC_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * What is changed in the engine's config.json before the runtime gets it. Each:
 * false: @why says what is wrong with it.
 */

/* Paths that are relative to @bundle no longer are. */
bool spec_make_absolute(struct json_object *spec, const char *bundle, char *why,
			size_t size);
/*
 * Has the runtime create @node in the container, with the mode that it has here,
 * and lets programs use it. One that is not there is left out.
 */
bool spec_add_device(struct json_object *spec, const char *node, char *why,
		     size_t size);
/* Each hook that has a member "sha256" runs only with that digest: hook.h. */
bool spec_bind_hooks(struct json_object *spec, char *why, size_t size);

#endif /* CONTAINERS_SPEC_H */
