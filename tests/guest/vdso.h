/* SPDX-License-Identifier: MIT */
/* Whether the C library of this program draws random bytes in the vDSO. */
#ifndef TESTS_VDSO_H
#define TESTS_VDSO_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The kernel may drop it when memory is short: no other mapping has that flag. */
static inline bool has_vdso_state(void)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	bool found = false;
	char line[512];

	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, "VmFlags:", 8) && strstr(line, " dp");
	if (file)
		fclose(file);
	return found;
}

#endif /* TESTS_VDSO_H */
