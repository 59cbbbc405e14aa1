// SPDX-License-Identifier: MIT
/*
 * crowd COUNT: COUNT tracked watchers in one epoll set of one process; then one
 * generation, which all confirm. Runs on the last processor; the module's work
 * can be kept off it by /sys/devices/virtual/workqueue/cpumask. Prints, as
 * "NAME VALUE" lines,
 *
 *	memory    bytes of kernel memory per watcher (slab)
 *	publish   ns of the trigger call: reseed, publish, and all under its lock
 *	first     ns from the call to the first watcher that epoll reports
 *	woken     ns until epoll has reported the last
 *	settled   ns until the last has confirmed and a wait for all has ended
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid/abi.h>

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Kernel memory that is not given back: slab, in bytes. */
static int64_t slab(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = 0;

	must(!!file, "/proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "SUnreclaim: %ld", &kb) == 1)
			break;
	fclose(file);
	return kb * 1024LL;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 10, i, seen = 0;
	int fd = open(SYSGENID_DEVICE, O_RDWR), ep = epoll_create1(0);
	struct rlimit limit = { (rlim_t)count + 64, (rlim_t)count + 64 };
	struct sysgenid_trigger_args trigger = { .size = sizeof(trigger) };
	struct sysgenid_wait_args wait = { .size = sizeof(wait),
					   .timeout_ns = -1 };
	struct sysgenid_get_args get = { .size = sizeof(get) };
	struct epoll_event *events = calloc((size_t)count, sizeof(*events)),
			   event;
	char entropy[16] = "crowd";
	int64_t before, start, published, first = 0, woken, settled;
	int *fds = calloc((size_t)count, sizeof(*fds));

	cpu_set_t last;

	CPU_ZERO(&last);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &last);
	must(!sched_setaffinity(0, sizeof(last), &last), "affinity");
	must(fd >= 0, SYSGENID_DEVICE);
	must(!setrlimit(RLIMIT_NOFILE, &limit), "RLIMIT_NOFILE");
	memset(events, 1, (size_t)count * sizeof(*events));
	before = slab();
	for (i = 0; i < count; i++) {
		fds[i] = open(SYSGENID_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		must(fds[i] >= 0, "open");
		must(!ioctl(fds[i], SYSGENID_SET_WATCHER_TRACKING, 1), "track");
	}
	printf("memory %lld\n", (long long)(slab() - before) / count);
	for (i = 0; i < count; i++) {
		event = (struct epoll_event){ .events = EPOLLIN | EPOLLET,
					      .data.fd = fds[i] };
		must(!epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event), "epoll");
	}

	must(!ioctl(fd, SYSGENID_GET, &get), "get");
	trigger.expected = get.generation;
	trigger.entropy = (uintptr_t)entropy;
	trigger.entropy_len = sizeof(entropy);
	start = now();
	must(!ioctl(fd, SYSGENID_TRIGGER, &trigger), "trigger");
	published = now();
	while (seen < count) {
		int n = epoll_wait(ep, events, count, 60000);

		must(n > 0, "epoll_wait");
		if (!seen)
			first = now();
		seen += n;
	}
	woken = now();
	for (i = 0; i < count; i++)
		must(write(fds[i], &trigger.generation, 4) == 4, "confirm");
	wait.generation = trigger.generation;
	must(!ioctl(fd, SYSGENID_WAIT_GENERATION, &wait), "wait");
	settled = now();
	printf("publish %lld\nfirst %lld\nwoken %lld\nsettled %lld\n",
	       (long long)(published - start), (long long)(first - start),
	       (long long)(woken - start), (long long)(settled - start));
	return 0;
}
