// SPDX-License-Identifier: MIT
#include <string.h>

#include "state.h"

static const char *const names[STATES] = {
	[READY] = "ready",	 [QUIESCING] = "quiescing",
	[QUIESCED] = "quiesced", [ADJUSTING] = "adjusting",
	[HELD] = "held",
};

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
