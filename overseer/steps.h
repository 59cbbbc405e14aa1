/* SPDX-License-Identifier: MIT */
#ifndef STEPS_H
#define STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "phases.h"
#include "request.h"

/*
 * The built-in steps of an adjustment: what most clones need, without a process. Each is
 * a key of the configuration. @r: NULL: no host asks.
 */

/* False: @why names the key that the configuration needs for a member of the request. */
bool steps_accept(const struct config *c, const struct request *r, char *why,
		  size_t size);
/* Before anything draws. False: @why. */
bool steps_mix(const struct config *c, struct request *r, struct phases *p,
	       char *why, size_t size);
/*
 * Clock, host name, machine id, interfaces. @age_ns: of the request. Stops at the first
 * step that fails. False: @why.
 */
bool steps_run(const struct config *c, const struct request *r, uint64_t age_ns,
	       struct phases *p, char *why, size_t size);

#endif /* STEPS_H */
