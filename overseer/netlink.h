/* SPDX-License-Identifier: MIT */
#ifndef NETLINK_H
#define NETLINK_H

#include <libmnl/libmnl.h>
#include <stddef.h>

/*
 * Requests to the kernel by netlink, of which some bring keys: each buffer is
 * wiped. A socket belongs to the network namespace of the thread that opens it.
 */

/* As much as the kernel puts into one message of a list. */
#define NETLINK_PART 32768

/* Each attribute of a message, behind @offset bytes of its own; libmnl's loop has a narrowing conversion. */
#define netlink_each(attr, h, offset)                                        \
	for ((attr) = mnl_nlmsg_get_payload_offset(h, offset);               \
	     mnl_attr_ok(attr, (int)((char *)mnl_nlmsg_get_payload_tail(h) - \
				     (const char *)(attr)));                 \
	     (attr) = mnl_attr_next(attr))

/* Each attribute within one. */
#define netlink_each_in(attr, nest)                                       \
	for ((attr) = mnl_attr_get_payload(nest);                         \
	     mnl_attr_ok(attr, (int)((char *)mnl_attr_get_payload(nest) + \
				     mnl_attr_get_payload_len(nest) -     \
				     (const char *)(attr)));              \
	     (attr) = mnl_attr_next(attr))

/* NULL, and errno. */
struct mnl_socket *netlink_open(int bus);

/* Sends @len bytes of messages that each want an acknowledgement; 0 or -errno. */
int netlink_send(struct mnl_socket *s, const void *messages, size_t len);
/* The next acknowledgement: 0, or the -errno in it, or why there is none. */
int netlink_acknowledged(struct mnl_socket *s);

/*
 * Asks for a list, and hands each message to @each. -EINTR: the kernel changed
 * the list meanwhile, so that something may be missing.
 */
int netlink_list(int bus, struct nlmsghdr *request, mnl_cb_t each, void *user);

/* The number of a generic netlink family; 0: there is none; or -errno. No module is loaded. */
int netlink_family(const char *name);

#endif /* NETLINK_H */
