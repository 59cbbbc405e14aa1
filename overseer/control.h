/* SPDX-License-Identifier: MIT */
#ifndef CONTROL_H
#define CONTROL_H

#include "loop.h"

/* The connections of clients; protocol.h. */
struct control;

/* @fd: listens. @channel: to who acts; the loop ends with it. Both stay open. NULL: no memory. */
struct control *control_new(struct loop *loop, int fd, int channel);
void control_free(struct control *c);

#endif /* CONTROL_H */
