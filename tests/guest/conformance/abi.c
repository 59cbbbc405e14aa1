// SPDX-License-Identifier: MIT
/* The calls of the SysGenID patches v6-v8, errno for errno. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>

#include "conformance.h"

static void node_is_readable_by_all(void)
{
	struct stat st;

	EXPECT_EQ(0, stat(SYSGENID_DEVICE, &st));
	EXPECT(S_ISCHR(st.st_mode));
	EXPECT((st.st_mode & 0444) == 0444);
	EXPECT(!(st.st_mode & 0002));
}

static void open_is_up_to_date(void)
{
	uint32_t value;
	int fd;

	trigger();
	fd = open_rw();
	EXPECT(!readable(fd));
	EXPECT_ERR(EAGAIN, read(fd, &value, 4));
}

static void read_sizes(void)
{
	uint32_t value[2];
	int fd = open_rw();

	EXPECT_EQ(0, read(fd, value, 0));
	EXPECT_ERR(EINVAL, read(fd, value, 1));
	EXPECT_ERR(EINVAL, read(fd, value, 3));
	trigger();
	EXPECT_ERR(EINVAL, read(fd, value, 3));
	EXPECT_EQ(4, read(fd, value, 4));
	EXPECT_EQ(4, read(fd, value, 8));
	EXPECT_ERR(EFAULT, read(fd, nowhere, 4));
}

static void read_repeats_until_confirmed(void)
{
	uint32_t before = current_generation(), value = 0;
	int fd = open_rw(), i;

	trigger();
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(4, read(fd, &value, 4));
		EXPECT_EQ(before + 1, value);
	}
	EXPECT_EQ(4, write(fd, &value, 4));
	EXPECT_ERR(EAGAIN, read(fd, &value, 4));
}

static void *trigger_later(void *unused)
{
	(void)unused;
	sleep_ms(100);
	trigger();
	return NULL;
}

static void read_sleeps(void)
{
	uint32_t before = current_generation(), value = 0;
	int fd = open(SYSGENID_DEVICE, O_RDWR);
	double start = seconds();
	pthread_t thread;

	pthread_create(&thread, NULL, trigger_later, NULL);
	EXPECT_EQ(4, read(fd, &value, 4));
	EXPECT_EQ(before + 1, value);
	EXPECT(seconds() - start > 0.09);
	pthread_join(thread, NULL);
}

static void nothing(int signal)
{
	(void)signal;
}

/* Again and again: on a busy host the first may come before the call. */
static void interrupt_each(int ms, int flags)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = flags };
	pid_t parent = getpid();

	sigaction(SIGUSR1, &action, NULL);
	if (!fork()) {
		for (sleep_ms(ms); getppid() == parent; sleep_ms(ms))
			kill(parent, SIGUSR1);
		_exit(0);
	}
}

static void read_is_interrupted(void)
{
	int fd = open(SYSGENID_DEVICE, O_RDWR);
	uint32_t value;

	interrupt_each(100, 0);
	EXPECT_ERR(EINTR, read(fd, &value, 4));
}

static void write_sizes(void)
{
	uint32_t generation = current_generation(),
		 value[2] = { generation, 0 };
	int fd = open_rw();

	EXPECT_ERR(ENOBUFS, write(fd, value, 0));
	EXPECT_ERR(ENOBUFS, write(fd, value, 1));
	EXPECT_ERR(ENOBUFS, write(fd, value, 3));
	EXPECT_ERR(ENOBUFS, write(fd, value, 5));
	EXPECT_ERR(ENOBUFS, write(fd, value, 8));
	EXPECT_ERR(EFAULT, write(fd, nowhere, 4));
	EXPECT_EQ(4, write(fd, value, 4));
}

/* The offset is not looked at, and there is no position to move. */
static void pread_and_pwrite(void)
{
	const off_t offsets[] = { 0, 1, 4096, 1 << 30 };
	uint32_t generation, value;
	int fd = open_rw();

	EXPECT_ERR(EAGAIN, pread(fd, &value, 4, 0));
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		trigger();
		generation = current_generation();
		EXPECT_EQ(4, pread(fd, &value, 4, offsets[i]));
		EXPECT_EQ(generation, value);
		EXPECT_EQ(4, pwrite(fd, &generation, 4, offsets[i]));
		EXPECT(!readable(fd));
	}
	EXPECT_ERR(ESPIPE, lseek(fd, 0, SEEK_CUR));
}

