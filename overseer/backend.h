/* SPDX-License-Identifier: MIT */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "loop.h"
#include "state.h"

struct commands;
/* What other programs see of a machine that is ready. */
struct target;

/* Units that are being started anew. */
struct restarts;

/* @failed: NULL, or one line that names the unit that does not come up. */
typedef void restarts_done_fn(void *user, const char *failed);

/*
 * What starts, freezes and stops programs here. Nobody else knows whether that is
 * systemd. A false result: no memory.
 */
struct backend {
	const char *name;
	/*
	 * @path: of a hook with this @name. @environment: NAME=VALUE, ending with NULL;
	 * NULL: nothing but the situation.
	 */
	bool (*add_hook)(struct commands *cs, uint64_t timeout,
			 const char *path, const char *name,
			 const struct situation *s, char *const environment[]);
	/* Hooks whose commands were cancelled: the next ones are not to meet them. */
	bool (*add_end_of_hooks)(struct commands *cs, uint64_t timeout);
	/*
	 * The cgroup of each unit, as /system.slice/a.service. False and @why: it is
	 * not known, or one does not run.
	 */
	bool (*find_cgroups)(const struct words *units, struct words *cgroups,
			     char *why, size_t size);
	/*
	 * Whether the machine can be thawed again if these units are frozen. None of
	 * them may hold the overseer, a process that thaws, or @client. @client waits
	 * for an answer; 0: nobody waits. 1; 0 and @why; or -errno and @why if it is
	 * not known.
	 */
	int (*freezing_is_safe)(const struct words *units, pid_t client,
				char *why, size_t size);
	/*
	 * The cgroups that "freeze = all" leaves: what the overseer needs to thaw, and
	 * these units, if they run. 1; 0 and @why: no such unit can be named here; or
	 * -errno and @why.
	 */
	int (*find_exempt)(const struct words *units, struct words *cgroups,
			   char *why, size_t size);
	/*
	 * Whether SIGTERM came because somebody asked to stop this very program.
	 * False, and @why: it came for another reason, as a shutdown is one, or that
	 * is not known.
	 */
	bool (*stop_is_requested)(char *why, size_t size);
	/*
	 * Has each of these units, if it runs, started anew; @limit: microseconds for
	 * each. @done is called later, and never before this returns. NULL: no memory.
	 * The pointer itself is NULL where nothing starts a unit again.
	 */
	struct restarts *(*restart)(struct loop *loop,
				    const struct words *units, uint64_t limit,
				    restarts_done_fn *done, void *user);
	/* @done is not called any more; what was asked goes on. Takes NULL. */
	void (*restart_cancel)(struct restarts *r);
	/* NULL, which the other two take: there is none, or no memory. */
	struct target *(*target_new)(struct loop *loop);
	void (*target_free)(struct target *t);
	void (*target_set)(struct target *t, bool ready);
};

#ifdef WITH_SYSTEMD
extern const struct backend backend_systemd;
#endif
extern const struct backend backend_plain;

/* That of the init system which runs. */
const struct backend *backend_find(void);

#endif /* BACKEND_H */
