// SPDX-License-Identifier: MIT
/* sysgenidctl prepare --check, in a machine made of files. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sysgenid.h>

#include "../../tools/hooks.h"
#include "../../tools/prepare.h"
#include "../../tools/sysgenidctl.h"
#include "doctor-root.h"
#include "suite.h"

static struct doctor doctor;

static void overseer(bool runs)
{
	root_file("/run/sysgenid/overseer.sock", "");
	root_file(
		"/proc/net/unix",
		runs ? "Num\n0: 2 0 10000 1 1 5 /run/sysgenid/overseer.sock\n" :
		       "Num\n");
}

static void hook(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/etc/sysgenid/adjust.d/%s", name);
	root_bytes(path, text, strlen(text), 0755);
}

/* What each examiner says, and its counts. */
static void equal(examine_fn *examine, const char *text)
{
	said(examine, &doctor, text);
	ck_assert_uint_eq(doctor.problems, 1);
	ck_assert_uint_eq(doctor.unknown, 0);
}

static void unseen(examine_fn *examine, const char *text)
{
	said(examine, &doctor, text);
	ck_assert_uint_eq(doctor.problems, 0);
	ck_assert_uint_ge(doctor.unknown, 1);
}

static void fine(examine_fn *examine, const char *text)
{
	said(examine, &doctor, text);
	ck_assert_uint_eq(doctor.problems, 0);
	ck_assert_uint_eq(doctor.unknown, 0);
}

/* A link to itself: ELOOP, for root as well. */
static void unreadable(const char *path)
{
	root_link(path, strrchr(path, '/') + 1);
}

START_TEST(overseer_runs_if_its_socket_is_listened_to)
{
	unseen(examine_overseer, "cannot be told");
	overseer(false);
	fine(examine_overseer, "does not run");
	overseer(true);
	fine(examine_overseer, "will have a clone adjust");
	/* That of a container. */
	unreadable("/run/sysgenid/overseer.sock");
	fine(examine_overseer, "does not run");
}
END_TEST

START_TEST(machine_without_a_source_is_not_told)
{
	said(examine_notice, &doctor, "equal    device: no program");
	doctor.answers = true;
	said(examine_notice, &doctor, "only if an agent tells");
	doctor.sources = 1u << SYSGENID_SOURCE_VMGENID;
	said(examine_notice, &doctor, "ok       device: programs learn");
}
END_TEST

#define HEAD "  sl  local_address rem_address   st tx_queue\n"
/* 10.0.0.2:PORT and 10.0.0.9:51234. */
#define V4(local, remote, state) \
	"   0: 0200000A:" local " 0900000A:" remote " " state " 0:0\n"
#define LOOP(local) "   0: 0100007F:" local " 0100007F:C822 01 0:0\n"
#define V6(local, state)                                \
	"   0: 00000000000000000000000001000000:" local \
	" B80D0120000000000000000001000000:C822 " state " 0:0\n"
#define LOOP6(local)                                    \
	"   0: 00000000000000000000000001000000:" local \
	" 00000000000000000000000001000000:C822 01 0:0\n"
#define MAPPED(local)                                   \
	"   0: 0000000000000000FFFF00000100007F:" local \
	" 0000000000000000FFFF00000100007F:C822 01 0:0\n"

/* @pid is in a network namespace of its own. */
static void network(const char *pid, const char *tcp, const char *tcp6)
{
	char path[64], namespace[32];

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	snprintf(namespace, sizeof(namespace), "net:[%s]", pid);
	root_link(path, namespace);
	snprintf(path, sizeof(path), "/proc/%s/net/tcp", pid);
	root_file(path, tcp);
	if (!tcp6)
		return;
	snprintf(path, sizeof(path), "/proc/%s/net/tcp6", pid);
	root_file(path, tcp6);
}

