/* SPDX-License-Identifier: MIT */
#ifndef IPSEC_H
#define IPSEC_H

/* Whether the kernel has what keeps IPsec states: 1 or 0, or -errno. No module is loaded. */
int ipsec_is_there(void);

/*
 * Every IPsec state of this network namespace that has a key expires, and who
 * listens to the kernel for that, an IKE daemon, is told. How many, or -errno.
 */
int ipsec_reset(void);
/* How many there are of those, or -errno. */
int ipsec_count(void);

#endif /* IPSEC_H */
