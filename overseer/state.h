/* SPDX-License-Identifier: MIT */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stdint.h>

/* The gate is closed in every one but READY. */
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

const char *state_name(enum state state);
bool state_from_name(const char *name, enum state *state);

#endif /* STATE_H */
