// SPDX-License-Identifier: MIT
/*
 * Behind "sysgenidctl prepare --check": lists the sessions that the kernel
 * keeps by itself, in every network namespace. A line has the kind, a tabulator,
 * and which. Nothing is changed. Exit status 0: these are all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../ipsec.h"
#include "../links.h"
#include "../mounts.h"
#include "../netlink.h"
#include "../netns.h"

struct kernel {
	int wireguard, macsec, ipsec;
};

static int fail(const char *what, int r)
{
	if (r < 0)
		fprintf(stderr, "list-sessions: %s: %s\n", what, strerror(-r));
	return r;
}

static int list_links(const char *kind, const char *name, ino_t id)
{
	struct links links;
	int r = links_find(kind, &links);

	for (size_t i = 0; !r && i < links.count; i++)
		printf("%s\t%s in net:[%ju]\n", name, links.link[i].name,
		       (uintmax_t)id);
	links_free(&links);
	return r;
}

static int list_in_namespace(void *user, ino_t id)
{
	const struct kernel *k = user;
	int r = 0;

	if (k->wireguard)
		r = list_links("wireguard", "WireGuard", id);
	if (!r && k->macsec)
		r = list_links("macsec", "MACsec", id);
	if (!r && k->ipsec)
		r = ipsec_count();
	if (r > 0)
		printf("IPsec\t%d states in net:[%ju]\n", r, (uintmax_t)id);
	return r < 0 ? r : 0;
}

static int list_mount(void *user, const struct mount *m)
{
	const char *what = mounts_session(m);

	(void)user;
	if (what)
		printf("%s\t%s (mounts of process %s)\n", what, m->point,
		       m->pid);
	return 0;
}

static int list_all(void)
{
	struct kernel k = { .wireguard = netlink_family("wireguard") };
	char where[128] = "";
	int r = fail("netlink families", k.wireguard);

	if (r < 0)
		return r;
	k.macsec = netlink_family("macsec");
	k.ipsec = ipsec_is_there();
	if (fail("netlink families", k.macsec) < 0 ||
	    fail("IPsec", k.ipsec) < 0)
		return -1;
	if (k.wireguard || k.macsec || k.ipsec) {
		r = netns_each(list_in_namespace, &k, where, sizeof(where));
		if (fail(where[0] ? where : "network namespaces", r))
			return r;
	}
	r = fail("mounts", mounts_each(list_mount, NULL));
	if (r < 0)
		return r;
	r = fail("netlink families", netlink_family("SMBD_GENL"));
	if (r > 0)
		puts("SMB server\tksmbd");
	return r;
}

int main(void)
{
	int r = list_all();

	if (fflush(stdout) || ferror(stdout))
		r = fail("standard output", -EIO);
	return r < 0;
}
