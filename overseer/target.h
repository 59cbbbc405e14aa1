/* SPDX-License-Identifier: MIT */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <systemd/sd-event.h>

/* sysgenid-ready.target: active while the machine is ready. */
struct target;

struct target *target_new(sd_event *event);
void target_free(struct target *t);

/* Asks systemd, in the order of the calls; waits for nothing. */
void target_set(struct target *t, bool ready);

#endif /* TARGET_H */
