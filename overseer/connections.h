/* SPDX-License-Identifier: MIT */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

/*
 * Destroys every TCP connection of this network namespace but those within the
 * machine; how many, or -errno. Both ends of it get an error.
 */
int connections_destroy(void);

/* Has the kernel load what it takes, so that nobody waits for it at a restore. */
int connections_prepare(void);

#endif /* CONNECTIONS_H */
