/* SPDX-License-Identifier: MIT */
#ifndef SET_MACHINE_ID_H
#define SET_MACHINE_ID_H

#include <stddef.h>

/* 32 hexadecimal digits and a zero byte. */
#define MACHINE_ID_SIZE 33

/* Into the file of systemd, and into that of dbus unless that is a link. 0; or -errno and @why. */
int set_machine_id(const char *id, char *why, size_t size);
/* A random one, as machine-id(5) wants them. 0 or -errno. */
int new_machine_id(char id[MACHINE_ID_SIZE]);

#endif /* SET_MACHINE_ID_H */
