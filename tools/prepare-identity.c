// SPDX-License-Identifier: MIT
/* By what a machine is known, and what its disks hold. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "hooks.h"
#include "prepare.h"

#define KEYS	 "/etc/ssh/ssh_host_*_key"
#define DROPBEAR "/etc/dropbear/dropbear_*_host_key"

/* Found, and renewed by a hook of ours or not. */
static void report(struct doctor *d, const char *about, const char *hook,
		   const char *what, const char *which)
{
	char fix[1024];

	if (overseer_runs(d->root) == 1 && hook_is_linked(d->root, hook)) {
		finding(d, GOOD, about, NULL, "the hook %s renews it: %s", hook,
			which);
		return;
	}
	link_hook(d->root, hook, "", fix, sizeof(fix));
	finding(d, PROBLEM, about, fix, "%s: %s", what, which);
}

void examine_host_keys(struct doctor *d)
{
	struct list openssh = { 0 }, dropbear = { 0 };
	unsigned int unknown = d->unknown;

	list_files(d, "ssh host keys", KEYS, &openssh);
	list_files(d, "ssh host keys", DROPBEAR, &dropbear);
	if (openssh.n)
		report(d, "ssh host keys", "40-ssh-host-keys",
		       "one clone can pass itself off as the other",
		       openssh.names);
	if (dropbear.n)
		finding(d, PROBLEM, "ssh host keys",
			"a hook in " HOOKS_IN ": rm " DROPBEAR
			" && dropbearkey, and restart dropbear",
			"one clone can pass itself off as the other: %s",
			dropbear.names);
	if (!openssh.n && !dropbear.n && unknown == d->unknown)
		finding(d, GOOD, "ssh host keys", NULL, "there are none");
}

/* 1: an id; 0: none, or one to come at the next boot; -errno. */
static int has_id(const char *root, const char *path)
{
	char line[64] = "";
	FILE *f = open_file(root, "%s", path);
	int r = 0;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	errno = 0;
	if (!fgets(line, sizeof(line), f) && ferror(f))
		r = errno ? -errno : -EIO;
	fclose(f);
	line[strcspn(line, "\n")] = 0;
	return r ? r : line[0] && strcmp(line, "uninitialized");
}

void examine_machine_id(struct doctor *d)
{
	static const char *const files[] = { "/etc/machine-id",
					     "/var/lib/dbus/machine-id" };
	struct list found = { 0 };
	bool failed = false;

	for (size_t i = 0; i < 2; i++) {
		int r = has_id(d->root, files[i]);

		if (r > 0)
			list_add(&found, files[i]);
		else if (r < 0)
			finding(d, UNSEEN, "machine id", "run it as root",
				"%s: %s", files[i], strerror(-r));
		failed |= r < 0;
	}
	if (found.n)
		report(d, "machine id", "30-machine-id",
		       "equal, and so is all that is derived from it",
		       found.names);
	else if (!failed)
		finding(d, GOOD, "machine id", NULL, "there is none yet");
}

void examine_cloud_init(struct doctor *d)
{
	static const char id[] = "/var/lib/cloud/data/instance-id";
	int r = has_id(d->root, id);

	if (r < 0)
		finding(d, UNSEEN, "cloud-init", "run it as root", "%s: %s", id,
			strerror(-r));
	else if (!r)
		finding(d, GOOD, "cloud-init", NULL, "there is no instance id");
	else if (overseer_runs(d->root) == 1 &&
		 hooks_mention(d->root, "cloud-init"))
		finding(d, GOOD, "cloud-init", NULL,
			"a hook in " HOOKS_IN " has cloud-init run");
	else
		finding(d, PROBLEM, "cloud-init",
			"cloud-init clean, as the last thing before the snapshot; or a hook in " HOOKS_IN
			": cloud-init clean && cloud-init init",
			"a clone keeps the instance id of its source until it boots again: %s",
			id);
}

/* Whether something of a disk is mounted: 1 or 0; -errno. */
static int has_disks(const char *root)
{
	FILE *f = open_file(root, "/proc/self/mountinfo");
	char line[4200];
	bool found = false;

	if (!f)
		return -errno;
	while (!found && fgets(line, sizeof(line), f)) {
		const char *end = strstr(line, " - ");

		found = end && strstr(end, " /dev/");
	}
	fclose(f);
	return found;
}

void examine_file_systems(struct doctor *d)
{
	static const char by_uuid[] = "/dev/disk/by-uuid";
	unsigned int unknown = d->unknown;
	struct list found = { 0 };
	int r;

	list_files(d, "file systems", "/dev/disk/by-uuid/*", &found);
	if (found.n) {
		finding(d, NOTE, "file systems",
			"leave them, unless disks of two clones meet in one machine; then, for a copy: tune2fs -U random DEVICE, xfs_admin -U generate DEVICE",
			"%u have the same UUID in each clone: %s", found.n,
			found.names);
		return;
	}
	r = has_disks(d->root);
	if (r && unknown == d->unknown)
		finding(d, UNSEEN, "file systems", "blkid",
			"udev does not list their UUIDs (%s)",
			r < 0 ? strerror(-r) : by_uuid);
	else if (!r)
		finding(d, GOOD, "file systems", NULL,
			"none of a disk is mounted");
}

void examine_swap(struct doctor *d)
{
	FILE *f = open_file(d->root, "/proc/swaps");
	struct list found = { 0 };
	char line[4200], name[256];

	/* A kernel without swap. */
	if (!f && errno != ENOENT) {
		finding(d, UNSEEN, "swap", "cat /proc/swaps", "/proc/swaps: %s",
			strerror(errno));
		return;
	}
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%255s", name) == 1 && name[0] == '/' &&
		    strncmp(name, "/dev/zram", 9))
			list_add(&found, name);
	if (f)
		fclose(f);
	if (found.n)
		finding(d, NOTE, "swap", "swapoff -a",
			"memory of programs, with its keys, is on disks that each clone gets: %s",
			found.names);
	else
		finding(d, GOOD, "swap", NULL, "none is on a disk");
}
