// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <linux/genetlink.h>
#include <stdbool.h>
#include <string.h>

#include "netlink.h"

struct mnl_socket *netlink_open(int bus)
{
	struct mnl_socket *s = mnl_socket_open2(bus, SOCK_CLOEXEC);

	if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		const int error = errno;

		mnl_socket_close(s);
		errno = error;
		return NULL;
	}
	return s;
}

int netlink_send(struct mnl_socket *s, const void *messages, size_t len)
{
	return mnl_socket_sendto(s, messages, len) < 0 ? -errno : 0;
}

int netlink_acknowledged(struct mnl_socket *s)
{
	/* An error brings the request back, with its keys. */
	_Alignas(struct nlmsghdr) char part[NETLINK_PART];
	const struct nlmsghdr *h = (const struct nlmsghdr *)part;
	const struct nlmsgerr *error;
	ssize_t n = mnl_socket_recvfrom(s, part, sizeof(part));
	int r = n < 0 ? -errno : -EPROTO;

	if (n > 0 && mnl_nlmsg_ok(h, (int)n) && h->nlmsg_type == NLMSG_ERROR &&
	    mnl_nlmsg_get_payload_len(h) >= sizeof(*error)) {
		error = mnl_nlmsg_get_payload(h);
		r = error->error;
	}
	explicit_bzero(part, sizeof(part));
	return r;
}

static int on_error(const struct nlmsghdr *h, void *user)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(h);

	(void)user;
	errno = mnl_nlmsg_get_payload_len(h) < sizeof(*error) ? EPROTO :
								-error->error;
	return errno ? MNL_CB_ERROR : MNL_CB_STOP;
}

/* A list that the kernel broke off ends like any other, but for a number. */
static int on_end(const struct nlmsghdr *h, void *user)
{
	const int *error = mnl_nlmsg_get_payload(h);

	(void)user;
	if (mnl_nlmsg_get_payload_len(h) < sizeof(*error) || *error >= 0)
		return MNL_CB_STOP;
	errno = -*error;
	return MNL_CB_ERROR;
}

static mnl_cb_t list_controls[] = {
	[NLMSG_ERROR] = on_error,
	[NLMSG_DONE] = on_end,
};

#define LIST_CONTROLS (sizeof(list_controls) / sizeof(list_controls[0]))

int netlink_list(int bus, struct nlmsghdr *request, mnl_cb_t each, void *user)
{
	_Alignas(struct nlmsghdr) char part[NETLINK_PART];
	struct mnl_socket *s = netlink_open(bus);
	ssize_t n;
	int r;

	if (!s)
		return -errno;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	r = netlink_send(s, request, request->nlmsg_len);
	if (!r)
		r = MNL_CB_OK;
	while (r > 0) {
		n = mnl_socket_recvfrom(s, part, sizeof(part));
		r = n < 0 ? -1 :
			    mnl_cb_run2(part, (size_t)n, 0,
					mnl_socket_get_portid(s), each, user,
					list_controls, LIST_CONTROLS);
		if (r < 0)
			r = -errno;
	}
	explicit_bzero(part, sizeof(part));
	mnl_socket_close(s);
	return r;
}

struct family {
	const char *name;
	int id;
};

static int take_family(const struct nlmsghdr *h, void *user)
{
	struct family *wanted = user;
	const struct nlattr *attr;
	const char *name = "";
	int id = 0;

	netlink_each(attr, h, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_NAME)
			name = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			id = mnl_attr_get_u16(attr);
	}
	if (!strcmp(name, wanted->name))
		wanted->id = id;
	return MNL_CB_OK;
}

int netlink_family(const char *name)
{
	/* mnl_attr_put_strz() leaves the padding as it was. */
	_Alignas(struct nlmsghdr) char buffer[64] = { 0 };
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *body =
		mnl_nlmsg_put_extra_header(request, sizeof(struct genlmsghdr));
	struct family wanted = { .name = name };
	int r;

	/* Who asks for one by its name has the kernel load its module. */
	request->nlmsg_type = GENL_ID_CTRL;
	body->cmd = CTRL_CMD_GETFAMILY;
	body->version = 1;
	r = netlink_list(NETLINK_GENERIC, request, take_family, &wanted);
	return r ? r : wanted.id;
}
