/* SPDX-License-Identifier: MIT */
#ifndef ATTRIBUTE_H
#define ATTRIBUTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The generation as the module shows it in /sys, for who does not find the node:
 * a container, or a unit with PrivateDevices=yes.
 */
struct attribute {
	int fd;
	dev_t device;
	ino_t inode;
};

enum attribute_found {
	ATTRIBUTE_OPEN,
	/* The kernel has no driver of that name. */
	ATTRIBUTE_ABSENT,
	/* Neither /sys nor /proc can be asked, or the driver shows no generation. */
	ATTRIBUTE_UNKNOWN,
};

enum attribute_found attribute_open(struct attribute *a);
/* Truthful, as an ioctl(2) is. False if it cannot be read, or is not ours any more. */
bool attribute_read(const struct attribute *a, uint32_t *generation);
/* Leaves a descriptor of somebody else open. */
void attribute_close(const struct attribute *a);

#endif /* ATTRIBUTE_H */
