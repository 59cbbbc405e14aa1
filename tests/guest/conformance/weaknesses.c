// SPDX-License-Identifier: MIT
/*
 * The weaknesses of the SysGenID patches v7 and v8 (and of the drivers that come
 * from them), one case each. Where a behaviour has to stay for the sake of old
 * programs, the case tries what takes its place.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "conformance.h"

/* Whoever may make a user namespace holds every capability in it. */
static void w1_namespaced_capability(void)
{
	uint32_t before = current_generation();

	drop_to(65534);
	if (unshare(CLONE_NEWUSER))
		skip("no user namespace: %s", strerror(errno));
	EXPECT_ERR(EACCES, ioctl(open_ro(), SYSGENID_TRIGGER_GEN_UPDATE, 0));
	EXPECT_EQ(before, current_generation());
}

/* A poll that answers before it queues is deaf for ever in an epoll set. */
static void w2_epoll_loses_wakeups(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = open_rw(), ep = epoll_create1(0);

	trigger();
	EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 1000));
	confirm(fd);
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	if (!fork()) {
		sleep_ms(100);
		trigger();
		_exit(0);
	}
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, 3000));
}

enum { ROUNDS = 2000 };

static atomic_int race_go, race_ready;
static int race_fd;

static void *set_tracking_loop(void *on)
{
	int round;

	for (round = 1; round <= ROUNDS; round++) {
		atomic_fetch_add(&race_ready, 1);
		while (atomic_load(&race_go) < round)
			sched_yield();
		ioctl(race_fd, SYSGENID_SET_WATCHER_TRACKING, on);
	}
	return NULL;
}

/* Two threads set the same flag: counted once. */
static void w3_tracking_race(void)
{
	pthread_t threads[2];
	int round, i, on;
	int overseer;
	double began;

	for (on = 1; on >= 0; on--) {
		race_fd = open_rw();
		atomic_store(&race_go, 0);
		atomic_store(&race_ready, 0);
		for (i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, set_tracking_loop,
				       (void *)(long)on);
		began = seconds();
		for (round = 1; round <= ROUNDS && seconds() - began < 20;
		     round++) {
			while (atomic_load(&race_ready) < 2 * round)
				sched_yield();
			ioctl(race_fd, SYSGENID_SET_WATCHER_TRACKING, !on);
			atomic_store(&race_go, round);
		}
		/* A debug kernel on a busy host may take minutes for all of them. */
		atomic_store(&race_go, ROUNDS);
		for (i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		close(race_fd);
	}
	/* No phantom is left, nor the opposite of one. */
	trigger();
	overseer = open_rw();
	EXPECT_EQ(0, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 500));
	track(race_fd = open_rw());
	trigger();
	confirm(overseer);
	EXPECT_ERR(ETIME, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 100));
}

/* Signed numbers: half of them are lost, and the counter replays old values. */
static void w4_wrap(void)
{
	int fd = open_ro();

	if (current_generation() < 0x7fffffff)
		EXPECT_EQ(0,
			  ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, 0x7fffffffUL));
	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, 0));
	EXPECT(current_generation() >= 0x80000000);
	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, 0xffffffffUL));
	EXPECT_EQ(0xffffffff, current_generation());
	/* A new generation is never the same again, whatever was asked for. */
	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, 0xffffffffUL));
	EXPECT_EQ(0, current_generation());
}

/*
 * A watcher that confirmed 5 and slept through all the others is outdated, also
 * when the counter comes to 5 again.
 */
static void w4_aba(void)
{
	uint32_t mine = current_generation();
	struct sysgenid_get_args answer;
	int fd = open_rw(), trig = open_ro();

	if (mine > 1000)
		skip("the counter is at %u: too far to go round", mine);
	track(fd);
	EXPECT_EQ(0, ioctl(trig, SYSGENID_TRIGGER_GEN_UPDATE, 0xffffffffUL));
	do {
		EXPECT_EQ(0, ioctl(trig, SYSGENID_TRIGGER_GEN_UPDATE, 0));
	} while (current_generation() != mine);
	EXPECT(readable(fd));
	EXPECT_EQ(0, get(fd, &answer));
	EXPECT_EQ(1, answer.outdated);
}

static atomic_uint
	confirming; /* the generation that the watcher is about to confirm */
static atomic_bool race_over, false_done;

