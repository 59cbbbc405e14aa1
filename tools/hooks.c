// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../overseer/protocol.h"
#include "doctor.h"
#include "hooks.h"

#define LISTS "/etc/sysgenid/hooks.conf"
#define CONF  "/etc/sysgenid/overseer.conf"

int overseer_runs(const char *root)
{
	FILE *f = open_file(root, "/proc/net/unix");
	bool found = false;
	char line[512];
	int r = 0;

	if (!f)
		return -errno;
	while (!found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		found = ends_with(line, " " PROTOCOL_SOCKET);
	}
	if (ferror(f))
		r = -EIO;
	fclose(f);
	/* The socket of a container's overseer has the same name, in another /run. */
	return r ? r : found && !no_file(root, PROTOCOL_SOCKET);
}

bool systemd_runs(const char *root)
{
	return !no_file(root, "/run/systemd/system");
}

const char *start_overseer(const char *root)
{
	const bool runs = overseer_runs(root) == 1;

	if (systemd_runs(root))
		return runs ? "systemctl daemon-reload && systemctl restart sysgenid-overseer" :
			      "systemctl enable --now sysgenid-overseer";
	return runs ? "send SIGHUP to the overseer" :
		      "have the init system start sysgenid-overseer";
}

/* The overseer runs what its owner may execute. */
static bool is_hook(const char *root, const char *name)
{
	char path[4608];
	struct stat st;

	snprintf(path, sizeof(path), "%s" HOOKS_IN "/%s", root, name);
	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_mode & S_IXUSR;
}

bool hook_is_linked(const char *root, const char *name)
{
	return is_hook(root, name);
}

/* As a word: not a part of another unit's name. */
static bool has_word(const char *line, const char *word, size_t len)
{
	for (const char *at = line; (at = strstr(at, word)); at++) {
		char before = at > line ? at[-1] : ' ', after = at[len];

		if (!isalnum((unsigned char)before) &&
		    !strchr("-_.@/", before) &&
		    !isalnum((unsigned char)after) &&
		    (!after || !strchr("-_@:\\", after)) &&
		    (after != '.' || !strncmp(at + len, ".service", 8)))
			return true;
	}
	return false;
}

static bool names_unit(const char *line, const char *unit)
{
	char bare[256];

	snprintf(bare, sizeof(bare), "%.255s", unit);
	if (ends_with(bare, ".service"))
		bare[strlen(bare) - strlen(".service")] = 0;
	return bare[0] && has_word(line, bare, strlen(bare));
}

/* @with: what else stands in the line, or before it; comments do not count. */
static bool file_names_unit(const char *root, const char *path,
			    const char *with, bool at_start, const char *unit)
{
	FILE *f = open_file(root, "%s", path);
	char line[1024], *text;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		text = line + strspn(line, " \t");
		if (*text == '#')
			continue;
		found = (at_start ? !strncmp(text, with, strlen(with)) :
				    strstr(text, with) != NULL) &&
			names_unit(text, unit);
	}
	if (f)
		fclose(f);
	return found;
}

static bool any_hook_names(const char *root, const char *with, const char *unit)
{
	char path[4608];
	bool found = false;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s" HOOKS_IN, root);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		snprintf(path, sizeof(path), HOOKS_IN "/%s", e->d_name);
		found = is_hook(root, e->d_name) &&
			file_names_unit(root, path, with, false, unit);
	}
	if (d)
		closedir(d);
	return found;
}

bool hooks_mention(const char *root, const char *word)
{
	return any_hook_names(root, "", word);
}

bool hooks_restart(const char *root, const char *unit)
{
	static const char *const lists[][2] = {
		{ "70-restart", "restart_units=" },
		{ "30-machine-id", "machine_id_units=" },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (is_hook(root, lists[i][0]) &&
		    file_names_unit(root, LISTS, lists[i][1], true, unit))
			return true;
	return any_hook_names(root, "restart", unit);
}

bool overseer_conf_is(const char *root, const char *key, const char *value,
		      bool otherwise)
{
	FILE *f = open_file(root, CONF);
	char line[1024], name[64], found[256];
	bool is = otherwise;

	if (!f)
		return errno == ENOENT && otherwise;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " %63[a-z-] = %255[^ \t\n;]", name, found) ==
			    2 &&
		    !strcmp(name, key))
			is = !strcmp(found, value);
	fclose(f);
	return is;
}

void link_hook(const char *root, const char *name, const char *more, char *line,
	       size_t size)
{
	bool there = !no_file(root, HOOKS_FROM "/%s", name);
	bool runs = overseer_runs(root) == 1;

	snprintf(line, size, "%sln -sf " HOOKS_FROM "/%s " HOOKS_IN "/%s%s%s",
		 there ? "" : "install the package sysgenid-overseer, then: ",
		 name, more,
		 runs		    ? "" :
		 systemd_runs(root) ? " && " :
				      ", and ",
		 runs ? "" : start_overseer(root));
}
