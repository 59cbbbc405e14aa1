/* SPDX-License-Identifier: MIT */
#ifndef SWITCHING_H
#define SWITCHING_H

#include <stdbool.h>
#include <stdint.h>

#include "state.h"

/*
 * The changes of the rules that every clone waits for: closed, from one closed state
 * to another, and open. All are messages to the kernel: no text is parsed, and nothing
 * is listed before. Each is one transaction.
 */
struct switching;

/* NULL, and errno. */
struct switching *switching_new(void);
void switching_free(struct switching *sw);

/*
 * 0 or -errno: nothing has changed then. @from: what the rules are to say now; if
 * they do not, it fails.
 */
int switching_run(struct switching *sw, const struct situation *from,
		  const struct situation *to);

/* By which the kernel tells our changes from those of others. */
uint32_t switching_port(const struct switching *sw);

#endif /* SWITCHING_H */
