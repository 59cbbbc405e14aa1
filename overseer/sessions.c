// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "connections.h"
#include "ipsec.h"
#include "links.h"
#include "log.h"
#include "mounts.h"
#include "netlink.h"
#include "netns.h"
#include "sessions.h"
#include "wireguard.h"

/* One that was cancelled may still be in the kernel, with a key in its hands. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* Shared by the loop and the thread; who comes last frees it. */
struct sessions {
	atomic_int references;
	atomic_bool cancelled;
	int event;
	struct loop_source *source;
	sessions_done_fn *done;
	void *user;

	/* What the kernel has: 0, 1, or the number of the family. */
	int wireguard, macsec, ipsec, tls;
	unsigned int interfaces, states, connections;
	char where[128], failed[384], kept[512];
};

static void put(struct sessions *s)
{
	if (atomic_fetch_sub(&s->references, 1) > 1)
		return;
	close(s->event);
	free(s);
}

static int fail(struct sessions *s, int r, const char *what)
{
	if (r < 0 && !s->failed[0])
		snprintf(s->failed, sizeof(s->failed),
			 "sessions cannot be reset: %s: %s", what,
			 strerror(-r));
	return r < 0 ? r : 0;
}

static void keep(struct sessions *s, const char *what, const char *name)
{
	size_t len = strlen(s->kept);

	snprintf(s->kept + len, sizeof(s->kept) - len, "%s%s (%s)",
		 len ? ", " : "", name, what);
}

static bool is_kept(const struct sessions *s, const char *what,
		    const char *name)
{
	char entry[sizeof(s->kept)];

	snprintf(entry, sizeof(entry), ", %s (%s)", name, what);
	return !strncmp(s->kept, entry + 2, strlen(entry + 2)) ||
	       strstr(s->kept, entry);
}

/* ---- what can keep them ---- */

#ifndef MODULES
#define MODULES "/sys/module"
#endif

static int wireguard_is_there(void)
{
	return netlink_family("wireguard");
}

static int macsec_is_there(void)
{
	return netlink_family("macsec");
}

static int smb_server_is_there(void)
{
	return netlink_family("SMBD_GENL");
}

