/* SPDX-License-Identifier: MIT */
/* The harshest neighbour of a notify handler: a real-time task that never sleeps. */
#ifndef TESTS_REALTIME_H
#define TESTS_REALTIME_H

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

/* Since 6.8 a deadline server serves the others, throttling or not: stop that of each processor. */
static inline void stop_fair_server(void)
{
	char path[64];
	int cpu, file;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/kernel/debug/sched/fair_server/cpu%d/runtime",
			 cpu);
		file = open(path, O_WRONLY);
		if (file < 0)
			continue;
		if (write(file, "0", 1) != 1)
			perror(path);
		close(file);
	}
}

/*
 * SCHED_FIFO, and without the throttling that leaves others 5 % of the time.
 * Begins after a second, in which what was said before can be heard.
 */
static inline void be_realtime(const char *priority)
{
	struct sched_param param = { .sched_priority = atoi(priority) };
	int file = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);

	stop_fair_server();
	sleep(1);
	if (write(file, "-1", 2) != 2 ||
	    sched_setscheduler(0, SCHED_FIFO, &param)) {
		perror("real-time");
		exit(2);
	}
	close(file);
}

#endif /* TESTS_REALTIME_H */
