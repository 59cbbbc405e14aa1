/* SPDX-License-Identifier: MIT */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdbool.h>

/* @name is in the directory @at. 0: go on. */
typedef int numbers_fn(void *user, int at, const char *name);

/*
 * Each entry with a number for its name: processes in /proc, threads in
 * /proc/PID/task, descriptors in /proc/PID/fd. @at and @path as for openat(2).
 * 0, what @fn returned if that is not 0, or -errno.
 */
int numbers_each(int at, const char *path, numbers_fn *fn, void *user);

/* Of an error of a look at a process: it has ended, and all that was its own with it. */
bool numbers_ended(int error);

#endif /* NUMBERS_H */
