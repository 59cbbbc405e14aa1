// SPDX-License-Identifier: MIT
#include <stddef.h>

#include "protocol.h"

const struct protocol_request protocol_requests[] = {
	{ .name = "status" },
	{ "quiesce", "until-resume", PROTOCOL_BOOLEAN, false },
	{ "resume", "force", PROTOCOL_BOOLEAN, false },
	{ "trigger", "entropy", PROTOCOL_STRING, true },
	{ .name = NULL },
};
