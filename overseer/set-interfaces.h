/* SPDX-License-Identifier: MIT */
#ifndef SET_INTERFACES_H
#define SET_INTERFACES_H

#include <stddef.h>

#include "request.h"

/*
 * MAC address, addresses and routes of one interface of this network namespace, which is
 * up afterwards. Of what the request has no list for, all stays. The routes are those of
 * the main table that leave by this interface, but for the kernel's own. 0; or -errno and
 * @why.
 */
int set_interface(const struct request_interface *wanted, char *why,
		  size_t size);

#endif /* SET_INTERFACES_H */
