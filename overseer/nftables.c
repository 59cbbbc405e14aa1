// SPDX-License-Identifier: MIT
#include <errno.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "log.h"
#include "nftables.h"

static struct nft_ctx *context(struct nftables *n)
{
	return (struct nft_ctx *)n;
}

struct nftables *nftables_new(void)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);

	if (!nft || nft_ctx_buffer_output(nft) || nft_ctx_buffer_error(nft)) {
		log_error("nftables cannot be used: %s", strerror(errno));
		if (nft)
			nft_ctx_free(nft);
		return NULL;
	}
	/* As rules.c writes them. */
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_NUMERIC_PRIO);
	return (struct nftables *)nft;
}

void nftables_free(struct nftables *n)
{
	if (n)
		nft_ctx_free(context(n));
}

bool nftables_run(struct nftables *n, const char *commands, bool quiet)
{
	int r = nft_run_cmd_from_buffer(context(n), commands);
	const char *error = nft_ctx_get_error_buffer(context(n));

	if (r && !quiet)
		log_error("nftables: %.*s", (int)strcspn(error, "\n"), error);
	return !r;
}

bool nftables_run_json(struct nftables *n, const char *commands, bool quiet)
{
	const unsigned int flags = nft_ctx_output_get_flags(context(n));
	bool ok;

	nft_ctx_output_set_flags(context(n), flags | NFT_CTX_OUTPUT_JSON);
	ok = nftables_run(n, commands, quiet);
	nft_ctx_output_set_flags(context(n), flags);
	return ok;
}

bool nftables_would_run(struct nftables *n, const char *commands)
{
	bool ok;

	nft_ctx_set_dry_run(context(n), true);
	ok = nftables_run(n, commands, true);
	nft_ctx_set_dry_run(context(n), false);
	return ok;
}

/* The buffer is empty when it has been asked for. */
const char *nftables_list(struct nftables *n, const char *command, bool quiet)
{
	return nftables_run(n, command, quiet) ?
		       nft_ctx_get_output_buffer(context(n)) :
		       NULL;
}
