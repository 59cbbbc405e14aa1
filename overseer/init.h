/* SPDX-License-Identifier: MIT */
#ifndef INIT_H
#define INIT_H

/*
 * The first process of an image that has no init system. Mounts what the overseer
 * needs, keeps an overseer running, and reaps. Starts @command once the overseer says
 * that it runs; the end of @command is that of the machine. Returns only if it cannot
 * begin: the exit code.
 */
int init_run(const char *config, char **command);

#endif /* INIT_H */
