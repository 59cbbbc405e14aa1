/* SPDX-License-Identifier: MIT */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

#include <json-c/json.h>

/*
 * A line for the host: a virtio-serial port, or vsock:CID:PORT. Never waits; a
 * line that nobody takes is lost, and that is logged.
 */
void announce(const char *where, struct json_object *line);

#endif /* ANNOUNCE_H */
