// SPDX-License-Identifier: MIT
#include <stddef.h>
#include <string.h>

#include "protocol.h"

const struct protocol_request protocol_requests[] = {
	{ .name = "status" },
	{ "quiesce", "until-resume", PROTOCOL_BOOLEAN, false },
	{ "resume", "force", PROTOCOL_BOOLEAN, false },
	{ "trigger", "entropy", PROTOCOL_STRING, true },
	{ .name = "restore", .type = PROTOCOL_RESTORE },
	{ .name = "metrics" },
	{ .name = NULL },
};

bool protocol_is_plain(const char *name)
{
	const size_t len = strspn(name,
				  "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return len && len <= 64 && !name[len];
}