static void write_values(void)
{
	int fd = open_rw();
	uint32_t value;

	trigger();
	value = current_generation() - 1;
	EXPECT_ERR(EINVAL, write(fd, &value, 4));
	value += 2;
	EXPECT_ERR(EINVAL, write(fd, &value, 4));
	EXPECT(readable(fd));
	value--;
	EXPECT_EQ(4, write(fd, &value, 4));
	EXPECT(!readable(fd));
	EXPECT_EQ(4, write(fd, &value, 4));
}

static void write_needs_a_writable_descriptor(void)
{
	uint32_t value = current_generation();
	int fd = open_ro();

	EXPECT_ERR(EBADF, write(fd, &value, 4));
}

static void poll_events(void)
{
	struct pollfd p = { .fd = open_rw(),
			    .events = POLLIN | POLLRDNORM | POLLOUT | POLLPRI };

	EXPECT_EQ(0, poll(&p, 1, 0));
	trigger();
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(POLLIN | POLLRDNORM, p.revents);
	confirm(p.fd);
	EXPECT_EQ(0, poll(&p, 1, 0));
}

static void poll_and_select_sleep(void)
{
	struct pollfd p = { .fd = open_ro(), .events = POLLIN };
	struct timeval limit = { 5, 0 };
	int fd = open_ro();
	pthread_t thread;
	fd_set set;

	pthread_create(&thread, NULL, trigger_later, NULL);
	EXPECT_EQ(1, poll(&p, 1, 5000));
	pthread_join(thread, NULL);

	close(fd);
	fd = open_ro();
	FD_ZERO(&set);
	FD_SET(fd, &set);
	pthread_create(&thread, NULL, trigger_later, NULL);
	EXPECT_EQ(1, select(fd + 1, &set, NULL, NULL, &limit));
	EXPECT(FD_ISSET(fd, &set));
	pthread_join(thread, NULL);
}

static void epoll_wakes(uint32_t mode)
{
	struct epoll_event event = { .events = EPOLLIN | mode };
	int fd = open_rw(), ep = epoll_create1(0), i;
	pthread_t thread;

	EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	for (i = 0; i < 3; i++) {
		pthread_create(&thread, NULL, trigger_later, NULL);
		EXPECT_EQ(1, epoll_wait(ep, &event, 1, 5000));
		pthread_join(thread, NULL);
		confirm(fd);
		EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	}
}

static void epoll_level(void)
{
	epoll_wakes(0);
}

static void epoll_edge(void)
{
	epoll_wakes(EPOLLET);
}

static void mmap_ranges(void)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = open_rw();

	EXPECT(mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	EXPECT(mmap(NULL, (size_t)page, PROT_READ, MAP_SHARED, fd, 0) !=
	       MAP_FAILED);
	EXPECT_ERR(EINVAL,
		   mmap(NULL, 2 * (size_t)page, PROT_READ, MAP_SHARED, fd, 0));
	EXPECT_ERR(EINVAL,
		   mmap(NULL, (size_t)page, PROT_READ, MAP_SHARED, fd, page));
}

static void mmap_is_never_writable(void)
{
	int rw = open_rw(), ro = open_ro();
	void *page;

	EXPECT_ERR(EPERM,
		   mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0));
	EXPECT_ERR(EPERM,
		   mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE, rw, 0));
	EXPECT_ERR(EACCES,
		   mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0));
	page = mmap(NULL, 4, PROT_READ, MAP_SHARED, rw, 0);
	EXPECT(page != MAP_FAILED);
	EXPECT_ERR(EACCES, mprotect(page, 4, PROT_READ | PROT_WRITE));
	page = mmap(NULL, 4, PROT_READ, MAP_SHARED, ro, 0);
	EXPECT(page != MAP_FAILED);
	EXPECT_ERR(EACCES, mprotect(page, 4, PROT_WRITE));
}

