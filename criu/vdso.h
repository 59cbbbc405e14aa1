/* SPDX-License-Identifier: MIT */
#ifndef VDSO_H
#define VDSO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct vdso_range {
	uint64_t start, end;
};

/*
 * The next mapping in @smaps that is a state of getrandom(3) in the vDSO, or false.
 * @overcommits_never: of vm.overcommit_memory; a mapping that CRIU made then does
 * not have the flag "nr".
 */
bool vdso_next_state(FILE *smaps, bool overcommits_never,
		     struct vdso_range *range);
/* Drops all of them in a stopped process, as the kernel may at any time. 0 or -errno. */
int vdso_drop(pid_t pid);

#endif /* VDSO_H */
