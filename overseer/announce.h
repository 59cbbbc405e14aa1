/* SPDX-License-Identifier: MIT */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

#include <json-c/json.h>

#include "loop.h"

/*
 * Lines for the host: to a virtio-serial port, which stays open, or to vsock:CID:PORT,
 * with a connection for each. Never waits. The newest line is tried again until
 * somebody has taken it; no line is cut.
 */
struct announcer;

/* NULL: no memory. */
struct announcer *announcer_new(struct loop *loop, const char *where);
void announcer_free(struct announcer *a);
/* Nothing if it is the line that was said last. */
void announcer_say(struct announcer *a, struct json_object *line);

#endif /* ANNOUNCE_H */
