/* SPDX-License-Identifier: MIT */
/* The harshest neighbour of a notify handler: a real-time task that never sleeps. */
#ifndef TESTS_REALTIME_H
#define TESTS_REALTIME_H

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * SCHED_FIFO, and without the throttling that leaves others 5 % of the time.
 * Begins after a second, in which what was said before can be heard.
 */
static inline void be_realtime(const char *priority)
{
	struct sched_param param = { .sched_priority = atoi(priority) };
	int file = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);

	sleep(1);
	if (write(file, "-1", 2) != 2 || sched_setscheduler(0, SCHED_FIFO, &param)) {
		perror("real-time");
		exit(2);
	}
	close(file);
}

#endif /* TESTS_REALTIME_H */
