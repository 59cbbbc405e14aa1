/* SPDX-License-Identifier: MIT */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

/*
 * Destroys every TCP connection of this network namespace but those within the
 * machine; how many, or -errno. Both ends of it get an error.
 */
int connections_destroy(void);

/* Whether the kernel has TLS of its own (kTLS): 1 or 0, or -errno. No module is loaded. */
int connections_tls_is_there(void);
/* As connections_destroy(), those alone that the kernel encrypts. */
int connections_destroy_tls(void);

/* Has the kernel load what it takes, so that nobody waits for it at a restore. */
int connections_prepare(void);

#endif /* CONNECTIONS_H */
