/* SPDX-License-Identifier: MIT */
#ifndef EXEC_H
#define EXEC_H

#include <stdint.h>

/*
 * Runs a shell command with SYSGENID_GENERATION in its environment, and waits
 * for it: its exit status, 128 + N if signal N ended it, or -errno.
 */
int run_command(const char *command, uint32_t generation);

#endif /* EXEC_H */