START_TEST(open_connections_of_tls_are_equal)
{
	network("self", HEAD, HEAD);
	fine(examine_connections, "none is open on a port of TLS or SSH");
	said(examine_connections, &doctor, "not seen: TLS on other ports");
	/* Other ports, other states, and both ends within. */
	network("self",
		HEAD V4("1F91", "C822", "01") V4("01BB", "C822", "06")
			V4("01BB", "0000", "0A") LOOP("01BB"),
		HEAD LOOP6("01BB") MAPPED("01BB"));
	fine(examine_connections, "none is open on a port of TLS or SSH");
	network("self", HEAD V4("01BB", "C822", "01"), NULL);
	equal(examine_connections, "port 443 with 10.0.0.9 port 51234");
	network("self", HEAD V4("C822", "0016", "08"), HEAD);
	equal(examine_connections, "port 51234 with 10.0.0.9 port 22");
	network("self", HEAD, HEAD V6("01BB", "01"));
	equal(examine_connections, "port 443 with 2001:db8::1 port 51234");
	/* In another namespace, and once for all processes there. */
	network("self", HEAD, HEAD);
	network("7", HEAD V4("01BB", "C822", "01"), HEAD);
	network("8", HEAD V4("01BB", "C822", "01"), HEAD);
	root_link("/proc/8/ns/net", "net:[7]");
	equal(examine_connections, "1 are open");
}
END_TEST

START_TEST(overseer_destroys_connections_behind_a_gate)
{
	network("self", HEAD V4("01BB", "C822", "01"), HEAD);
	overseer(true);
	equal(examine_connections, "gate = nftables");
	root_file("/etc/sysgenid/overseer.conf",
		  "[overseer]\ngate = nftables\n");
	fine(examine_connections, "the overseer destroys them");
	root_file(
		"/etc/sysgenid/overseer.conf",
		"[overseer]\ngate = nftables\ndestroy-connections = with-gate\n");
	fine(examine_connections, "the overseer destroys them");
	root_file("/etc/sysgenid/overseer.conf",
		  "[overseer]\ngate = nftables\ndestroy-connections = no\n");
	equal(examine_connections, "1 are open");
	root_file("/etc/sysgenid/overseer.conf",
		  "[overseer]\ngate = nftables\n");
	overseer(false);
	equal(examine_connections, "1 are open");
	overseer(true);
	unreadable("/etc/sysgenid/overseer.conf");
	equal(examine_connections, "1 are open");
}
END_TEST

START_TEST(connections_that_cannot_be_listed_are_said)
{
	network("self", HEAD, HEAD);
	root_file("/proc/9/ns/net", "no link");
	unseen(examine_connections, "cannot be listed");
	not_said(examine_connections, &doctor, "none is open");
	root_link("/proc/9/ns/net", "net:[9]");
	unseen(examine_connections, "cannot be listed");
	network("9", HEAD, HEAD);
	fine(examine_connections, "none is open");
	unreadable("/proc/9/net/tcp6");
	unseen(examine_connections, "cannot be listed");
}
END_TEST

START_TEST(connections_of_ktls_are_equal)
{
	network("self", HEAD, HEAD);
	root_file("/proc/self/net/tls_stat",
		  "TlsCurrTxSw  2\nTlsCurrRxSw  5\nTlsCurrTxDevice  1\n"
		  "TlsTxSw  9\n");
	equal(examine_connections, "kTLS: the kernel encrypts 3 connections");
	overseer(true);
	fine(examine_connections, "kTLS: 3 connections; the overseer");
	root_file("/etc/sysgenid/overseer.conf", "sessions=keep\n");
	equal(examine_connections, "kTLS: the kernel encrypts 3");
	unreadable("/etc/sysgenid/overseer.conf");
	equal(examine_connections, "kTLS: the kernel encrypts 3");
}
END_TEST

#define LISTER HELPERS "/list-sessions"

static void lister(const char *script)
{
	root_bytes(LISTER, script, strlen(script), 0755);
}

