// SPDX-License-Identifier: MIT
/* The state machine as a table; machine.c has what is done on the way. */
#include <string.h>

#include "state.h"

static const char *const names[STATES] = {
	[READY] = "ready",	 [QUIESCING] = "quiescing",
	[QUIESCED] = "quiesced", [ADJUSTING] = "adjusting",
	[HELD] = "held",
};

/* Does not happen in this state. */
#define NEVER STATES

/* clang-format off */
static const struct {
	const char *name;
	enum state to[STATES];
	enum way_out out;
} events[EVENTS] = {
	/* in this state:		       READY      QUIESCING  QUIESCED   ADJUSTING  HELD */
	[QUIESCE_ASKED]	   = { "quiesce",    { QUIESCING, NEVER,     NEVER,     NEVER,     NEVER }, BY_RESUME },
	[QUIESCE_DONE]	   = { "quiesced",   { NEVER,     QUIESCED,  NEVER,     NEVER,     NEVER }, BY_RESUME },
	[QUIESCE_GIVEN_UP] = { "given up",   { NEVER,     QUIESCING, NEVER,     NEVER,     NEVER }, BY_RESUME },
	[STILL_QUIESCED]   = { "still so",   { NEVER,     NEVER,     QUIESCED,  NEVER,     QUIESCED }, BY_RESUME },
	[ADJUSTMENT_BEGUN] = { "adjust",     { ADJUSTING, ADJUSTING, ADJUSTING, ADJUSTING, ADJUSTING }, BY_RESUME },
	[ADJUSTED]	   = { "adjusted",   { NEVER,     NEVER,     NEVER,     READY,     READY }, BY_RESUME },
	[REOPENED]	   = { "reopened",   { NEVER,     READY,     READY,     NEVER,     NEVER }, BY_RESUME },
	[FORCED]	   = { "forced",     { NEVER,     READY,     READY,     READY,     READY }, BY_RESUME },
	[STILL_READY]	   = { "still so",   { READY,     NEVER,     NEVER,     NEVER,     NEVER }, BY_RESUME },

	[GENERATION_UNREADABLE] = { "generation unreadable", { HELD, HELD, HELD, HELD, HELD }, BY_TRYING },
	[GATE_FAILED]	   = { "gate failed",	    { HELD, HELD, HELD, HELD, HELD }, BY_TRYING },
	[START_FAILED]	   = { "start failed",	    { HELD, HELD, HELD, HELD, HELD }, BY_TRYING },
	[CONNECTIONS_LEFT] = { "connections left",  { NEVER, NEVER, NEVER, HELD, NEVER }, BY_TRYING },
	[SESSIONS_LEFT]	   = { "sessions left",	    { NEVER, NEVER, NEVER, HELD, NEVER }, BY_TRYING },
	[HOOKS_NOT_RUN]	   = { "hooks not run",	    { NEVER, NEVER, NEVER, HELD, NEVER }, BY_TRYING },
	[HOOK_FAILED]	   = { "hook failed",	    { NEVER, NEVER, NEVER, HELD, NEVER }, BY_RESUME },
	[THAW_FAILED]	   = { "thaw failed",	    { NEVER, HELD, HELD, NEVER, NEVER }, BY_RESUME },
	[STEP_FAILED]	   = { "step failed",	    { NEVER, NEVER, NEVER, HELD, NEVER }, BY_RESUME },
	[NOT_RESTARTED]	   = { "not restarted",	    { HELD, NEVER, NEVER, HELD, NEVER }, BY_RESUME },
	[NOT_RESEEDED]	   = { "not reseeded",	    { HELD, HELD, HELD, HELD, NEVER }, BY_RESUME },
	[NOT_SETTLED]	   = { "not settled",	    { NEVER, NEVER, NEVER, HELD, HELD }, BY_RESUME },
	[WATCHERS_UNKNOWN] = { "watchers unknown",  { NEVER, NEVER, NEVER, HELD, HELD }, BY_TRYING },
	[WATCHERS_LATE]	   = { "watchers late",	    { NEVER, NEVER, NEVER, HELD, NEVER }, BY_RESUME },
	[ENTROPY_MISSING]  = { "entropy missing",   { HELD, HELD, HELD, HELD, HELD }, BY_RESUME },
	[NOT_IN_TABLE]	   = { "not in the table",  { HELD, HELD, HELD, HELD, HELD }, BY_RESUME },
};
/* clang-format on */

bool situation_is(const struct situation *a, const struct situation *b)
{
	return a->state == b->state && a->generation == b->generation &&
	       a->until_resume == b->until_resume;
}

bool event_is_possible(enum state state, enum event event)
{
	return events[event].to[state] != NEVER;
}

enum state state_after(enum state state, enum event event)
{
	const enum state to = events[event].to[state];

	return to == NEVER ? HELD : to;
}

enum way_out event_way_out(enum event event)
{
	return events[event].out;
}

const char *event_name(enum event event)
{
	return events[event].name;
}

const char *state_name(enum state state)
{
	return names[state];
}

bool state_from_name(const char *name, enum state *state)
{
	for (int i = 0; i < STATES; i++) {
		if (!strcmp(names[i], name)) {
			*state = (enum state)i;
			return true;
		}
	}
	return false;
}
