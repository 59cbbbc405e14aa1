/* SPDX-License-Identifier: MIT */
#ifndef DIAL_H
#define DIAL_H

/*
 * The ways to a guest: "vsock:CID:PORT", or a unix socket. With a @port its hypervisor
 * takes a line "CONNECT PORT"; with the port 0 the socket is the guest's serial port.
 */
struct place {
	const char *where;
	unsigned int port;
};

/* 0, or -EINVAL: it is none of these. */
int place_check(const struct place *p);
/*
 * A connected socket, or -errno. Nothing here waits longer than until @end, milliseconds
 * of CLOCK_MONOTONIC.
 */
int dial(const struct place *p, long long end);

long long now_ms(void);
/* 1: ready for @events of poll(2); 0: not until @end. */
int wait_for(int fd, short events, long long end);

#endif /* DIAL_H */