START_TEST(sessions_of_the_kernel_are_equal)
{
	unseen(examine_sessions, "install the package sysgenid-overseer");
	lister("#!/bin/sh\n");
	fine(examine_sessions, "the kernel has none");
	lister("#!/bin/sh\nprintf 'WireGuard\\twg0 in net:[1]\\n'\n");
	equal(examine_sessions, "WireGuard: wg0 in net:[1]; both clones");
	overseer(true);
	fine(examine_sessions, "the overseer resets it");
	lister("#!/bin/sh\nprintf 'MACsec\\tm0\\n'\n");
	equal(examine_sessions, "MACsec: m0; both clones");
	/* What was listed so far is not all. */
	lister("#!/bin/sh\nprintf 'WireGuard\\twg0\\n'\nexit 1\n");
	unseen(examine_sessions, "cannot be listed all");
	lister("#!/bin/sh\nexit 1\n");
	unseen(examine_sessions, "cannot be listed");
	not_said(examine_sessions, &doctor, "the kernel has none");
}
END_TEST

START_TEST(leases_are_equal_unless_hooks_renew_them)
{
	fine(examine_dhcp, "no lease and no DUID");
	root_file("/run/systemd/netif/leases/2", "x");
	equal(examine_dhcp, "one client: /run/systemd/netif/leases/2");
	overseer(true);
	hook("50-dhcp", "");
	equal(examine_dhcp, "30-machine-id");
	hook("30-machine-id", "");
	fine(examine_dhcp, "renew it: /run/systemd/netif/leases/2");
	overseer(false);
	equal(examine_dhcp, "one client");
	overseer(true);
	root_file("/var/lib/dhcpcd/duid", "x");
	equal(examine_dhcp, "one client: /var/lib/dhcpcd/duid");
}
END_TEST

START_TEST(host_keys_are_equal_unless_a_hook_renews_them)
{
	fine(examine_host_keys, "there are none");
	root_file("/etc/ssh/ssh_host_ed25519_key", "x");
	root_file("/etc/ssh/ssh_host_ed25519_key.pub", "x");
	equal(examine_host_keys, "other: /etc/ssh/ssh_host_ed25519_key");
	root_file(HOOKS_FROM "/40-ssh-host-keys", "");
	root_file("/run/systemd/system/x", "");
	equal(examine_host_keys,
	      "fix: ln -sf /usr/share/sysgenid/hooks/40-ssh-host-keys /etc/sysgenid/adjust.d/ && systemctl enable --now sysgenid-overseer\n");
	overseer(true);
	hook("40-ssh-host-keys", "");
	fine(examine_host_keys, "the hook 40-ssh-host-keys renews it");
	root_file("/etc/dropbear/dropbear_rsa_host_key", "x");
	equal(examine_host_keys, "/etc/dropbear/dropbear_rsa_host_key");
}
END_TEST

/* Whatever advises to start or to restart something. */
START_TEST(advice_names_systemctl_only_where_systemd_runs)
{
	static examine_fn *const examiners[] = {
		examine_overseer, examine_connections, examine_host_keys,
		examine_dhcp, examine_generators
	};

	overseer(false);
	network("self", HEAD V4("01BB", "C822", "01"), HEAD);
	root_file("/etc/ssh/ssh_host_ed25519_key", "x");
	root_file("/run/systemd/netif/leases/2", "x");
	root_file("/var/lib/dhcpcd/duid", "x");
	root_process("1", "init\n", "0::/init.scope\n",
		     "7f00-7f01 r-xp 0 08:01 1 /usr/lib/libgnutls.so.30\n");
	for (size_t i = 0; i < sizeof(examiners) / sizeof(examiners[0]); i++)
		not_said(examiners[i], &doctor, "systemctl");
	said(examine_overseer, &doctor,
	     "; fix: have the init system start sysgenid-overseer (of");
	said(examine_connections, &doctor,
	     "have the init system start sysgenid-overseer");
	said(examine_generators, &doctor, "nothing but a boot");
	overseer(true);
	said(examine_connections, &doctor, "send SIGHUP to the overseer");
	root_file("/run/systemd/system/x", "");
	said(examine_connections, &doctor, "&& systemctl restart");
	overseer(false);
	for (size_t i = 0; i < sizeof(examiners) / sizeof(examiners[0]); i++)
		said(examiners[i], &doctor, "systemctl");
}
END_TEST