static void mapping_outlives_the_descriptor(void)
{
	const volatile uint32_t *page = map_counter();
	uint32_t before = *page;

	trigger();
	EXPECT_EQ(before + 1, *page);
	/* What is dropped comes back by a fault. */
	EXPECT_EQ(0, madvise((void *)page, 4, MADV_DONTNEED));
	EXPECT_EQ(before + 1, *page);
}

static void see_new_generation(void *page)
{
	sleep_ms(100);
	_exit(*(const volatile uint32_t *)page & 0xff);
}

static void mapping_is_inherited(void)
{
	const volatile uint32_t *page = map_counter();
	pthread_t thread;

	pthread_create(&thread, NULL, trigger_later, NULL);
	pthread_join(thread, NULL);
	EXPECT_EQ(*page & 0xff, run_child(see_new_generation, (void *)page));
}

static void mapping_does_not_grow(void)
{
	const volatile uint32_t *page = map_counter();
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	EXPECT(mremap((void *)page, size, 2 * size, MREMAP_MAYMOVE) ==
	       MAP_FAILED);
}

static void trigger_is_plus_one(void)
{
	uint32_t before = current_generation();
	int fd = open_ro();

	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, 0));
	EXPECT_EQ(before + 1, current_generation());
	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, before + 1));
	EXPECT_EQ(before + 2, current_generation());
	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, before + 10));
	EXPECT_EQ(before + 10, current_generation());
}

static void trigger_unprivileged(void)
{
	int fd = open_rw();

	drop_to(65534);
	EXPECT_ERR(EACCES, ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, 0));
	EXPECT_ERR(EACCES, ioctl(open_ro(), SYSGENID_TRIGGER_GEN_UPDATE, 0));
}

static void tracking_is_idempotent(void)
{
	int fd = open_rw();

	EXPECT_EQ(0, ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 0));
	EXPECT_EQ(0, ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 1));
	EXPECT_EQ(0, ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 1));
	EXPECT_EQ(0, ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 0));
	EXPECT_EQ(0, ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 0));
}

static void wait_watchers_results(void)
{
	int watcher = open_rw(), overseer = open_rw();
	double start;

	track(watcher);
	EXPECT_EQ(0, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 0));
	trigger();
	/* Its own descriptor is outdated, tracked or not. */
	EXPECT_ERR(EINTR, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 0));
	confirm(overseer);
	start = seconds();
	EXPECT_ERR(ETIME, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 200));
	EXPECT(seconds() - start > 0.19);
	confirm(watcher);
	EXPECT_EQ(0, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 0));
}

static int shared_watcher;

static void *confirm_later(void *unused)
{
	(void)unused;
	sleep_ms(100);
	confirm(shared_watcher);
	return NULL;
}

static void *close_later(void *unused)
{
	(void)unused;
	sleep_ms(100);
	close(shared_watcher);
	return NULL;
}

static void *untrack_later(void *unused)
{
	(void)unused;
	sleep_ms(100);
	ioctl(shared_watcher, SYSGENID_SET_WATCHER_TRACKING, 0);
	return NULL;
}

/* Confirming, untracking and closing each end the wait. */
static void wait_watchers_ends(void)
{
	static void *(*const ends[])(void *) = { confirm_later, untrack_later,
						 close_later };
	pthread_t thread;
	size_t i;

	for (i = 0; i < 3; i++) {
		double start = seconds();
		int overseer;

		shared_watcher = open_rw();
		track(shared_watcher);
		trigger();
		overseer = open_rw();
		pthread_create(&thread, NULL, ends[i], NULL);
		EXPECT_EQ(0, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 5000));
		EXPECT(seconds() - start < 2);
		pthread_join(thread, NULL);
		if (ends[i] != close_later)
			close(shared_watcher);
	}
}

static void wait_watchers_is_interrupted(void)
{
	int watcher = open_rw(), overseer;

	track(watcher);
	trigger();
	overseer = open_rw();
	interrupt_each(100, 0);
	EXPECT_ERR(EINTR, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 0));
}

static void wait_watchers_ends_with_a_new_generation(void)
{
	int watcher = open_rw(), overseer;
	pthread_t thread;

	track(watcher);
	trigger();
	overseer = open_rw();
	pthread_create(&thread, NULL, trigger_later, NULL);
	EXPECT_ERR(EINTR, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 0));
	pthread_join(thread, NULL);
}

