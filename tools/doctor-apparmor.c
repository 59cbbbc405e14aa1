// SPDX-License-Identifier: MIT
/* AppArmor profiles that deny the node: by the kernel's log, and by who could not map it. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sysgenid.h>

#include "doctor.h"

#define PROFILES "/etc/apparmor.d"
#define AUDIT	 "/var/log/audit/audit.log"
#define LIBRARY	 "/libsysgenid.so.0"
#define INCLUDE	 "include <abstractions/sysgenid>"

void confined_by(const char *root, const char *pid, char *profile, size_t size)
{
	static const char *const files[] = { "attr/apparmor/current",
					     "attr/current" };
	char line[1024];

	profile[0] = 0;
	for (size_t i = 0; i < 2; i++) {
		FILE *f = open_file(root, "/proc/%.16s/%s", pid, files[i]);
		bool ok = f && fgets(line, sizeof(line), f);

		if (f)
			fclose(f);
		if (!ok)
			continue;
		line[strcspn(line, "\n")] = 0;
		if (!ends_with(line, " (enforce)"))
			return;
		line[strlen(line) - strlen(" (enforce)")] = 0;
		snprintf(profile, size, "%s", line);
		return;
	}
}

/* The value of NAME="VALUE". */
static bool quoted(const char *line, const char *name, char *value, size_t size)
{
	const char *at = strstr(line, name);
	size_t len;

	if (!at)
		return false;
	at += strlen(name);
	len = strcspn(at, "\"\n");
	if (at[len] != '"' || len >= size)
		return false;
	memcpy(value, at, len);
	value[len] = 0;
	return true;
}

bool denied_by(const char *line, char *profile, size_t size)
{
	char name[128];

	return strstr(line, "apparmor=\"DENIED\"") &&
	       quoted(line, " name=\"", name, sizeof(name)) &&
	       (!strcmp(name, SYSGENID_DEVICE) ||
		!strcmp(name, SYSGENID_HW_DEVICE)) &&
	       quoted(line, " profile=\"", profile, size);
}

/* A line of a profile's file that begins the profile: "profile NAME", or its path alone. */
static bool begins_profile(const char *line, const char *profile)
{
	size_t len = strlen(profile);

	line += strspn(line, " \t");
	if (!strncmp(line, "profile ", 8))
		line += 8 + strspn(line + 8, " \t");
	line += *line == '"';
	if (strncmp(line, profile, len))
		return false;
	return !line[len] || strchr(" \t\"{\n", line[len]);
}

/* A file of PROFILES; @local: it includes what the administrator adds. */
static bool find_profile(const char *root, const char *profile, char *file,
			 size_t size, bool *local)
{
	char path[4608], line[1024], wanted[300];
	bool found = false;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s" PROFILES, root);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		FILE *f;

		if (e->d_name[0] == '.' || e->d_type == DT_DIR)
			continue;
		f = open_file(root, PROFILES "/%s", e->d_name);
		*local = false;
		snprintf(wanted, sizeof(wanted), "<local/%s>", e->d_name);
		while (f && fgets(line, sizeof(line), f)) {
			found |= begins_profile(line, profile);
			*local |= strstr(line, wanted) != NULL;
		}
		if (f)
			fclose(f);
		if (found)
			snprintf(file, size, "%s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

void allow_in_profile(const char *root, const char *profile, char *fix,
		      size_t size)
{
	char file[256];
	bool local;

	if (!find_profile(root, profile, file, sizeof(file), &local))
		snprintf(
			fix, size,
			"add \"" INCLUDE
			"\" to the profile %s, wherever it is made, and load it again",
			profile);
	else if (local)
		snprintf(fix, size,
			 "echo '" INCLUDE "' >>" PROFILES
			 "/local/%s && apparmor_parser -r " PROFILES "/%s",
			 file, file);
	else
		snprintf(fix, size,
			 "add \"" INCLUDE "\" to the profile %s in " PROFILES
			 "/%s, then: apparmor_parser -r " PROFILES "/%s",
			 profile, file, file);
}

struct denials {
	unsigned int n;
	char profiles[16][128];
};

static void add(struct denials *l, const char *profile)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (!strcmp(l->profiles[i], profile))
			return;
	if (l->n < sizeof(l->profiles) / sizeof(l->profiles[0]))
		snprintf(l->profiles[l->n++], sizeof(l->profiles[0]), "%s",
			 profile);
}

/* False: it may not be read. */
static bool read_log(struct denials *l)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[8192], profile[128];
	ssize_t n;

	if (fd < 0)
		return false;
	/* EPIPE: the oldest were overwritten meanwhile; the next ones are there. */
	while ((n = read(fd, record, sizeof(record) - 1)) > 0 ||
	       (n < 0 && (errno == EPIPE || errno == EINTR))) {
		record[n > 0 ? n : 0] = 0;
		if (denied_by(record, profile, sizeof(profile)))
			add(l, profile);
	}
	close(fd);
	return true;
}

static void read_audit(const char *root, struct denials *l)
{
	FILE *f = open_file(root, AUDIT);
	char line[4096], profile[128];

	while (f && fgets(line, sizeof(line), f))
		if (denied_by(line, profile, sizeof(profile)))
			add(l, profile);
	if (f)
		fclose(f);
}

static void examine_process(struct doctor *d, const char *pid,
			    struct denials *told)
{
	struct list who = { 0 };
	char profile[128], fix[1024];

	confined_by(d->root, pid, profile, sizeof(profile));
	if (!profile[0] || !process_maps(pid, LIBRARY) ||
	    process_maps(pid, SYSGENID_DEVICE))
		return;
	add(told, profile);
	list_add_process(&who, d->root, pid);
	allow_in_profile(d->root, profile, fix, sizeof(fix));
	finding(d, PROBLEM, "apparmor", fix,
		"%s uses the library and has not mapped the node; the profile %s confines it",
		who.names, profile);
}

void examine_apparmor(struct doctor *d)
{
	struct denials denied = { .n = 0 }, told = { .n = 0 };
	DIR *proc = opendir("/proc");
	char line[8], fix[1024];
	struct dirent *e;
	bool seen;

	if (!first_line("/sys/module/apparmor/parameters/enabled", line,
			sizeof(line)) ||
	    line[0] != 'Y') {
		if (proc)
			closedir(proc);
		return;
	}
	while (proc && (e = readdir(proc)))
		if (isdigit((unsigned char)e->d_name[0]))
			examine_process(d, e->d_name, &told);
	if (proc)
		closedir(proc);
	seen = read_log(&denied);
	read_audit(d->root, &denied);
	for (unsigned int i = 0; i < denied.n; i++) {
		unsigned int before = told.n;

		add(&told, denied.profiles[i]);
		if (told.n == before)
			continue;
		allow_in_profile(d->root, denied.profiles[i], fix, sizeof(fix));
		finding(d, NOTE, "apparmor", fix,
			"the profile %s has denied a node since the boot",
			denied.profiles[i]);
	}
	if (!seen)
		finding(d, NOTE, "apparmor", "sudo sysgenidctl doctor",
			"only root sees in the kernel's log which profiles denied the node");
	else if (!told.n)
		finding(d, GOOD, "apparmor", NULL,
			"no profile has denied the node, as far as the kernel's log goes back");
}
