/* SPDX-License-Identifier: MIT */
#ifndef HOSTS_H
#define HOSTS_H

#include <stdbool.h>

#include "config.h"
#include "loop.h"

/*
 * Where hosts reach the overseer: "restore-vsock" and "restore-serial". Nothing that a
 * host sends is read here.
 */
struct hosts;

/*
 * @fd: stays open here if it @is_port; else it is closed. False: nobody took it.
 * -1: the configuration is another one, so that nobody may stay who was let in before.
 */
typedef bool hosts_fn(void *user, int fd, bool is_port);

/* NULL: no memory. */
struct hosts *hosts_new(struct loop *loop, hosts_fn *connected, void *user);
void hosts_free(struct hosts *h);

/*
 * As the configuration says now. The listening socket is opened anew: that of a snapshot
 * may be dead. What cannot be opened is tried again.
 */
void hosts_renew(struct hosts *h, const struct config *c);
/* The port, to who reads requests from now on. */
void hosts_pass_port(struct hosts *h);

#endif /* HOSTS_H */
