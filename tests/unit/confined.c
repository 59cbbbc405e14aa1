// SPDX-License-Identifier: MIT
/* Who cannot open the node: containers, and programs that AppArmor confines. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/doctor.h"
#include "doctor-root.h"
#include "suite.h"

static struct doctor doctor;

static void is_named(const char *cgroup, const char *engine, const char *name)
{
	char found[64];

	ck_assert_str_eq(container_name(cgroup, found, sizeof(found)), engine);
	ck_assert_str_eq(found, name);
}

#define HEX "0123456789ab0123456789ab0123456789ab0123456789ab0123456789abcdef"

START_TEST(containers_have_the_name_of_their_engine)
{
	is_named("0::/system.slice/docker-" HEX ".scope\n", "docker",
		 "0123456789ab");
	is_named("1:name=systemd:/docker/" HEX "\n", "docker", "0123456789ab");
	is_named("0::/machine.slice/libpod-" HEX ".scope/container\n", "podman",
		 "0123456789ab");
	is_named(
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" HEX
		".scope",
		"podman", "0123456789ab");
	is_named("0::/machine.slice/systemd-nspawn@web.service/payload\n",
		 "systemd-nspawn", "web");
	is_named("0::/machine.slice/machine-web.scope/payload/init.scope\n",
		 "systemd-nspawn", "web");
	is_named("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" HEX
		 ".scope\n",
		 "Kubernetes", "0123456789ab");
	is_named("0::/kubepods/besteffort/pod1/" HEX "\n", "Kubernetes",
		 "0123456789ab");
	is_named("0::/lxc.payload.web\n", "LXC", "web");
	is_named("0::/mine\n", "a container", "mine");
	is_named("", "a container", "");
}
END_TEST

static void container(const char *numbers, const char *mounts, const char *dev)
{
	char status[128];

	root_process("30", "init\n", "0::/machine.slice/machine-web.scope\n",
		     "");
	snprintf(status, sizeof(status), "Name:\tinit\nNSpid:\t%s\n", numbers);
	root_file("/proc/30/status", status);
	root_link("/proc/30/ns/mnt", mounts);
	root_link("/proc/self/ns/mnt", "mnt:[1]");
	if (dev) {
		char path[128];

		snprintf(path, sizeof(path), "%s/inside", root);
		root_link("/proc/30/root", path);
		root_file("/inside/etc/os-release", "");
		if (*dev)
			root_link("/inside/dev/sysgenid", dev);
	}
}

START_TEST(container_without_the_node_is_named)
{
	root_link("/dev/sysgenid", "/dev/null");
	container("30\t1", "mnt:[2]", "");
	said(examine_containers, &doctor,
	     "systemd-nspawn web (pid 30) cannot see the node");
	said(examine_containers, &doctor, "--bind=/dev/sysgenid");
	/* Something else of that name. */
	container("30\t1", "mnt:[2]", "/dev/zero");
	said(examine_containers, &doctor, "cannot see the node");
	container("30\t1", "mnt:[2]", "/dev/null");
	said(examine_containers, &doctor, "1 see the node");
	/* No container: our mounts, no namespace of its own, not the first one there. */
	container("30\t1", "mnt:[1]", NULL);
	ck_assert_str_eq(printed_by(examine_containers, &doctor), "");
	container("30", "mnt:[2]", NULL);
	ck_assert_str_eq(printed_by(examine_containers, &doctor), "");
	container("1", "mnt:[2]", NULL);
	ck_assert_str_eq(printed_by(examine_containers, &doctor), "");
	container("30\t7", "mnt:[2]", NULL);
	ck_assert_str_eq(printed_by(examine_containers, &doctor), "");
}
END_TEST

START_TEST(container_that_cannot_be_looked_into_is_said)
{
	root_link("/dev/sysgenid", "/dev/null");
	container("30\t1", "mnt:[2]", "/dev/sysgenid/loop/loop");
	root_link("/proc/30/root", "root");
	said(examine_containers, &doctor, "cannot be looked into");
}
END_TEST

START_TEST(criu_without_the_plugin_is_named)
{
	ck_assert_str_eq(printed_by(examine_checkpoints, &doctor), "");
	root_file("/usr/sbin/criu", "");
	root_process("40", "mapper\n", "0::/\n",
		     "1000-2000 r--s 00000000 00:05 7 /dev/sysgenid\n");
	root_process("41", "holder\n", "0::/\n", "");
	root_link("/proc/40/fd/0", "/dev/null");
	root_link("/proc/41/fd/3", "/dev/sysgenid-hw");
	root_process("42", "other\n", "0::/\n",
		     "1000-2000 r--s 00000000 00:05 7 /dev/sysgenid-x\n");
	root_link("/proc/42/fd/0", "/dev/null");
	said(examine_checkpoints, &doctor, "can dump none of 2");
	said(examine_checkpoints, &doctor, "mapper[40]");
	said(examine_checkpoints, &doctor, "holder[41]");
	said(examine_checkpoints, &doctor, "sysgenid-criu");
	root_file("/usr/lib/criu/sysgenid_plugin.so", "");
	said(examine_checkpoints, &doctor, "has the plugin");
}
END_TEST

