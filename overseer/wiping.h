/* SPDX-License-Identifier: MIT */
#ifndef WIPING_H
#define WIPING_H

#include <stddef.h>

/*
 * "wipe =": libraries that find a fork by a page marked MADV_WIPEONFORK take a page of
 * zeros for one, and reseed. Such pages of frozen programs are zeroed while the gate is
 * closed, as if the restore had been a fork(2). There is one list, of the last quiesce.
 */

/*
 * The pages of the programs in these cgroups and below, which are frozen. A
 * commands_call_fn: 1; or -errno and @why.
 */
int wiping_list(char *const cgroups[], char *why, size_t size);
/*
 * Zeroes the pages of each process that has not run since, once. The number of pages;
 * @left: "", or who was left alone, and why.
 */
unsigned int wiping_run(char *left, size_t size);
/* What was listed runs again. */
void wiping_forget(void);

#endif /* WIPING_H */