static void unknown_commands(void)
{
	int fd = open_rw();

	EXPECT_ERR(EINVAL, ioctl(fd, _IO(SYSGENID_IOCTL, 0), 0));
	EXPECT_ERR(EINVAL, ioctl(fd, _IO(SYSGENID_IOCTL, 4), 0));
	EXPECT_ERR(EINVAL, ioctl(fd, _IO(SYSGENID_IOCTL, 0x7f), 0));
	EXPECT_ERR(EINVAL, ioctl(fd, _IO(0x2d, 1), 0));
}

/* What AWS-LC does, to the letter, as another user than root. */
static void aws_lc_sequence(void)
{
	const volatile uint32_t *page;
	uint32_t before;
	struct stat st;
	int fd;

	if (!fork()) {
		sleep_ms(200);
		trigger();
		_exit(0);
	}
	drop_to(65534);
	EXPECT_EQ(0, stat("/dev/sysgenid", &st));
	fd = open("/dev/sysgenid", O_RDONLY);
	EXPECT(fd >= 0);
	page = mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT(page != MAP_FAILED);
	EXPECT_EQ(0, close(fd));
	before = *page;
	sleep_ms(500);
	EXPECT_EQ(before + 1, *page);
}

/* What Firecracker's guest test does: read, write back, five times. */
static void firecracker_sequence(void)
{
	uint32_t before = current_generation(), value, i;
	int fd = open("/dev/sysgenid", O_RDWR);
	pthread_t thread;

	for (i = 1; i <= 5; i++) {
		pthread_create(&thread, NULL, trigger_later, NULL);
		EXPECT_EQ(4, read(fd, &value, 4));
		EXPECT_EQ(before + i, value);
		EXPECT_EQ(4, write(fd, &value, 4));
		pthread_join(thread, NULL);
	}
}

const struct test abi_tests[] = {
	{ "abi: the node is readable by all", node_is_readable_by_all, false },
	{ "abi: open is up to date", open_is_up_to_date, false },
	{ "abi: read sizes", read_sizes, false },
	{ "abi: read repeats until confirmed", read_repeats_until_confirmed,
	  false },
	{ "abi: read sleeps", read_sleeps, false },
	{ "abi: read is interrupted", read_is_interrupted, false },
	{ "abi: write sizes", write_sizes, false },
	{ "abi: write values", write_values, false },
	{ "abi: pread and pwrite", pread_and_pwrite, false },
	{ "abi: write needs a writable descriptor",
	  write_needs_a_writable_descriptor, false },
	{ "abi: poll events", poll_events, false },
	{ "abi: poll and select sleep", poll_and_select_sleep, false },
	{ "abi: epoll, level", epoll_level, false },
	{ "abi: epoll, edge", epoll_edge, false },
	{ "abi: io_uring", uring_poll, false },
	{ "abi: mmap ranges", mmap_ranges, false },
	{ "abi: mmap is never writable", mmap_is_never_writable, false },
	{ "abi: a mapping outlives its descriptor",
	  mapping_outlives_the_descriptor, false },
	{ "abi: a mapping is inherited", mapping_is_inherited, false },
	{ "abi: a mapping does not grow", mapping_does_not_grow, false },
	{ "abi: trigger", trigger_is_plus_one, false },
	{ "abi: trigger by a user", trigger_unprivileged, false },
	{ "abi: tracking is idempotent", tracking_is_idempotent, false },
	{ "abi: wait for watchers", wait_watchers_results, false },
	{ "abi: wait for watchers ends", wait_watchers_ends, false },
	{ "abi: wait for watchers is interrupted", wait_watchers_is_interrupted,
	  false },
	{ "abi: wait for watchers ends with a new generation",
	  wait_watchers_ends_with_a_new_generation, false },
	{ "abi: unknown commands", unknown_commands, false },
	{ "abi: what AWS-LC does", aws_lc_sequence, false },
	{ "abi: what Firecracker's test does", firecracker_sequence, false },
	{ NULL, NULL, false },
};
