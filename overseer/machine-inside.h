/* SPDX-License-Identifier: MIT */
#ifndef MACHINE_INSIDE_H
#define MACHINE_INSIDE_H

#include <sysgenid.h>

#include "announce.h"
#include "backoff.h"
#include "machine.h"
#include "metrics.h"
#include "phases.h"
#include "publishing.h"
#include "restore.h"
#include "sessions.h"
#include "watchers.h"
#include "work.h"

/*
 * What the files of the machine share, from the lowest: telling.c, answering.c,
 * standing.c, adjusting.c, quiescing.c, machine.c, restoring.c.
 */
struct machine {
	struct loop *loop;
	const struct backend *backend;
	/* Of the generation, and of the gate; either may be NULL. */
	struct loop_source *source, *gate_source;
	const char *path;
	/* That of @path, or one with no keys while the file is wrong: then @wrong says why. */
	struct config config[1];
	char wrong[512];
	/* NULL while it cannot be used. */
	struct gate *gate;
	/* NULL while there is no generation to read. */
	struct sysgenid *g;
	/* NULL: the module publishes. */
	struct publishing *publishing;
	/* False: what the last overseer left is not known. Held until it is. */
	bool started;
	/* @stored counts, if nothing else is found. */
	bool knows;
	/* What had to be closed is not; while @wrong, as watch_without_config() found it. */
	bool unclosed;
	/* On the way out: nothing leads back any more. */
	bool ending;
	/* What is told, and what the gate is to store: a quiesced machine stays so there while it is held. */
	struct situation now, stored;
	struct work work;
	/* Who asked for the machine to be quiesced. */
	pid_t asks;
	struct target *target;
	struct sessions *sessions;
	struct watchers_wait *waiting;
	struct restarts *restarting;
	/* Of what held the machine and may be over soon. */
	struct backoff *again;
	/* Ends what "quiesce" began, if nobody else does. */
	struct loop_source *lease;
	/* NULL: nobody is told. */
	struct announcer *announcer;
	/* Of ADJUSTING nobody was told yet, and when everybody is. */
	bool untold;
	struct loop_source *telling;
	/* The next signal for laggards; 0: there is none left. */
	int signal;
	unsigned int laggards;
	/* Why it is held, or who was late. */
	char about[768];
	/* Sessions of the kernel that are older than the generation. */
	char kept[512];
	/* Processes of "wipe" that may draw on. */
	char unwiped[512];
	/* Of the last adjustment. */
	struct phases phases;
	/* What the host wants of its generation. */
	struct restore restore;
	/* Of the last generation, and of the last configuration. */
	machine_renewed_fn *renewed;
	void *renewed_user;
	bool unlogged;
	struct metrics metrics;
	/* One line for one trouble with their file. */
	bool unwritten;
	/* For the last reseed: looks again, until when without complaint; and whether it is armed. */
	struct loop_source *settling;
	uint64_t settle_by;
	bool settles;
	struct waiters waiters;
};

/* False: held until it is tried again. */
bool machine_begin(struct machine *m);

#endif /* MACHINE_INSIDE_H */
