/* SPDX-License-Identifier: MIT */
#ifndef TELLING_H
#define TELLING_H

#include "machine-inside.h"

/* Who is told of a state: host, log, systemd, node_exporter. */

void tell_everybody(struct machine *m);
void on_telling(void *user);
struct json_object *telling_status(const struct machine *m);
struct json_object *telling_metrics(struct machine *m);

#endif /* TELLING_H */
