/* SPDX-License-Identifier: MIT */
#ifndef CONTROL_H
#define CONTROL_H

#include <systemd/sd-event.h>

#include "machine.h"

/*
 * The unix socket: a JSON object a line, at most CONTROL_LINE_MAX bytes; for
 * each one answer. sysgenid-overseer(8) describes them.
 */
struct control;

#define CONTROL_LINE_MAX 3072
#define CONTROL_SOCKET	 "/run/sysgenid/overseer.sock"

/* NULL after a complaint. */
struct control *control_new(sd_event *event, struct machine *m,
			    const char *path);
void control_free(struct control *c);

#endif /* CONTROL_H */
