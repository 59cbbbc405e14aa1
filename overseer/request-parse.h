/* SPDX-License-Identifier: MIT */
#ifndef REQUEST_PARSE_H
#define REQUEST_PARSE_H

#include <json-c/json.h>

#include "request.h"
#include "secret.h"

/*
 * A line of the host, made a structure. @o: of json_parse(). @secret: what
 * secret_take() took out of the line. False: @why names the member that is wrong, and
 * @r is zeros.
 */
bool request_parse(struct request *r, struct json_object *o,
		   const struct secret *secret, char *why, size_t size);

#endif /* REQUEST_PARSE_H */