START_TEST(container_is_told_from_a_machine)
{
	ck_assert(!in_container(root));
	root_bytes("/proc/1/environ", "A=1\0xcontainer=lxc\0", 19, 0644);
	ck_assert(!in_container(root));
	root_bytes("/proc/1/environ", "A=1\0container=lxc\0", 18, 0644);
	ck_assert(in_container(root));
	root_file("/proc/1/environ", "");
	ck_assert(!in_container(root));
	root_file("/run/systemd/container", "systemd-nspawn\n");
	ck_assert(in_container(root));
}
END_TEST

#define DENIED                                                             \
	"4,900,5000,-;audit: type=1400 audit(1.2:3): apparmor=\"DENIED\" " \
	"operation=\"open\" profile=\"%s\" name=\"%s\" pid=9 comm=\"x\"\n"

static bool denies(const char *profile, const char *name)
{
	char line[512], found[128];
	bool r;

	snprintf(line, sizeof(line), DENIED, profile, name);
	r = denied_by(line, found, sizeof(found));
	if (r)
		ck_assert_str_eq(found, profile);
	return r;
}

START_TEST(profile_that_denied_the_node_is_read_from_the_log)
{
	char found[8];

	ck_assert(denies("/usr/sbin/x", "/dev/sysgenid"));
	ck_assert(denies("x//child", "/dev/sysgenid-hw"));
	ck_assert(!denies("x", "/dev/sysgenid-other"));
	ck_assert(!denies("x", "/dev/null"));
	ck_assert(!denied_by(
		"apparmor=\"ALLOWED\" profile=\"x\" name=\"/dev/sysgenid\"",
		found, sizeof(found)));
	/* Cut off, and too long. */
	ck_assert(!denied_by(
		"apparmor=\"DENIED\" name=\"/dev/sysgenid\" profile=\"x", found,
		sizeof(found)));
	ck_assert(!denied_by(
		"apparmor=\"DENIED\" profile=\"123456789\" name=\"/dev/sysgenid\"",
		found, sizeof(found)));
}
END_TEST

static void confined(const char *current, const char *expected)
{
	char profile[128];

	root_file("/proc/9/attr/current", current);
	confined_by(root, "9", profile, sizeof(profile));
	ck_assert_str_eq(profile, expected);
}

START_TEST(profile_of_a_process_counts_when_it_is_enforced)
{
	char profile[128];

	confined("unconfined\n", "");
	confined("x (complain)\n", "");
	confined("/usr/sbin/x (enforce)\n", "/usr/sbin/x");
	confined_by(root, "10", profile, sizeof(profile));
	ck_assert_str_eq(profile, "");
}
END_TEST

static void line_is(const char *profile, const char *expected)
{
	char fix[1024];

	allow_in_profile(root, profile, fix, sizeof(fix));
	ck_assert_msg(strstr(fix, expected), "%s", fix);
}

START_TEST(line_names_the_file_of_the_profile)
{
	line_is("x", "to the profile x, wherever");
	root_file("/etc/apparmor.d/usr.sbin.x",
		  "/usr/sbin/x-other {\n}\nprofile x /usr/sbin/x {\n}\n");
	line_is("x", "to the profile x in /etc/apparmor.d/usr.sbin.x, then");
	line_is("/usr/sbin/x", "wherever");
	root_file("/etc/apparmor.d/usr.sbin.x",
		  "/usr/sbin/x {\n  include <local/usr.sbin.x>\n}\n");
	line_is("/usr/sbin/x",
		"echo 'include <abstractions/sysgenid>' >>/etc/apparmor.d/local/usr.sbin.x && apparmor_parser -r /etc/apparmor.d/usr.sbin.x");
}
END_TEST

static void set_up(void)
{
	root_make();
	atexit(root_remove);
	doctor = (struct doctor){ .root = root };
}

int main(void)
{
	const TTest *tests[] = {
		containers_have_the_name_of_their_engine,
		container_without_the_node_is_named,
		container_that_cannot_be_looked_into_is_said,
		container_is_told_from_a_machine,
		criu_without_the_plugin_is_named,
		profile_that_denied_the_node_is_read_from_the_log,
		profile_of_a_process_counts_when_it_is_enforced,
		line_names_the_file_of_the_profile,
	};

	return RUN_TESTS("confined", tests, set_up);
}
