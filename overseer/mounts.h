/* SPDX-License-Identifier: MIT */
#ifndef MOUNTS_H
#define MOUNTS_H

/* A line of mountinfo (proc(5)): each text as it stands there. */
struct mount {
	/* Of a process whose mount it is. */
	const char *pid;
	const char *device;
	const char *root;
	const char *point;
	const char *type;
	/* Those of the file system. */
	const char *options;
};

/* 0: go on. */
typedef int mounts_fn(void *user, const struct mount *m);

/*
 * Each mount of each mount namespace that a process is in, as seen from each of
 * the root directories there. 0, what @fn returned if that is not 0, or -errno.
 */
int mounts_each(mounts_fn *fn, void *user);

/* 1, 0 or -errno: the kernel has file systems that keep such a session. */
int mounts_are_possible(void);
/* The session with a server that the kernel keeps for a mount: "SMB" for example; or NULL. */
const char *mounts_session(const struct mount *m);

/* "\040" becomes a space, in place. */
void mounts_unescape(char *path);

#endif /* MOUNTS_H */
