/* SPDX-License-Identifier: MIT */
#ifndef NFTABLES_H
#define NFTABLES_H

#include <stdbool.h>

/* What libnftables does for the gate; without libnftables nobody gets one. */
struct nftables;

#ifdef WITH_NFTABLES
#define NFTABLES_ARE_BUILT_IN true
#else
#define NFTABLES_ARE_BUILT_IN false
#endif
#define NFTABLES_MISSING \
	"this overseer was built without libnftables: build it with -Dnftables=enabled"

/* NULL after a complaint. */
struct nftables *nftables_new(void);
void nftables_free(struct nftables *n);

/* All or nothing; @quiet where it is a question. */
bool nftables_run(struct nftables *n, const char *commands, bool quiet);
bool nftables_run_json(struct nftables *n, const char *commands, bool quiet);
/* Whether this kernel and this libnftables would take the commands. */
bool nftables_would_run(struct nftables *n, const char *commands);
/* What @command lists, until the next call; NULL if it cannot be listed. */
const char *nftables_list(struct nftables *n, const char *command, bool quiet);

#endif /* NFTABLES_H */
