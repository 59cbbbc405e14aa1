/* SPDX-License-Identifier: MIT */
#ifndef RULES_H
#define RULES_H

#include "config.h"
#include "state.h"

#define RULES_TABLE "sysgenid"
/* Of one that does not know what the table above remembers. */
#define RULES_TABLE_ON_TOP RULES_TABLE "-on-top"

/* The chain that opens all others of its table. */
#define RULES_OPENING "opening"

struct rules_options {
	/* netdev egress hooks, since Linux 5.16. */
	bool egress;
	/* Nobody else may change the table, nor does it go with us; Linux 6.9. */
	bool owner;
};

/*
 * The transaction, for libnftables; to be freed. Without @s it removes all that is
 * ours. NULL, and errno: no memory, or the interfaces cannot be listed.
 */
char *rules_text(const struct config *c, const struct situation *s,
		 struct rules_options options);
/* Closes everything in tables of its own; what the others remember stays. */
char *rules_text_on_top(const struct config *c, struct rules_options options);
/*
 * What to do next where the text cannot name an interface: the same in JSON.
 * Empty where all have names for the text.
 */
char *rules_json(const struct config *c, bool on_top,
		 struct rules_options options);
/* Whether what nft lists of the two tables closes all that is to be closed now. */
bool rules_close_all(const struct config *c, struct rules_options options,
		     const char *inet, const char *netdev);
/* Whether what nft lists of one of the two tables has it open. */
bool rules_are_open(const char *table);
/* From what nft lists; false if it is not of ours. */
bool rules_situation(const char *listed, struct situation *s);

#endif /* RULES_H */
