// SPDX-License-Identifier: MIT
/*
 * Services of systemd that cannot open the node. PrivateDevices=yes hides it;
 * DevicePolicy=closed, and DeviceAllow= of something else, make it EPERM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sysgenid.h>

#include "doctor.h"

#define LIBRARY "/libsysgenid.so.0"

static const char properties[] =
	"--property=Id,LoadState,ActiveState,MainPID,PrivateDevices,DevicePolicy,DeviceAllow,BindPaths,BindReadOnlyPaths";

static const char *value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) || line[len] != '=')
		return NULL;
	return line + len + 1;
}

/* "/dev/null rw", "char-misc r": of the node, and at least to be read? */
static bool is_for_node(const char *allow)
{
	const char *rights = strrchr(allow, ' ');
	size_t len = rights ? (size_t)(rights - allow) : strlen(allow);
	static const char *const names[] = { SYSGENID_DEVICE, "char-misc",
					     "char-*" };

	if (rights && !strchr(rights, 'r'))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) == len && !strncmp(allow, names[i], len))
			return true;
	}
	return false;
}

static void take(struct unit *u, const char *line)
{
	const char *v;

	if ((v = value_of(line, "Id"))) {
		snprintf(u->name, sizeof(u->name), "%.255s", v);
	} else if ((v = value_of(line, "MainPID"))) {
		snprintf(u->pid, sizeof(u->pid), "%.15s", v);
	} else if ((v = value_of(line, "LoadState"))) {
		u->found = strcmp(v, "not-found");
	} else if ((v = value_of(line, "ActiveState"))) {
		u->runs = !strcmp(v, "active");
	} else if ((v = value_of(line, "PrivateDevices"))) {
		u->private_devices = !strcmp(v, "yes");
	} else if ((v = value_of(line, "DevicePolicy"))) {
		u->closed = strcmp(v, "auto");
	} else if ((v = value_of(line, "DeviceAllow"))) {
		u->allows |= *v;
		u->allowed |= is_for_node(v);
	} else if ((v = value_of(line, "BindPaths")) ||
		   (v = value_of(line, "BindReadOnlyPaths"))) {
		v = strstr(v, SYSGENID_DEVICE);
		/* Not the other node. */
		if (v &&
		    strncmp(v, SYSGENID_HW_DEVICE, strlen(SYSGENID_HW_DEVICE)))
			u->bound = true;
	}
}

bool next_unit(FILE *shown, struct unit *u)
{
	char line[4096];

	memset(u, 0, sizeof(*u));
	while (fgets(line, sizeof(line), shown)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0])
			take(u, line);
		else if (u->name[0])
			return true;
	}
	return u->name[0];
}

enum access unit_access(const struct unit *u)
{
	if (u->private_devices && !u->bound)
		return HIDDEN;
	if ((u->private_devices || u->closed || u->allows) && !u->allowed)
		return DENIED;
	return OPEN;
}

static FILE *run(char *const *argv, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC))
		return NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
					 O_WRONLY, 0);
	r = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (!r)
		return fdopen(fds[0], "re");
	close(fds[0]);
	return NULL;
}

/* PrivateDevices=no, as no systemd promises to show the node otherwise. */
static void report(struct doctor *d, const struct unit *u)
{
	bool hidden = unit_access(u) == HIDDEN;
	char fix[2048];

	snprintf(
		fix, sizeof(fix),
		"mkdir -p /etc/systemd/system/%s.d && printf '[Service]\\n%sDevicePolicy=closed\\nDeviceAllow=%s rw\\nDeviceAllow=%s r\\n' >/etc/systemd/system/%s.d/sysgenid.conf && systemctl daemon-reload && systemctl restart %s",
		u->name, hidden ? "PrivateDevices=no\\n" : "", SYSGENID_DEVICE,
		SYSGENID_HW_DEVICE, u->name, u->name);
	if (hidden)
		finding(d, PROBLEM, "units", fix,
			"%s cannot see the node: PrivateDevices=yes hides it",
			u->name);
	else
		finding(d, PROBLEM, "units", fix,
			"%s may not open the node: its DevicePolicy= and DeviceAllow= give EPERM",
			u->name);
}

static void examine(struct doctor *d, FILE *shown, bool named)
{
	struct list closed = { 0 };
	unsigned int open = 0;
	struct unit u;

	while (next_unit(shown, &u)) {
		bool uses = named;

		if (named && !u.found) {
			finding(d, PROBLEM, "units",
				"systemctl list-units --type=service",
				"there is no %s", u.name);
			continue;
		}
		if (!named && !u.runs)
			continue;
		if (unit_access(&u) == OPEN) {
			open++;
			if (named)
				finding(d, GOOD, "units", NULL,
					"%s can open the node", u.name);
			continue;
		}
		list_add(&closed, u.name);
		/* A program that got its handle has a mapping. */
		if (!uses)
			uses = process_maps(u.pid, LIBRARY) &&
			       !process_maps(u.pid, SYSGENID_DEVICE);
		if (uses)
			report(d, &u);
	}
	if (!named && open + closed.n)
		finding(d, d->prepare && closed.n ? NOTE : GOOD, "units",
			closed.n ?
				"for those that should: sysgenidctl doctor UNIT" :
				NULL,
			"%u services can open the node, and %u cannot%s%s",
			open, closed.n, closed.n ? ": " : "", closed.names);
}

void examine_units(struct doctor *d, char *const *names, int n)
{
	char **argv;
	FILE *shown;
	int status;
	pid_t pid;

	if (access("/run/systemd/system", F_OK)) {
		if (n)
			finding(d, NOTE, "units", NULL,
				"systemd does not run here");
		return;
	}
	argv = calloc((size_t)n + 8, sizeof(*argv));
	if (!argv)
		return;
	argv[0] = (char *)(uintptr_t) "systemctl";
	argv[1] = (char *)(uintptr_t) "show";
	argv[2] = (char *)(uintptr_t) "--no-pager";
	argv[3] = (char *)(uintptr_t)properties;
	argv[4] = (char *)(uintptr_t) "--";
	for (int i = 0; i < n; i++)
		argv[5 + i] = names[i];
	if (!n)
		argv[5] = (char *)(uintptr_t) "*.service";
	shown = run(argv, &pid);
	free(argv);
	if (shown) {
		examine(d, shown, n);
		fclose(shown);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (!shown || status)
		finding(d, d->prepare ? UNSEEN : NOTE, "units",
			"systemctl show",
			"systemctl does not tell how services are confined");
}
