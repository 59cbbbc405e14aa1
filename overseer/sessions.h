/* SPDX-License-Identifier: MIT */
#ifndef SESSIONS_H
#define SESSIONS_H

#include <stdbool.h>

#include "loop.h"

/*
 * Sessions that the kernel keeps by itself, with keys and counters that both
 * clones hold. Those of WireGuard, IPsec and kTLS are reset in every network
 * namespace; those of MACsec, SMB and NFS are listed.
 */
struct sessions;

/*
 * @failed: NULL, or one line that says what could not be reset.
 * @kept: "", or one line with what is as it was.
 */
typedef void sessions_done_fn(void *user, const char *failed, const char *kept);

/*
 * False: when sessions_prepare() looked, the kernel had nothing that keeps sessions,
 * and no module has brought it since. Whatever cannot be looked at may be there.
 */
bool sessions_are_possible(void);
void sessions_prepare(void);

/* In a thread: the kernel may take its time. NULL: no memory, or no thread. */
struct sessions *sessions_reset(struct loop *loop, sessions_done_fn *done,
				void *user);
/* done is not called any more; the thread ends after the namespace that it is in. */
void sessions_cancel(struct sessions *s);

#endif /* SESSIONS_H */
