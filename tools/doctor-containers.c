// SPDX-License-Identifier: MIT
/*
 * Containers: the first process of each pid namespace below this one, that has
 * mounts of its own. Whether the node is there can be seen from outside; whether
 * the container's device rules let it be opened cannot.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sysgenid.h>

#include "doctor.h"

bool in_container(const char *root)
{
	char variables[4096];
	FILE *f;
	size_t n;

	if (!no_file(root, "/run/.containerenv") ||
	    !no_file(root, "/.dockerenv") ||
	    !no_file(root, "/run/systemd/container") ||
	    !no_file(root, "/run/host/container-manager"))
		return true;
	f = open_file(root, "/proc/1/environ");
	if (!f)
		return false;
	n = fread(variables, 1, sizeof(variables), f);
	fclose(f);
	for (size_t at = 0; at < n;) {
		if (n - at > 10 && !memcmp(variables + at, "container=", 10))
			return true;
		at += strnlen(variables + at, n - at) + 1;
	}
	return false;
}

static const struct engine {
	/* How a part of the cgroup's path begins and ends. */
	const char *begin, *end;
	const char *name;
} engines[] = {
	{ "cri-containerd-", ".scope", "Kubernetes" },
	{ "crio-", ".scope", "Kubernetes" },
	{ "docker-", ".scope", "docker" },
	{ "libpod-", ".scope", "podman" },
	{ "libpod-", "", "podman" },
	{ "machine-", ".scope", "systemd-nspawn" },
	{ "systemd-nspawn@", ".service", "systemd-nspawn" },
	{ "lxc.payload.", "", "LXC" },
};

/* An id of 64 digits is known by its first 12. */
static void copy_name(char *name, size_t size, const char *from, size_t len)
{
	snprintf(name, size, "%.*s", (int)(len == 64 || len > size ? 12 : len),
		 from);
}

const char *container_name(const char *cgroup, char *name, size_t size)
{
	const char *engine = NULL, *last = "";
	char copy[4200], *rest = copy, *part;
	bool kubernetes = strstr(cgroup, "/kubepods") != NULL, docker = false;

	snprintf(copy, sizeof(copy), "%s", cgroup);
	copy[strcspn(copy, "\n")] = 0;
	while (!engine && (part = strsep(&rest, "/"))) {
		size_t len = strlen(part);

		if (!len)
			continue;
		if (docker)
			engine = "docker";
		for (size_t i = 0;
		     !engine && i < sizeof(engines) / sizeof(engines[0]); i++) {
			const struct engine *e = &engines[i];
			size_t begin = strlen(e->begin), end = strlen(e->end);

			if (len <= begin + end ||
			    strncmp(part, e->begin, begin) ||
			    !ends_with(part, e->end))
				continue;
			engine = e->name;
			part += begin;
			len -= begin + end;
		}
		if (engine) {
			copy_name(name, size, part, len);
			return kubernetes ? "Kubernetes" : engine;
		}
		docker = !strcmp(part, "docker");
		last = part;
	}
	copy_name(name, size, last, strlen(last));
	return kubernetes ? "Kubernetes" : "a container";
}

static const char *mend_for(const char *engine)
{
	if (!strcmp(engine, "docker") || !strcmp(engine, "podman"))
		return "start it with --device " SYSGENID_DEVICE;
	if (!strcmp(engine, "systemd-nspawn"))
		return "start it with --bind=" SYSGENID_DEVICE
		       "; as a service: Bind= in its .nspawn file and DeviceAllow= in a drop-in, see Containers in sysgenid(7)";
	if (!strcmp(engine, "Kubernetes"))
		return "offer " SYSGENID_DEVICE
		       " by a device plugin or CDI: a hostPath alone gives EPERM; see Containers in sysgenid(7)";
	if (!strcmp(engine, "LXC"))
		return "lxc.mount.entry = " SYSGENID_DEVICE
		       " dev/sysgenid none bind,create=file, and lxc.cgroup2.devices.allow for its numbers";
	return "pass " SYSGENID_DEVICE
	       " in, and allow it in the device rules: a bind mount alone gives EPERM";
}

