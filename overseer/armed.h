/* SPDX-License-Identifier: MIT */
#ifndef ARMED_H
#define ARMED_H

#include <stdbool.h>

/*
 * What an overseer has put in place, and what outlives it. A gate in the kernel that
 * somebody else armed is not ours to take away. Rules cannot be looked for without
 * CAP_NET_ADMIN, which an overseer without a gate may not have.
 */
enum armed {
	ARMED_KERNEL,
	ARMED_RULES,
};

/* 1, 0 or -errno. */
int armed_is_noted(enum armed what);
/* False after a complaint. */
bool armed_note(enum armed what);
bool armed_forget(enum armed what);

#endif /* ARMED_H */