static void *racing_overseer(void *unused)
{
	const volatile uint32_t *page = map_counter();

	(void)unused;
	while (!atomic_load(&race_over)) {
		uint32_t generation = *page;
		int fd;

		if (generation == atomic_load(&confirming))
			continue;
		/* New, and the watcher has not begun to confirm it. */
		fd = open_rw();
		if (!ioctl(fd, SYSGENID_WAIT_WATCHERS, 1) &&
		    atomic_load(&confirming) != generation &&
		    *page == generation)
			atomic_store(&false_done, true);
		close(fd);
	}
	return NULL;
}

/* "All done" must not be said between two stores of a publisher. */
static void w5_false_all_done(void)
{
	double end = seconds() + 2;
	pthread_t thread;
	int fd = open_rw();

	track(fd);
	atomic_store(&confirming, current_generation());
	pthread_create(&thread, NULL, racing_overseer, NULL);
	while (seconds() < end) {
		trigger();
		if (rand() % 4 == 0)
			sleep_ms(3);
		atomic_store(&confirming, current_generation());
		confirm(fd);
	}
	atomic_store(&race_over, true);
	pthread_join(thread, NULL);
	EXPECT(!atomic_load(&false_done));
}

/* A process that opens late must be able to say that its memory is old. */
static void w6_late_opener(void)
{
	struct sysgenid_declare_args arg = {
		.size = sizeof(arg), .generation = current_generation()
	};
	int fd;

	trigger();
	fd = open_rw();
	EXPECT_EQ(0, ioctl(fd, SYSGENID_DECLARE, &arg));
	EXPECT(readable(fd));
}

/*
 * The kernel RNG is reseeded before the new generation can be seen. What this
 * one machine can tell: that reseeds work. That clones diverge is shown on
 * clones, in tests/vm.
 */
static void w7_reseed_before_publish(void)
{
	struct sysgenid_get_args answer;

	trigger();
	EXPECT_EQ(0, get(open_ro(), &answer));
	EXPECT(!(answer.flags & SYSGENID_GET_RESEED_FAILED));
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Milliseconds that overflow when they become nanoseconds. */
static void w8_timeout_arithmetic(void)
{
	static const unsigned long long values[] = {
		4295,	    5000,	9300000000000ULL, 18446744073710ULL,
		1ULL << 58, UINT64_MAX,
	};
	struct sigaction action = { .sa_handler = on_alarm };
	struct sysgenid_wait_args answer;
	int watcher = open_rw(), overseer;
	size_t i;

	track(watcher);
	trigger();
	overseer = open_rw();
	sigaction(SIGALRM, &action, NULL);
	for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
		timer_t timer;
		struct itimerspec in_800ms = { .it_value = { 0, 800000000 } };

		timer_create(CLOCK_MONOTONIC, NULL, &timer);
		timer_settime(timer, 0, &in_800ms, NULL);
		EXPECT_ERR(EINTR, ioctl(overseer, SYSGENID_WAIT_WATCHERS,
					(unsigned long)values[i]));
		timer_delete(timer);
	}
	/* And "look now" can be said. */
	if (has_additions())
		EXPECT_ERR(ETIME,
			   wait_generation(overseer, current_generation(), 0,
					   &answer));
	else
		fail("no way to look without waiting");
}

/* A signal does not make a timeout begin anew. */
static void w8_timeout_restarts(void)
{
	struct sigaction action = { .sa_handler = on_alarm,
				    .sa_flags = SA_RESTART };
	int watcher = open_rw(), overseer;
	double start = seconds();
	pid_t parent = getpid(), child;

	track(watcher);
	trigger();
	overseer = open_rw();
	sigaction(SIGUSR1, &action, NULL);
	child = fork();
	if (!child)
		for (;;) {
			sleep_ms(300);
			kill(parent, SIGUSR1);
		}
	ioctl(overseer, SYSGENID_WAIT_WATCHERS, 500);
	kill(child, SIGKILL);
	EXPECT(seconds() - start < 1);
}

/* Whoever triggers can wait for the very generation that it made. */
static void w9_wait_is_bound(void)
{
	struct sysgenid_trigger_args arg = { .size = sizeof(arg),
					     .expected = current_generation() };
	struct sysgenid_wait_args answer;
	int overseer = open_rw();

	EXPECT_EQ(0, ioctl(overseer, SYSGENID_TRIGGER, &arg));
	EXPECT_EQ(0, wait_generation(overseer, arg.generation, 0, &answer));
	trigger();
	EXPECT_ERR(ESTALE,
		   wait_generation(overseer, arg.generation, 0, &answer));
}

