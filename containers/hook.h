/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_HOOK_H
#define CONTAINERS_HOOK_H

/* Between "hook" and the words of the program: its digest and its path. */
#define HOOK_WORD "hook"

/*
 * sysgenid-runtime hook SHA256 PATH ARG0 [ARG...]: becomes the program of a hook, if
 * the program is the one that the policy names. Returns an exit status.
 */
int hook_run(char **words);

#endif /* CONTAINERS_HOOK_H */
