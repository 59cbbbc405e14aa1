// SPDX-License-Identifier: MIT
/*
 * A packet waits in a queueing discipline, which rtnetlink shows, and then in a ring of
 * the device. For the ring drivers count bytes (byte queue limits), if they do.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/gen_stats.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netlink.h"
#include "queues.h"

#ifndef DEVICES
#define DEVICES "/sys/class/net"
#endif

struct waiting {
	char *const *open;
	/* Of the first device that has any. */
	char name[IF_NAMESIZE];
	unsigned int packets;
};

/* As the gate in the kernel takes it. What cannot be seen counts as one. */
static bool leads_out(const char *name)
{
	char path[PATH_MAX];
	int type = ARPHRD_PPP;
	FILE *f;

	snprintf(path, sizeof(path), DEVICES "/%s/device", name);
	if (!access(path, F_OK))
		return true;
	snprintf(path, sizeof(path), DEVICES "/%s/type", name);
	f = fopen(path, "re");
	if (!f)
		return true;
	if (fscanf(f, "%d", &type) != 1)
		type = ARPHRD_PPP;
	fclose(f);
	return type == ARPHRD_PPP ||
	       (type >= ARPHRD_SLIP && type <= ARPHRD_CSLIP6) ||
	       type == ARPHRD_ADAPT;
}

static bool is_open(const struct waiting *w, const char *name)
{
	char *const *open = w->open;

	while (*open && strcmp(*open, name))
		open++;
	return *open;
}

/* Of TCA_STATS2. */
static unsigned int packets_of(const struct nlattr *stats)
{
	const struct gnet_stats_queue *queue;
	const struct nlattr *attr;

	netlink_each_in(attr, stats)
	{
		if (mnl_attr_get_type(attr) != TCA_STATS_QUEUE ||
		    mnl_attr_get_payload_len(attr) < sizeof(*queue))
			continue;
		queue = mnl_attr_get_payload(attr);
		return queue->qlen ? queue->qlen : queue->backlog > 0;
	}
	return 0;
}

static int look_at(const struct nlmsghdr *h, void *user)
{
	struct waiting *w = user;
	const struct tcmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	unsigned int packets = 0;
	char name[IF_NAMESIZE];

	netlink_each(attr, h, sizeof(*m))
	{
		if (mnl_attr_get_type(attr) == TCA_STATS2)
			packets = packets_of(attr);
	}
	if (w->packets || !packets ||
	    !if_indextoname((unsigned int)m->tcm_ifindex, name) ||
	    is_open(w, name) || !leads_out(name))
		return MNL_CB_OK;
	w->packets = packets;
	memcpy(w->name, name, sizeof(name));
	return MNL_CB_OK;
}

/* 0 or -errno. */
static int look_at_disciplines(struct waiting *w)
{
	/* mnl_attr_put_strz() leaves the padding as it was. */
	_Alignas(struct nlmsghdr) char buffer[64] = { 0 };
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

	mnl_nlmsg_put_extra_header(request, sizeof(struct tcmsg));
	request->nlmsg_type = RTM_GETQDISC;
	return netlink_list(NETLINK_ROUTE, request, look_at, w);
}

/* Bytes; 0 where nobody counts; or -errno. */
static int in_ring(const char *name, const char *queue)
{
	char path[PATH_MAX];
	int bytes = -EIO;
	FILE *f;

	snprintf(path, sizeof(path),
		 DEVICES "/%s/queues/%s/byte_queue_limits/inflight", name,
		 queue);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	if (fscanf(f, "%d", &bytes) != 1)
		bytes = -EIO;
	fclose(f);
	return bytes;
}

static int in_rings(const char *name)
{
	char path[PATH_MAX];
	int bytes = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), DEVICES "/%s/queues", name);
	dir = opendir(path);
	/* The device has gone. */
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!bytes && (errno = 0, entry = readdir(dir))) {
		if (!strncmp(entry->d_name, "tx-", 3))
			bytes = in_ring(name, entry->d_name);
	}
	if (!bytes && errno)
		bytes = -errno;
	closedir(dir);
	return bytes;
}

int queues_are_empty(char *const open[], char *why, size_t size)
{
	struct waiting w = { .open = open };
	struct if_nameindex *all;
	int bytes = 0, r = look_at_disciplines(&w);

	/* The list changed meanwhile. */
	if (r == -EINTR)
		return 0;
	if (r)
		return r;
	if (w.packets) {
		snprintf(why, size, "%u packets wait to leave by %s", w.packets,
			 w.name);
		return 0;
	}
	all = if_nameindex();
	if (!all)
		return -errno;
	for (struct if_nameindex *i = all; !bytes && i->if_index; i++) {
		if (is_open(&w, i->if_name) || !leads_out(i->if_name))
			continue;
		bytes = in_rings(i->if_name);
		if (bytes > 0)
			snprintf(why, size, "%d bytes wait in a ring of %s",
				 bytes, i->if_name);
	}
	if_freenameindex(all);
	return bytes < 0 ? bytes : !bytes;
}
