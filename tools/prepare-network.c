// SPDX-License-Identifier: MIT
/* What is equal in clones and others on the network see: connections, sessions, leases. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hooks.h"
#include "prepare.h"
#include "sysgenidctl.h"

#define CONF   "/etc/sysgenid/overseer.conf"
#define LISTER HELPERS "/list-sessions"

/* Where what is encrypted goes, as far as a port tells: TLS from the first byte on, and SSH. */
static const uint16_t ports[] = {
	22,   443,  465,  563,	636,  853,  989,  990,	992,   993,
	994,  995,  2376, 2379, 2380, 3269, 4433, 5061, 5223,  5671,
	5986, 6443, 6514, 6697, 8443, 8883, 9093, 9443, 10250,
};

static bool is_encrypted(unsigned int port)
{
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* As /proc/net/tcp prints it: words of the network's order, each as a number of this machine. */
static bool parse_end(const char *text, struct in6_addr *address, int *family,
		      unsigned int *port)
{
	unsigned int words[4];
	int n = 0;

	if (strcspn(text, ":") == 8) {
		*family = AF_INET;
		if (sscanf(text, "%8x:%4x", &words[0], port) != 2)
			return false;
		memcpy(address, words, 4);
		return true;
	}
	*family = AF_INET6;
	n = sscanf(text, "%8x%8x%8x%8x:%4x", &words[0], &words[1], &words[2],
		   &words[3], port);
	memcpy(address, words, 16);
	return n == 5;
}

/* Both ends are in each clone. */
static bool is_within(const struct in6_addr *a, int family)
{
	const unsigned char *b = a->s6_addr;

	if (family == AF_INET)
		return b[0] == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(a) ||
	       (IN6_IS_ADDR_V4MAPPED(a) && b[12] == IN_LOOPBACKNET);
}

struct network {
	struct list connections;
	unsigned long long ktls;
	unsigned int closed, failed;
	/* Namespaces that were looked at. */
	char (*seen)[32];
	size_t count;
};

/* Established, and those of which one end is closed but may go on. */
static bool is_open(unsigned int state)
{
	return state == 1 || state == 4 || state == 5 || state == 8;
}

static void take_connection(const char *line, struct network *n)
{
	char local[48], remote[48], name[INET6_ADDRSTRLEN], text[128];
	unsigned int state, ports_of[2];
	struct in6_addr a, b;
	int family;

	if (sscanf(line, " %*u: %47s %47s %x", local, remote, &state) != 3 ||
	    !is_open(state) || !parse_end(local, &a, &family, &ports_of[0]) ||
	    !parse_end(remote, &b, &family, &ports_of[1]) ||
	    is_within(&b, family) ||
	    (!is_encrypted(ports_of[0]) && !is_encrypted(ports_of[1])))
		return;
	snprintf(text, sizeof(text), "port %u with %s port %u", ports_of[0],
		 inet_ntop(family, &b, name, sizeof(name)) ? name : "?",
		 ports_of[1]);
	list_add(&n->connections, text);
}

/* A kernel without IPv6, or without TLS, has no such file. */
static void read_lines(const char *root, const char *pid, const char *file,
		       bool must, void (*take)(const char *, struct network *),
		       struct network *n)
{
	FILE *f = open_file(root, "/proc/%.16s/net/%s", pid, file);
	char line[512];

	if (!f) {
		n->failed += must || errno != ENOENT;
		return;
	}
	while (fgets(line, sizeof(line), f))
		take(line, n);
	n->failed += ferror(f) != 0;
	fclose(f);
}

static void take_tls(const char *line, struct network *n)
{
	unsigned long long count;
	char name[32];

	if (sscanf(line, "%31s %llu", name, &count) == 2 &&
	    (!strcmp(name, "TlsCurrTxSw") || !strcmp(name, "TlsCurrTxDevice")))
		n->ktls += count;
}

static bool is_new(struct network *n, const char *namespace)
{
	char(*more)[32];

	for (size_t i = 0; i < n->count; i++)
		if (!strcmp(n->seen[i], namespace))
			return false;
	more = reallocarray(n->seen, n->count + 1, sizeof(*more));
	if (!more)
		return true;
	n->seen = more;
	snprintf(n->seen[n->count++], sizeof(*more), "%s", namespace);
	return true;
}

static void look_at_process(const char *root, const char *pid,
			    struct network *n)
{
	char path[4608], namespace[32] = "";

	snprintf(path, sizeof(path), "%s/proc/%.16s/ns/net", root, pid);
	if (readlink(path, namespace, sizeof(namespace) - 1) < 0) {
		/* ENOENT: it has ended. */
		n->closed += errno != ENOENT && errno != ESRCH;
		return;
	}
	if (!is_new(n, namespace))
		return;
	read_lines(root, pid, "tcp", true, take_connection, n);
	read_lines(root, pid, "tcp6", false, take_connection, n);
	read_lines(root, pid, "tls_stat", false, take_tls, n);
}

static int look_at_all(const char *root, struct network *n)
{
	char path[4608];
	struct dirent *e;
	DIR *d;
	int r;

	look_at_process(root, "self", n);
	snprintf(path, sizeof(path), "%s/proc", root);
	d = opendir(path);
	if (!d)
		return -errno;
	for (errno = 0; (e = readdir(d)); errno = 0)
		if (isdigit((unsigned char)e->d_name[0]))
			look_at_process(root, e->d_name, n);
	r = -errno;
	closedir(d);
	free(n->seen);
	return r;
}

/* Until it does, a connection can go on in both clones: so only with the gate. */
static bool overseer_destroys(const char *root)
{
	return overseer_runs(root) == 1 &&
	       (overseer_conf_is(root, "destroy-connections", "with-gate",
				 true) ||
		overseer_conf_is(root, "destroy-connections", "yes", true)) &&
	       !overseer_conf_is(root, "gate", "none", true);
}

static bool overseer_resets(const char *root)
{
	return overseer_runs(root) == 1 &&
	       overseer_conf_is(root, "sessions", "reset", true);
}

static void report_connections(struct doctor *d, const struct network *n)
{
	char fix[320];

	snprintf(
		fix, sizeof(fix),
		"end them before the snapshot, or: sed -i 's/^gate = none/gate = nftables/' " CONF
		", then: %s (of the package sysgenid-overseer)",
		start_overseer(d->root));
	if (!n->connections.n)
		finding(d, GOOD, "connections", NULL,
			"none is open on a port of TLS or SSH");
	else if (overseer_destroys(d->root))
		finding(d, GOOD, "connections", NULL,
			"%u are open on ports of TLS or SSH; the overseer destroys them in a clone",
			n->connections.n);
	else
		finding(d, PROBLEM, "connections", fix,
			"%u are open on ports of TLS or SSH, and both clones would go on with one key: %s",
			n->connections.n, n->connections.names);
	finding(d, NOTE, "connections", NULL,
		"not seen: TLS on other ports, QUIC and DTLS, vsock, and sessions that a program only keeps in memory");
}

void examine_connections(struct doctor *d)
{
	struct network n = { .ktls = 0 };
	int r = look_at_all(d->root, &n);
	char fix[160];

	snprintf(fix, sizeof(fix), "end them before the snapshot, or: %s",
		 start_overseer(d->root));

	if (r || n.failed || n.closed)
		finding(d, UNSEEN, "connections",
			"sudo sysgenidctl prepare --check",
			"those of %u processes in other network namespaces cannot be listed%s%s",
			n.closed + n.failed, r ? ": " : "",
			r ? strerror(-r) : "");
	if (n.connections.n || !(r || n.failed || n.closed))
		report_connections(d, &n);
	if (n.ktls && overseer_resets(d->root))
		finding(d, GOOD, "sessions", NULL,
			"kTLS: %llu connections; the overseer destroys them in a clone",
			n.ktls);
	else if (n.ktls)
		finding(d, PROBLEM, "sessions", fix,
			"kTLS: the kernel encrypts %llu connections, with the same key in both clones",
			n.ktls);
}

/* Those that the overseer resets. */
static bool is_reset(const char *kind)
{
	return !strcmp(kind, "WireGuard") || !strcmp(kind, "IPsec");
}

static void fix_for_session(const struct doctor *d, const char *kind, char *fix,
			    size_t size)
{
	if (is_reset(kind))
		snprintf(fix, size,
			 "sessions = reset in " CONF
			 ", then: %s (of the package sysgenid-overseer)",
			 start_overseer(d->root));
	else if (!strcmp(kind, "MACsec"))
		snprintf(fix, size,
			 "take the interface down before the snapshot");
	else
		snprintf(fix, size,
			 "unmount it, or stop the server, before the snapshot");
}

/* KIND, a tabulator, and which. */
static void take_session(struct doctor *d, char *line)
{
	char *which = strchr(line, '\t'), fix[256];

	if (!which)
		return;
	*which++ = 0;
	fix_for_session(d, line, fix, sizeof(fix));
	if (is_reset(line) && overseer_resets(d->root))
		finding(d, GOOD, "sessions", NULL,
			"%s: %s; the overseer resets it in a clone", line,
			which);
	else
		finding(d, PROBLEM, "sessions", fix,
			"%s: %s; both clones encrypt with the same keys and counters",
			line, which);
}

void examine_sessions(struct doctor *d)
{
	char command[4608], line[1024];
	unsigned int n = 0;
	int status = -1;
	FILE *f;

	if (no_file(d->root, LISTER)) {
		finding(d, UNSEEN, "sessions",
			"install the package sysgenid-overseer",
			"what lists those of the kernel (WireGuard, IPsec, MACsec, SMB, NFS) is not there: %s",
			LISTER);
		return;
	}
	snprintf(command, sizeof(command), "%s" LISTER " 2>/dev/null", d->root);
	f = popen(command, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		take_session(d, line);
		n++;
	}
	if (f)
		status = pclose(f);
	if (status)
		finding(d, UNSEEN, "sessions", "as root: " LISTER,
			"those of the kernel cannot be listed%s",
			n ? " all" : "");
	else if (!n)
		finding(d, GOOD, "sessions", NULL,
			"the kernel has none of WireGuard, IPsec, MACsec, SMB or NFS with Kerberos");
}

static const struct {
	const char *pattern;
	/* 50-dhcp knows the client. */
	bool hook;
} leases[] = {
	{ "/run/systemd/netif/leases/*", true },
	{ "/var/lib/dhcp/dhclient*.leases", true },
	{ "/var/lib/NetworkManager/*.lease", true },
	{ "/var/lib/NetworkManager/secret_key", true },
	{ "/var/lib/dhcpcd/duid", false },
	{ "/var/lib/dhcpcd/*.lease*", false },
	{ "/etc/dhcpcd.duid", false },
};

void examine_dhcp(struct doctor *d)
{
	struct list known = { 0 }, others = { 0 };
	unsigned int unknown = d->unknown;
	char fix[1024];

	for (size_t i = 0; i < sizeof(leases) / sizeof(leases[0]); i++)
		list_files(d, "dhcp", leases[i].pattern,
			   leases[i].hook ? &known : &others);
	if (known.n && overseer_runs(d->root) == 1 &&
	    hook_is_linked(d->root, "50-dhcp") &&
	    hook_is_linked(d->root, "30-machine-id")) {
		finding(d, GOOD, "dhcp", NULL,
			"the hooks 30-machine-id and 50-dhcp renew it: %s",
			known.names);
	} else if (known.n) {
		link_hook(d->root, "50-dhcp",
			  " && ln -sf " HOOKS_FROM "/30-machine-id " HOOKS_IN
			  "/30-machine-id",
			  fix, sizeof(fix));
		finding(d, PROBLEM, "dhcp", fix,
			"a DHCP server takes both clones for one client: %s",
			known.names);
	}
	if (others.n && overseer_runs(d->root) == 1 &&
	    hooks_restart(d->root, "dhcpcd.service"))
		finding(d, NOTE, "dhcp", NULL,
			"a hook restarts dhcpcd; whether the hook removes these is not known: %s",
			others.names);
	else if (others.n)
		finding(d, PROBLEM, "dhcp",
			"a hook in " HOOKS_IN
			": rm -f /var/lib/dhcpcd/duid /var/lib/dhcpcd/*.lease*, and restart dhcpcd",
			"a DHCP server takes both clones for one client: %s",
			others.names);
	if (!known.n && !others.n && unknown == d->unknown)
		finding(d, GOOD, "dhcp", NULL,
			"no lease and no DUID of systemd-networkd, dhclient, NetworkManager or dhcpcd");
}
