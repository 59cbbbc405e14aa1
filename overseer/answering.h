/* SPDX-License-Identifier: MIT */
#ifndef ANSWERING_H
#define ANSWERING_H

#include "machine-inside.h"

/* What the machine answers to the host. */

/* NULL, or why clones may draw equal bytes. @outdated: false if nobody is. */
const char *reseed_failure(const struct machine *m, bool *outdated);
/* NULL: the host wants nothing of this generation. */
struct request *request_of(struct machine *m);
void answer_host(struct machine *m, const char *error);
void refuse(const struct machine *m, const struct request *r, const char *error,
	    const char *why, answer_fn *answer, void *user);

#endif /* ANSWERING_H */
