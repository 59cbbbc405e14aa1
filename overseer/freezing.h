/* SPDX-License-Identifier: MIT */
#ifndef FREEZING_H
#define FREEZING_H

#include <stdbool.h>

#include "config.h"

/*
 * The cgroups of what is frozen outlive a restart with another configuration: who
 * thaws goes by what was frozen. False after a complaint.
 */
bool freezing_remember(const struct words *cgroups);
/* Adds those that are remembered. */
bool freezing_recall(struct words *cgroups);
void freezing_forget(void);

#endif /* FREEZING_H */
