// SPDX-License-Identifier: MIT
/* Where libnftables was not there to build with: nobody gets a struct nftables. */
#include <stddef.h>

#include "log.h"
#include "nftables.h"

struct nftables *nftables_new(void)
{
	log_error("nftables cannot be used: " NFTABLES_MISSING);
	return NULL;
}

void nftables_free(struct nftables *n)
{
	(void)n;
}

bool nftables_run(struct nftables *n, const char *commands, bool quiet)
{
	(void)n;
	(void)commands;
	(void)quiet;
	return false;
}

bool nftables_run_json(struct nftables *n, const char *commands, bool quiet)
{
	return nftables_run(n, commands, quiet);
}

bool nftables_would_run(struct nftables *n, const char *commands)
{
	return nftables_run(n, commands, true);
}

const char *nftables_list(struct nftables *n, const char *command, bool quiet)
{
	(void)n;
	(void)command;
	(void)quiet;
	return NULL;
}
