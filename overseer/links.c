// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "links.h"
#include "netlink.h"

/* How often the list may change while it is read. */
#define TRIES 20

struct search {
	const char *kind;
	struct links *found;
};

static int add_link(struct links *links, unsigned int index, const char *name)
{
	struct link *more =
		reallocarray(links->link, links->count + 1, sizeof(*more));

	if (!more)
		return MNL_CB_ERROR;
	links->link = more;
	more[links->count].index = index;
	snprintf(more[links->count].name, IF_NAMESIZE, "%s", name);
	links->count++;
	return MNL_CB_OK;
}

static const char *link_kind(const struct nlattr *info)
{
	const struct nlattr *attr;

	netlink_each_in(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			return mnl_attr_get_str(attr);
	}
	return "";
}

static int take_link(const struct nlmsghdr *h, void *user)
{
	const struct ifinfomsg *body = mnl_nlmsg_get_payload(h);
	const struct search *s = user;
	const char *name = "", *kind = "";
	const struct nlattr *attr;

	netlink_each(attr, h, sizeof(*body))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			name = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			kind = link_kind(attr);
	}
	if (strcmp(kind, s->kind))
		return MNL_CB_OK;
	return add_link(s->found, (unsigned int)body->ifi_index, name);
}

int links_find(const char *kind, struct links *found)
{
	struct search s = { kind, found };
	int r = -EINTR;

	*found = (struct links){ 0 };
	for (int i = 0; r == -EINTR && i < TRIES; i++) {
		_Alignas(struct nlmsghdr) char buffer[64];
		struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

		mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
		request->nlmsg_type = RTM_GETLINK;
		links_free(found);
		r = netlink_list(NETLINK_ROUTE, request, take_link, &s);
	}
	return r;
}

void links_free(struct links *found)
{
	free(found->link);
	*found = (struct links){ 0 };
}
