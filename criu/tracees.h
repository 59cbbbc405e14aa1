/* SPDX-License-Identifier: MIT */
#ifndef TRACEES_H
#define TRACEES_H

/*
 * Does a process that we trace have one of our attributes open? While criu dumps, it
 * traces the whole tree. 1, 0 or -errno.
 */
int tracees_have_attribute(void);

#endif /* TRACEES_H */
