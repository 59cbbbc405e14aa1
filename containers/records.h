/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_RECORDS_H
#define CONTAINERS_RECORDS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef RECORDS_DIRECTORY
#define RECORDS_DIRECTORY "/run/sysgenid/containers"
#endif

/* How far a container has come. */
enum progress {
	PROGRESS_CREATING,
	PROGRESS_CREATED,
	PROGRESS_STARTED,
};

#define RECORD_NAME_MAX	  64
#define RECORD_CGROUP_MAX 1024
#define RECORD_DIGEST_MAX 65
#define RECORD_CONFIG	  "config.json"
/* As the engine has it, for a draft of a policy. */
#define RECORD_ENGINE "engine.json"

/*
 * What is known of one container: a directory of its own with the file "record",
 * and our copy of config.json, which the runtime reads.
 * @dir: that directory. While the progress is "creating", its lock is held by
 * the process that creates.
 * @path: of that directory.
 * @bundle: of the engine.
 * @rule: name of the container in the policy that allowed it, or "".
 * @policy: SHA-256 of that policy, or "".
 * @cgroup: of the container, as cgroups_find() gives it; "" while it is not known.
 */
struct record {
	int dir;
	char path[PATH_MAX];
	char bundle[PATH_MAX];
	char rule[RECORD_NAME_MAX];
	char policy[RECORD_DIGEST_MAX];
	char cgroup[RECORD_CGROUP_MAX];
	enum progress progress;
	uint32_t generation;
};

/* Files of an exec that runs, before the number of its process. */
#define RECORD_PID     "exec."
#define RECORD_PROCESS "process."

/* Removes those of processes that have ended. */
void records_clean(const char *directory);

/*
 * -errno each. @root: where the runtime keeps its containers; an id is unique
 * only there. -EEXIST: there is one. Else @r is to be closed.
 */
int record_add(struct record *r, const char *root, const char *id);
/* -ENOENT; -EBADMSG: it cannot be read. */
int record_find(struct record *r, const char *root, const char *id);
int record_write(const struct record *r);
/* Whether the process that created it has ended before it was done. If so, the lock is ours. */
bool record_is_abandoned(const struct record *r);
int record_remove(struct record *r);
void record_close(struct record *r);

#endif /* CONTAINERS_RECORDS_H */
