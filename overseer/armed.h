/* SPDX-License-Identifier: MIT */
#ifndef ARMED_H
#define ARMED_H

#include <stdbool.h>

/*
 * That an overseer has armed the gate in the kernel. One that somebody else armed is
 * not ours to take away.
 */

/* 1, 0 or -errno. */
int armed_is_noted(void);
/* False after a complaint. */
bool armed_note(void);
bool armed_forget(void);

#endif /* ARMED_H */
