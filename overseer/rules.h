/* SPDX-License-Identifier: MIT */
#ifndef RULES_H
#define RULES_H

#include "config.h"
#include "state.h"

#define RULES_TABLE "sysgenid"

struct rules_options {
	/* netdev egress hooks, since Linux 5.16. */
	bool egress;
	/* Nobody else may change the table, nor does it go with us; Linux 6.9. */
	bool owner;
};

/* The transaction, for libnftables; to be freed. NULL if there is no memory. */
char *rules_text(const struct config *c, const struct situation *s,
		 struct rules_options options);
/* Whether what nft lists of the two tables closes all that is to be closed now. */
bool rules_close_all(const struct config *c, const char *inet,
		     const char *netdev);
/* From what nft lists; false if it is not of ours. */
bool rules_situation(const char *listed, struct situation *s);

#endif /* RULES_H */
