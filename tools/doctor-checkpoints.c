// SPDX-License-Identifier: MIT
/*
 * Checkpoints: criu(8) without the plugin can dump no program that has the device open
 * or mapped.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sysgenid.h>

#include "doctor.h"

#define PLUGIN "/usr/lib/criu/sysgenid_plugin.so"

static bool has_criu(const char *root)
{
	static const char *const places[] = { "/usr/sbin/criu", "/usr/bin/criu",
					      "/usr/local/sbin/criu" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!no_file(root, "%s", places[i]))
			return true;
	return false;
}

static bool is_node(const char *path)
{
	return ends_with(path, SYSGENID_DEVICE) ||
	       ends_with(path, SYSGENID_HW_DEVICE);
}

static bool maps_node(const char *root, const char *pid)
{
	FILE *f = open_file(root, "/proc/%.16s/maps", pid);
	bool found = false;
	char line[4200];

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		found = is_node(line);
	}
	if (f)
		fclose(f);
	return found;
}

/* 1 or 0; -errno. */
static int has_node_open(const char *root, const char *pid)
{
	char path[4608], target[4200];
	struct dirent *e;
	int found = 0;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/proc/%.16s/fd", root, pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!found && (e = readdir(dir))) {
		n = readlinkat(dirfd(dir), e->d_name, target,
			       sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		found = is_node(target);
	}
	closedir(dir);
	return found;
}

void examine_checkpoints(struct doctor *d)
{
	struct list holders = { .n = 0 };
	unsigned int unseen = 0;
	char path[4608];
	struct dirent *e;
	DIR *proc;
	int r;

	if (!has_criu(d->root))
		return;
	if (!no_file(d->root, PLUGIN)) {
		finding(d, GOOD, "checkpoints", NULL,
			"criu has the plugin of sysgenid");
		return;
	}
	snprintf(path, sizeof(path), "%s/proc", d->root);
	proc = opendir(path);
	while (proc && (e = readdir(proc))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		r = maps_node(d->root, e->d_name);
		if (!r)
			r = has_node_open(d->root, e->d_name);
		if (r > 0)
			list_add_process(&holders, d->root, e->d_name);
		else if (r < 0 && r != -ENOENT)
			unseen++;
	}
	if (proc)
		closedir(proc);
	if (holders.n)
		finding(d, NOTE, "checkpoints",
			"install the package sysgenid-criu",
			"criu is installed without the plugin of sysgenid, and can dump none of %u that use the device: %s",
			holders.n, holders.names);
	else if (unseen)
		finding(d, NOTE, "checkpoints", "run it as root",
			"criu is installed without the plugin of sysgenid; whether %u programs use the device cannot be seen",
			unseen);
}
