/* SPDX-License-Identifier: MIT */
#ifndef NODES_H
#define NODES_H

#include <stdbool.h>
#include <sys/stat.h>

enum node { NODE_NONE, NODE_COUNTER, NODE_HARDWARE };

/*
 * The numbers of the devices: before anybody enters another mount namespace. 0, also
 * where the module is not loaded, or -errno.
 */
int nodes_find(void);
enum node node_of(const struct stat *st);
/* An attribute in the directory of the device in sysfs, in any network namespace. */
bool node_has_attribute(const struct stat *st);

#endif /* NODES_H */