START_TEST(directories_that_cannot_be_listed_are_said)
{
	unreadable("/etc/ssh");
	unseen(examine_host_keys, "unknown  ssh host keys: /etc/ssh");
	not_said(examine_host_keys, &doctor, "there are none");
	unreadable("/var/lib/dhcp");
	unseen(examine_dhcp, "unknown  dhcp: /var/lib/dhcp");
	not_said(examine_dhcp, &doctor, "no lease and no DUID");
}
END_TEST

START_TEST(machine_id_is_equal_unless_a_hook_renews_it)
{
	fine(examine_machine_id, "none yet");
	root_file("/etc/machine-id", "uninitialized\n");
	fine(examine_machine_id, "none yet");
	root_file("/etc/machine-id", "");
	fine(examine_machine_id, "none yet");
	root_file("/etc/machine-id", "0123\n");
	equal(examine_machine_id, "derived from it: /etc/machine-id;");
	overseer(true);
	hook("30-machine-id", "");
	fine(examine_machine_id, "the hook 30-machine-id renews it");
	overseer(false);
	equal(examine_machine_id, "derived from it");
	unreadable("/etc/machine-id");
	unseen(examine_machine_id, "/etc/machine-id: ");
	not_said(examine_machine_id, &doctor, "none yet");
}
END_TEST

START_TEST(instance_id_is_equal_unless_a_hook_has_cloud_init_run)
{
	fine(examine_cloud_init, "no instance id");
	root_file("/var/lib/cloud/data/instance-id", "i-1\n");
	equal(examine_cloud_init, "cloud-init clean");
	overseer(true);
	hook("45-own", "# cloud-init\ncloud-initial\n");
	equal(examine_cloud_init, "cloud-init clean");
	hook("45-own", "cloud-init init\n");
	fine(examine_cloud_init, "has cloud-init run");
	unreadable("/var/lib/cloud/data/instance-id");
	unseen(examine_cloud_init, "instance-id: ");
}
END_TEST

#define MOUNT "21 1 254:1 / / rw - ext4 /dev/vda1 rw\n"

START_TEST(file_systems_and_swap_are_notes)
{
	unseen(examine_file_systems, "udev does not list");
	root_file("/proc/self/mountinfo",
		  "21 1 0:5 / /dev rw - tmpfs dev rw\n");
	fine(examine_file_systems, "none of a disk is mounted");
	root_file("/proc/self/mountinfo", MOUNT);
	unseen(examine_file_systems, "udev does not list");
	root_link("/dev/disk/by-uuid/1111-2222", "../../vda1");
	fine(examine_file_systems, "note     file systems: 1 have");
	fine(examine_swap, "none is on a disk");
	root_file("/proc/swaps", "Filename Type\n/dev/zram0 partition 1\n");
	fine(examine_swap, "none is on a disk");
	root_file("/proc/swaps", "Filename Type\n/swapfile file 1\n");
	fine(examine_swap, "note     swap: memory");
	unreadable("/proc/swaps");
	unseen(examine_swap, "/proc/swaps: ");
}
END_TEST

static void set_up(void)
{
	root_make();
	atexit(root_remove);
	doctor = (struct doctor){ .root = root, .prepare = true };
}

int main(void)
{
	const TTest *tests[] = {
		overseer_runs_if_its_socket_is_listened_to,
		machine_without_a_source_is_not_told,
		open_connections_of_tls_are_equal,
		overseer_destroys_connections_behind_a_gate,
		connections_that_cannot_be_listed_are_said,
		connections_of_ktls_are_equal,
		sessions_of_the_kernel_are_equal,
		leases_are_equal_unless_hooks_renew_them,
		host_keys_are_equal_unless_a_hook_renews_them,
		advice_names_systemctl_only_where_systemd_runs,
		directories_that_cannot_be_listed_are_said,
		machine_id_is_equal_unless_a_hook_renews_it,
		instance_id_is_equal_unless_a_hook_has_cloud_init_run,
		file_systems_and_swap_are_notes,
	};

	return RUN_TESTS("prepare", tests, set_up);
}