/* NSpid: has a number for each namespace, and the innermost is 1. */
static bool is_first(const char *root, const char *pid)
{
	FILE *f = open_file(root, "/proc/%.16s/status", pid);
	char line[512], *rest, *number, last[16] = "";
	unsigned int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:", 6))
			continue;
		rest = line + 6;
		while ((number = strsep(&rest, " \t\n"))) {
			if (!*number)
				continue;
			snprintf(last, sizeof(last), "%.15s", number);
			n++;
		}
	}
	if (f)
		fclose(f);
	return n > 1 && !strcmp(last, "1");
}

/* 1 or 0; -errno. */
static int has_own_mounts(const char *root, const char *pid)
{
	char path[4608], theirs[64] = "", ours[64] = "";

	snprintf(path, sizeof(path), "%s/proc/%.16s/ns/mnt", root, pid);
	if (readlink(path, theirs, sizeof(theirs) - 1) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/proc/self/ns/mnt", root);
	if (readlink(path, ours, sizeof(ours) - 1) < 0)
		return -errno;
	return strcmp(theirs, ours) != 0;
}

/* The node is there, and one for sysgenid: 1 or 0; -errno. */
static int sees_node(const char *root, const char *pid)
{
	struct stat theirs, ours;
	char path[4608];

	snprintf(path, sizeof(path), "%s" SYSGENID_DEVICE, root);
	if (stat(path, &ours))
		return -errno;
	snprintf(path, sizeof(path), "%s/proc/%.16s/root" SYSGENID_DEVICE, root,
		 pid);
	if (stat(path, &theirs))
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	return S_ISCHR(theirs.st_mode) == S_ISCHR(ours.st_mode) &&
	       theirs.st_rdev == ours.st_rdev;
}

static void read_cgroup(const char *root, const char *pid, char *line,
			size_t size)
{
	FILE *f = open_file(root, "/proc/%.16s/cgroup", pid);
	bool found = false;

	line[0] = 0;
	while (f && !found && fgets(line, (int)size, f))
		found = !strncmp(line, "0::", 3) ||
			strstr(line, ":name=systemd:");
	if (f)
		fclose(f);
}

struct containers {
	unsigned int seen;
	struct list see;
};

static void examine_container(struct doctor *d, const char *pid,
			      struct containers *c)
{
	char cgroup[4200], name[64], both[128];
	const char *engine;
	int r;

	r = has_own_mounts(d->root, pid);
	if (r > 0)
		r = sees_node(d->root, pid);
	else if (!r)
		return;
	/* The container has ended. */
	if (r < 0 && no_file(d->root, "/proc/%.16s", pid))
		return;
	read_cgroup(d->root, pid, cgroup, sizeof(cgroup));
	engine = container_name(cgroup, name, sizeof(name));
	snprintf(both, sizeof(both), "%s %s", engine, name);
	c->seen++;
	if (r == 1)
		list_add(&c->see, both);
	else if (!r)
		finding(d, NOTE, "containers", mend_for(engine),
			"%s (pid %s) cannot see the node", both, pid);
	else
		finding(d, d->prepare ? UNSEEN : NOTE, "containers",
			"run it as root",
			"%s (pid %s) cannot be looked into: %s", both, pid,
			strerror(-r));
}

void examine_containers(struct doctor *d)
{
	struct containers c = { .seen = 0 };
	char path[4608];
	struct dirent *e;
	DIR *proc;

	/* Without a node here there is none to pass in. */
	if (no_file(d->root, SYSGENID_DEVICE))
		return;
	snprintf(path, sizeof(path), "%s/proc", d->root);
	proc = opendir(path);
	while (proc && (e = readdir(proc)))
		if (isdigit((unsigned char)e->d_name[0]) &&
		    is_first(d->root, e->d_name))
			examine_container(d, e->d_name, &c);
	if (proc)
		closedir(proc);
	if (c.see.n)
		finding(d, GOOD, "containers", NULL,
			"%u see the node (whether their device rules let them open it, \"sysgenidctl get\" in there says): %s",
			c.see.n, c.see.names);
}