/* @is_there: 0, or -errno, or more than 0. @modules: those that bring it. */
static const struct part {
	int (*is_there)(void);
	const char *modules[3];
} parts[] = {
	{ wireguard_is_there, { "wireguard" } },
	{ macsec_is_there, { "macsec" } },
	{ smb_server_is_there, { "ksmbd" } },
	{ ipsec_is_there, { "xfrm_user", "af_key" } },
	{ connections_tls_is_there, { "tls" } },
	{ mounts_are_possible, { "cifs", "nfs" } },
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* The directory of loaded modules, where only one that comes can bring a part; -1: any part may be there. */
static int modules = -1;

static bool has_module(const struct part *p)
{
	for (const char *const *name = p->modules; *name; name++) {
		if (!faccessat(modules, *name, F_OK, 0) || errno != ENOENT)
			return true;
	}
	return false;
}

void sessions_prepare(void)
{
	struct statfs fs;
	bool none;

	if (modules >= 0)
		close(modules);
	modules = open(MODULES, O_PATH | O_DIRECTORY | O_CLOEXEC);
	none = modules >= 0 && !fstatfs(modules, &fs) &&
	       fs.f_type == SYSFS_MAGIC;
	for (size_t i = 0; none && i < PARTS; i++)
		none = !parts[i].is_there();
	if (none || modules < 0)
		return;
	close(modules);
	modules = -1;
}

bool sessions_are_possible(void)
{
	bool any = modules < 0;

	for (size_t i = 0; !any && i < PARTS; i++)
		any = has_module(&parts[i]);
	return any;
}

/* ---- in a network namespace ---- */

static int reset_wireguard(struct sessions *s, ino_t id)
{
	char what[96];
	struct links links;
	int r = links_find("wireguard", &links);

	snprintf(what, sizeof(what), "interfaces in net:[%ju]", (uintmax_t)id);
	for (size_t i = 0; !r && i < links.count; i++) {
		snprintf(what, sizeof(what), "WireGuard, %s in net:[%ju]",
			 links.link[i].name, (uintmax_t)id);
		r = wireguard_reset(s->wireguard, links.link[i].index);
		s->interfaces += !r;
	}
	links_free(&links);
	return fail(s, r, what);
}

static int find_macsec(struct sessions *s, ino_t id)
{
	char what[64];
	struct links links;
	int r = links_find("macsec", &links);

	snprintf(what, sizeof(what), "MACsec in net:[%ju]", (uintmax_t)id);
	for (size_t i = 0; !r && i < links.count; i++)
		keep(s, what, links.link[i].name);
	links_free(&links);
	return fail(s, r, what);
}

/* @r is how many were reset, or -errno. */
static int count_reset(struct sessions *s, ino_t id, const char *name, int r,
		       unsigned int *count)
{
	char what[64];

	snprintf(what, sizeof(what), "%s in net:[%ju]", name, (uintmax_t)id);
	*count += r > 0 ? (unsigned int)r : 0;
	return fail(s, r, what);
}

static int reset_in_namespace(void *user, ino_t id)
{
	struct sessions *s = user;
	int r = s->cancelled ? -ECANCELED : 0;

	if (!r && s->wireguard)
		r = reset_wireguard(s, id);
	if (!r && s->ipsec)
		r = count_reset(s, id, "IPsec", ipsec_reset(), &s->states);
	if (!r && s->tls)
		r = count_reset(s, id, "kTLS", connections_destroy_tls(),
				&s->connections);
	if (!r && s->macsec)
		r = find_macsec(s, id);
	return r;
}

/* ---- in all of them ---- */

static int find_mount(void *user, const struct mount *m)
{
	struct sessions *s = user;
	const char *what = mounts_session(m);

	/* Several mount namespaces show the same one. */
	if (what && !is_kept(s, what, m->point))
		keep(s, what, m->point);
	return 0;
}

/* Neither processes nor namespaces are walked through for what the kernel does not have. */
static int find_mounts(struct sessions *s)
{
	int r = mounts_are_possible();

	return r > 0 ? mounts_each(find_mount, s) : r;
}

/* Its daemon talks to the kernel by this family. */
static int find_smb_server(struct sessions *s)
{
	int r = smb_server_is_there();

	if (r > 0)
		keep(s, "SMB server", "ksmbd");
	return r;
}

static int reset_all(struct sessions *s)
{
	int r;

	s->wireguard = wireguard_is_there();
	s->macsec = macsec_is_there();
	s->ipsec = ipsec_is_there();
	s->tls = connections_tls_is_there();
	r = fail(s, s->wireguard, "list of netlink families");
	if (!r)
		r = fail(s, s->macsec, "list of netlink families");
	if (!r)
		r = fail(s, s->ipsec, "IPsec");
	if (!r)
		r = fail(s, s->tls, "kTLS");
	if (!r && (s->wireguard || s->macsec || s->ipsec || s->tls)) {
		r = netns_each(reset_in_namespace, s, s->where,
			       sizeof(s->where));
		fail(s, r, s->where[0] ? s->where : "network namespaces");
	}
	if (!r)
		r = fail(s, find_mounts(s), "mounts");
	return r ? r : fail(s, find_smb_server(s), "list of netlink families");
}

static void *run(void *arg)
{
	struct sessions *s = arg;

	pthread_mutex_lock(&one_at_a_time);
	if (!s->cancelled)
		reset_all(s);
	pthread_mutex_unlock(&one_at_a_time);
	/* Pairs with the read in on_done(): the results come before. */
	eventfd_write(s->event, 1);
	put(s);
	return NULL;
}

static void on_done(void *user, uint32_t events)
{
	struct sessions *s = user;
	eventfd_t unused;

	(void)events;
	eventfd_read(s->event, &unused);
	loop_remove(s->source);
	if (s->interfaces || s->states || s->connections)
		log_notice(
			"new sessions for %u WireGuard interfaces; expired %u IPsec states, destroyed %u kTLS connections",
			s->interfaces, s->states, s->connections);
	s->done(s->user, s->failed[0] ? s->failed : NULL, s->kept);
	put(s);
}

struct sessions *sessions_reset(struct loop *loop, sessions_done_fn *done,
				void *user)
{
	struct sessions *s = calloc(1, sizeof(*s));
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (!s)
		return NULL;
	s->references = 2;
	s->done = done;
	s->user = user;
	s->event = eventfd(0, EFD_CLOEXEC);
	if (s->event >= 0)
		s->source = loop_add_io(loop, s->event, EPOLLIN, on_done, s);
	if (!s->source) {
		s->references = 1;
		put(s);
		return NULL;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attributes, run, s);
	pthread_attr_destroy(&attributes);
	if (!r)
		return s;
	loop_remove(s->source);
	s->references = 1;
	put(s);
	return NULL;
}

void sessions_cancel(struct sessions *s)
{
	if (!s)
		return;
	s->cancelled = true;
	loop_remove(s->source);
	put(s);
}