static uint32_t list_one(struct sysgenid_watcher *entry)
{
	struct sysgenid_list_args arg = {
		.size = sizeof(arg),
		.entries = (uintptr_t)entry,
		.entry_size = sizeof(*entry),
		.count = 1,
	};

	EXPECT_EQ(0, ioctl(open_ro(), SYSGENID_LIST_WATCHERS, &arg));
	return arg.count;
}

static void w10_nameless_laggards(void)
{
	struct sysgenid_watcher entry;
	int fd = open_rw();

	track(fd);
	trigger();
	EXPECT_EQ(1, list_one(&entry));
	EXPECT_EQ(getpid(), entry.pid);
	confirm(fd);
	EXPECT_EQ(0, list_one(&entry));
}

/* An open file that outlives the process that tracked it is known as such. */
static void w11_watcher_outlives_process(void)
{
	struct sysgenid_watcher entry;
	int fd = open_rw();
	pid_t child = fork();

	if (!child) {
		track(fd);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	trigger();
	EXPECT_EQ(1, list_one(&entry));
	EXPECT_EQ(0, entry.pid);
	EXPECT(entry.start_time);
	/* Who confirms with it becomes the one that is named. */
	confirm(fd);
	trigger();
	EXPECT_EQ(1, list_one(&entry));
	EXPECT_EQ(getpid(), entry.pid);
}

static void w12_get_when_up_to_date(void)
{
	struct sysgenid_get_args answer;
	int fd = open_ro();

	EXPECT_EQ(0, get(fd, &answer));
	EXPECT_EQ(current_generation(), answer.generation);
}

/* A program of 32 bits is served (this runs as one, too), a reader does not track. */
static void w13_ioctls_ignore_mode(void)
{
	EXPECT_ERR(EBADF, ioctl(open_ro(), SYSGENID_SET_WATCHER_TRACKING, 1));
	EXPECT_EQ(0, ioctl(open_rw(), SYSGENID_SET_WATCHER_TRACKING, 1));
}

/* One user cannot track watchers without end. */
static void w14_unbounded_watchers(void)
{
	enum { MANY = 3000 };
	struct rlimit limit = { MANY + 64, MANY + 64 };
	int i, tracked = 0;
	static int fds[MANY];

	setrlimit(RLIMIT_NOFILE, &limit);
	for (i = 0; i < MANY; i++)
		fds[i] = open_rw();
	drop_to(65534);
	while (tracked < MANY &&
	       !ioctl(fds[tracked], SYSGENID_SET_WATCHER_TRACKING, 1))
		tracked++;
	EXPECT(tracked < MANY);
	EXPECT_EQ(EDQUOT, errno);
	/* What is given back can be had again. */
	EXPECT_EQ(0, ioctl(fds[0], SYSGENID_SET_WATCHER_TRACKING, 0));
	EXPECT_EQ(0, ioctl(fds[tracked], SYSGENID_SET_WATCHER_TRACKING, 1));
}

static int many_fds[3000];

static void track_all(void *unused)
{
	size_t i = 0;

	(void)unused;
	drop_to(65534);
	while (i < 3000 &&
	       !ioctl(many_fds[i], SYSGENID_SET_WATCHER_TRACKING, 1))
		i++;
	EXPECT(i < 3000);
}

static void track_as_subuid(void)
{
	EXPECT_EQ(0, setresuid(1, 1, 1));
	EXPECT_ERR(EDQUOT,
		   ioctl(many_fds[2999], SYSGENID_SET_WATCHER_TRACKING, 1));
}

/* Nor by way of the subordinate uids in a user namespace of his own. */
static void w14_subuids(void)
{
	struct rlimit limit = { 4096, 4096 };
	size_t i;

	setrlimit(RLIMIT_NOFILE, &limit);
	for (i = 0; i < 3000; i++)
		many_fds[i] = open_rw();
	EXPECT_EQ(0, run_child(track_all, NULL));
	run_in_user_namespace(65534, "0 65534 1\n1 100000 10\n",
			      track_as_subuid);
}

/* The page says what it is and how long. */
static void w15_page_without_layout(void)
{
	const volatile struct sysgenid_page *page =
		(const volatile void *)map_counter();

	EXPECT_EQ(SYSGENID_PAGE_MAGIC, page->magic);
	EXPECT(page->size >= 64);
}

static void w16_executable_mapping(void)
{
	uint32_t before = current_generation();
	int fd = open_ro();
	const volatile uint32_t *page;

	EXPECT_ERR(EPERM,
		   mmap(NULL, 4, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
	EXPECT_ERR(EPERM,
		   mmap(NULL, 4, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
	page = mmap(NULL, 4, PROT_READ, MAP_PRIVATE, fd, 0);
	EXPECT(page != MAP_FAILED);
	EXPECT_ERR(EACCES, mprotect((void *)page, 4, PROT_READ | PROT_EXEC));
	EXPECT_ERR(EACCES, mprotect((void *)page, 4, PROT_READ | PROT_WRITE));
	/* A private mapping is not left behind. */
	EXPECT_EQ(before, *page);
	trigger();
	EXPECT_EQ(before + 1, *page);
}

static bool is_executable(const volatile void *page)
{
	char line[256], start[32];
	FILE *maps = fopen("/proc/self/maps", "r");
	bool executable = false;

	snprintf(start, sizeof(start), "%lx-", (unsigned long)page);
	while (maps && fgets(line, sizeof(line), maps))
		if (!strncmp(line, start, strlen(start)))
			executable = !!strstr(line, "r-x");
	return executable;
}

/* Old programs ask for execution without knowing it: they get a mapping, but not that. */
static void w16_read_implies_exec(void)
{
	personality(PER_LINUX | READ_IMPLIES_EXEC);
	EXPECT(!is_executable(map_counter()));
}

/* The page of the generation is late by nature: the hardware id is not. */
static void w17_late_page(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int fd = open(SYSGENID_HW_DEVICE, O_RDONLY);
	const struct sysgenid_record *record;
	const char *hw;

	EXPECT(fd >= 0);
	hw = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	record = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)size);
	EXPECT(hw != MAP_FAILED && record != MAP_FAILED);
	EXPECT(!memcmp(hw + record->hw_offset, record->id, 16));
}

/* Write sizes give ENOBUFS as ever: the new confirm has errnos that say something. */
static void w18_untraceable(void)
{
	struct sysgenid_confirm_args arg = { .size = 1 };
	struct stat st;

	EXPECT_ERR(EINVAL, ioctl(open_ro(), SYSGENID_CONFIRM, &arg));
	EXPECT_EQ(0, stat("/sys/class/misc/sysgenid/generation", &st));
	EXPECT_EQ(0, stat("/sys/class/misc/sysgenid/outdated", &st));
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	EXPECT_EQ(0,
		  stat("/sys/kernel/tracing/events/sysgenid/sysgenid_publish",
		       &st));
}

const struct test weakness_tests[] = {
	{ "W1 a capability of a user namespace triggers",
	  w1_namespaced_capability, false },
	{ "W2 epoll loses wake-ups", w2_epoll_loses_wakeups, false },
	{ "W3 tracking is counted in a race", w3_tracking_race, false },
	{ "W4 old values return: a late watcher looks fresh", w4_aba, true },
	{ "W5 all done is said too early", w5_false_all_done, false },
	{ "W6 a late opener looks fresh", w6_late_opener, true },
	{ "W7 published before the kernel RNG is reseeded",
	  w7_reseed_before_publish, true },
	{ "W8 timeouts overflow", w8_timeout_arithmetic, false },
	{ "W8 timeouts begin anew", w8_timeout_restarts, false },
	{ "W9 a wait is not bound to a generation", w9_wait_is_bound, true },
	{ "W10 laggards have no names", w10_nameless_laggards, true },
	{ "W11 a watcher outlives its process unnoticed",
	  w11_watcher_outlives_process, true },
	{ "W12 no way to ask when up to date", w12_get_when_up_to_date, true },
	{ "W13 no 32-bit calls; readers may track", w13_ioctls_ignore_mode,
	  false },
	{ "W14 watchers without bound", w14_unbounded_watchers, false },
	{ "W14 watchers without bound by subordinate uids", w14_subuids,
	  false },
	{ "W15 a page without a layout", w15_page_without_layout, false },
	{ "W16 executable and private mappings", w16_executable_mapping,
	  false },
	{ "W16 mappings of programs that imply execution",
	  w16_read_implies_exec, false },
	{ "W17 the page is late", w17_late_page, true },
	{ "W18 nothing to trace or to look at", w18_untraceable, true },
	/* Last: it leaves the counter elsewhere. */
	{ "W4 signed counter", w4_wrap, false },
	{ NULL, NULL, false },
};
