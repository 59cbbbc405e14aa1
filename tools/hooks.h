/* SPDX-License-Identifier: MIT */
#ifndef HOOKS_H
#define HOOKS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What the overseer will do in a clone, as its files say. @root is "" or, in tests,
 * a directory that stands for /.
 */

#define HOOKS_FROM "/usr/share/sysgenid/hooks"
#define HOOKS_IN   "/etc/sysgenid/adjust.d"

/* 1: the overseer runs now, as its socket is listened to. -errno if that cannot be told. */
int overseer_runs(const char *root);
/* As sd_booted(3). */
bool systemd_runs(const char *root);
/* What has the overseer run, now and at each boot, with the configuration that is there. */
const char *start_overseer(const char *root);
/* A hook of this name is in adjust.d. */
bool hook_is_linked(const char *root, const char *name);
/* A hook in adjust.d, or a list that a hook of ours reads, names the unit. */
bool hooks_restart(const char *root, const char *unit);
/* A hook in adjust.d has this word in it. */
bool hooks_mention(const char *root, const char *word);
/* The value of a key in overseer.conf is this one; @otherwise without a value. */
bool overseer_conf_is(const char *root, const char *key, const char *value,
		      bool otherwise);

/* The line that has a hook of ours run; @more is what follows, or "". */
void link_hook(const char *root, const char *name, const char *more, char *line,
	       size_t size);

#endif /* HOOKS_H */
