/* SPDX-License-Identifier: MIT */
/*
 * For copies of the examples, made with tests/mutants/example-*.patch: stops
 * them between the act and the second check, so that a snapshot can be made
 * there. With UNCHECKED they are mutants that have no second check.
 */
#ifndef BETWEEN_H
#define BETWEEN_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A FIFO; each byte lets somebody pass. */
#define BETWEEN_GO "/tmp/go"

static int between_go;

static __attribute__((constructor)) void between_open(void)
{
	between_go = open(BETWEEN_GO, O_RDWR | O_CLOEXEC);
	if (between_go < 0)
		abort();
}

/* With nothing but read(2) and write(2), for sandboxes. */
static inline void between(void)
{
	char go;

	if (write(STDOUT_FILENO, "between\n", 8) != 8 ||
	    read(between_go, &go, 1) != 1)
		abort();
}

#ifdef UNCHECKED
#define second_check(view, seen) ((void)(view), (void)(seen), false)
#else
#define second_check sysgenid_changed
#endif

#endif /* BETWEEN_H */
