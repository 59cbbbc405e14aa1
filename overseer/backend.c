// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <unistd.h>

#include "backend.h"

const struct backend *backend_find(void)
{
#ifdef WITH_SYSTEMD
	/* As sd_booted(3) asks. */
	if (!access("/run/systemd/system", F_OK))
		return &backend_systemd;
#endif
	return &backend_plain;
}
