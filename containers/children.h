/* SPDX-License-Identifier: MIT */
#ifndef CONTAINERS_CHILDREN_H
#define CONTAINERS_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The runtime, as a child that ends with us.
 * @status: that of waitpid(2), once it has @ended.
 */
struct child {
	pid_t pid;
	int status;
	bool ended;
};

/* Once, before all others: signals wait for the child to be told of them. */
void children_begin(void);
/* In our place, without a child. Comes back only with an error, -errno. */
int children_replace(char *const argv[]);
/*
 * -errno. @out: its stdout, or -1 for ours. @quiet: what it prints is nobody's
 * business.
 */
int child_start(struct child *c, char *const argv[], int out, bool quiet);
/* Until it has ended, or has written a pid to @pid_file. */
void child_until(struct child *c, const char *pid_file);
/* The exit status as a shell has it. The child gets the signals that we get. */
int child_wait(struct child *c);
/* Start and wait. */
int child_run(char *const argv[], bool quiet);
/* The pid in the file, 0 if there is none. */
pid_t read_pid(const char *pid_file);

#endif /* CONTAINERS_CHILDREN_H */
