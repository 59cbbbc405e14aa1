/* SPDX-License-Identifier: MIT */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stdint.h>

/* The gate is closed in every one but READY, and in QUIESCING when the hooks have run. */
enum state {
	READY,
	QUIESCING,
	QUIESCED,
	ADJUSTING,
	HELD,
	STATES,
};

/*
 * What a restart has to know; it is kept where the gate is, and changes with it.
 *
 * @until_resume: a quiesced machine waits for "resume" even at a new generation:
 *	its file systems may be frozen until then.
 */
struct situation {
	enum state state;
	uint32_t generation;
	bool until_resume;
};

bool situation_is(const struct situation *a, const struct situation *b);

/* What is known of the situation that the last overseer left. */
enum recalled {
	RECALLED,
	NOTHING_THERE,
	/* There may be something; a complaint said why it cannot be read. */
	CANNOT_LOOK,
};

/* What happens to the machine; the table in state.c says where each leads. */
enum event {
	QUIESCE_ASKED,
	QUIESCE_DONE,
	QUIESCE_GIVEN_UP,
	STILL_QUIESCED,
	ADJUSTMENT_BEGUN,
	ADJUSTED,
	REOPENED,
	FORCED,
	STILL_READY,
	/* Of steps that fail. */
	GENERATION_UNREADABLE,
	GATE_FAILED,
	START_FAILED,
	CONNECTIONS_LEFT,
	SESSIONS_LEFT,
	HOOKS_NOT_RUN,
	HOOK_FAILED,
	THAW_FAILED,
	STEP_FAILED,
	NOT_RESTARTED,
	NOT_RESEEDED,
	NOT_SETTLED,
	WATCHERS_UNKNOWN,
	WATCHERS_LATE,
	ENTROPY_MISSING,
	NOT_IN_TABLE,
	EVENTS,
};

/* Whose step it is to end HELD. */
enum way_out {
	/* "resume", or the next generation: nothing changes by itself. */
	BY_RESUME,
	/* What failed may work the next time, so that it is tried again, too. */
	BY_TRYING,
};

bool event_is_possible(enum state state, enum event event);
/* HELD for what the table does not have. */
enum state state_after(enum state state, enum event event);
/* Of an event that leads to HELD. */
enum way_out event_way_out(enum event event);
const char *event_name(enum event event);

const char *state_name(enum state state);
bool state_from_name(const char *name, enum state *state);

#endif /* STATE_H */
