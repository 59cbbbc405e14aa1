/* SPDX-License-Identifier: MIT */
#ifndef WIREGUARD_H
#define WIREGUARD_H

/*
 * Every peer of an interface of this network namespace sends no more with the
 * session that it has: the next packet waits for a handshake. Configuration,
 * endpoints and routes stay. @family: that of generic netlink. 0 or -errno;
 * 0 also where the interface is gone, or has no key and so no sessions.
 */
int wireguard_reset(int family, unsigned int index);

#endif /* WIREGUARD_H */
