// SPDX-License-Identifier: MIT
/*
 * traffic [trigger]: until it is killed, two threads use /dev/sysgenid whenever
 * it is there, in all ways, and let go of it between. Only with "trigger" do they
 * make generations. Says "ready" when it has been used once.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid/abi.h>

static atomic_flag said = ATOMIC_FLAG_INIT;
static bool triggers;

static void trigger(int fd, uint32_t expected)
{
	unsigned char entropy[16] = "traffic";
	struct sysgenid_trigger_args arg = {
		.size = sizeof(arg),
		.expected = expected,
		.entropy = (uintptr_t)entropy,
		.entropy_len = sizeof(entropy),
	};

	ioctl(fd, SYSGENID_TRIGGER, &arg);
}

static void use(int fd)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args list = {
		.size = sizeof(list),
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(entries[0]),
		.count = 4,
		.flags = SYSGENID_LIST_ALL,
	};
	struct sysgenid_wait_args wait = { .size = sizeof(wait),
					   .timeout_ns = 100000 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	volatile uint32_t *page;
	uint32_t value;

	ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 1);
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ioctl(fd, SYSGENID_GET, &get);
	if (triggers)
		trigger(fd, get.generation);
	poll(&p, 1, 0);
	wait.generation = get.generation;
	ioctl(fd, SYSGENID_WAIT_GENERATION, &wait);
	ioctl(fd, SYSGENID_LIST_WATCHERS, &list);
	if (page != MAP_FAILED) {
		value = *page;
		if (write(fd, &value, sizeof(value)) < 0)
			ioctl(fd, SYSGENID_WAIT_WATCHERS, 1);
		munmap((void *)page, 4096);
	}
}

static void *user(void *seed)
{
	unsigned int state = (unsigned int)(uintptr_t)seed;
	int fd;

	for (;;) {
		fd = open(SYSGENID_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0) {
			use(fd);
			close(fd);
			if (!atomic_flag_test_and_set(&said)) {
				puts("ready");
				fflush(stdout);
			}
		}
		nanosleep(&(struct timespec){ 0, rand_r(&state) % 4000000 },
			  NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t other;

	(void)argv;
	triggers = argc > 1;
	pthread_create(&other, NULL, user, (void *)1);
	user((void *)2);
}
