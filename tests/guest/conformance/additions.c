// SPDX-License-Identifier: MIT
/* The commands 0x10 and above: what they do, and every errno. */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "conformance.h"

static void get_tells_all(void)
{
	struct timespec now;
	struct sysgenid_get_args before, after;
	int fd = open_rw();

	EXPECT_EQ(0, get(fd, &before));
	EXPECT_EQ(sizeof(before), before.size);
	EXPECT_EQ(current_generation(), before.generation);
	EXPECT_EQ(before.generation, before.confirmed);
	EXPECT_EQ(0,
		  before.flags & (SYSGENID_GET_TRACKED | SYSGENID_GET_OUTDATED |
				  SYSGENID_GET_UNKNOWN));
	EXPECT(before.features & SYSGENID_FEATURE_CALLS);
	EXPECT(before.sources);

	track(fd);
	trigger();
	EXPECT_EQ(0, get(fd, &after));
	clock_gettime(CLOCK_BOOTTIME, &now);
	EXPECT_EQ(before.generation + 1, after.generation);
	EXPECT_EQ(before.generation, after.confirmed);
	EXPECT_EQ(SYSGENID_GET_TRACKED | SYSGENID_GET_OUTDATED, after.flags);
	EXPECT_EQ(before.watchers + 1, after.watchers);
	EXPECT_EQ(before.outdated + 1, after.outdated);
	EXPECT_EQ(SYSGENID_SOURCE_SOFTWARE, after.source);
	EXPECT(after.time > before.time);
	EXPECT(after.time <=
	       (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec);
}

static uint32_t pending(int fd)
{
	struct sysgenid_get_args answer = { .size = sizeof(answer) };

	EXPECT_EQ(0, ioctl(fd, SYSGENID_GET, &answer));
	return answer.flags & SYSGENID_GET_RESEED_PENDING;
}

/* The reseed that follows a publish is told of, and comes. */
static void get_tells_of_a_pending_reseed(void)
{
	int fd = open_ro(), tries = 20;
	struct utsname kernel;
	double start;
	bool seen;

	/* The reseed may come before the question. */
	do {
		trigger();
		seen = pending(fd);
	} while (!seen && --tries);
	/* On one processor each task has left the kernel when another one runs. */
	EXPECT_EQ(0, uname(&kernel));
	if (!seen && !strstr(kernel.version, "SMP"))
		skip("the reseed always comes before the question");
	EXPECT(seen);
	for (start = seconds(); pending(fd) && seconds() - start < 60;)
		sleep_ms(50);
	EXPECT_EQ(0, pending(fd));
}

/* Every struct: too short, too long, not there. */
static void struct_sizes(void)
{
	static const struct {
		unsigned long cmd;
		uint32_t first, size;
	} commands[] = {
		{ SYSGENID_GET, 48, sizeof(struct sysgenid_get_args) },
		{ SYSGENID_WAIT_GENERATION, 24,
		  sizeof(struct sysgenid_wait_args) },
		{ SYSGENID_LIST_WATCHERS, 40,
		  sizeof(struct sysgenid_list_args) },
		{ SYSGENID_TRIGGER, 32, sizeof(struct sysgenid_trigger_args) },
		{ SYSGENID_DECLARE, 16, sizeof(struct sysgenid_declare_args) },
		{ SYSGENID_CONFIRM, 8, sizeof(struct sysgenid_confirm_args) },
		{ SYSGENID_GATE, 88, sizeof(struct sysgenid_gate_args) },
	};
	size_t page = (size_t)sysconf(_SC_PAGESIZE), i;
	unsigned char *big = calloc(1, 2 * page);
	uint32_t *size = (uint32_t *)big;
	int fd = open_rw();

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		memset(big, 0, 2 * page);
		EXPECT_ERR(EINVAL, ioctl(fd, commands[i].cmd, big));
		*size = commands[i].first - 1;
		EXPECT_ERR(EINVAL, ioctl(fd, commands[i].cmd, big));
		*size = commands[i].size + 8;
		big[commands[i].size] = 1;
		EXPECT_ERR(E2BIG, ioctl(fd, commands[i].cmd, big));
		*size = (uint32_t)page + 8;
		EXPECT_ERR(E2BIG, ioctl(fd, commands[i].cmd, big));
		EXPECT_ERR(EFAULT, ioctl(fd, commands[i].cmd, nowhere));
	}
}

/* A program built for a later version asks for more than there is. */
static void a_longer_struct_is_served(void)
{
	struct {
		struct sysgenid_get_args get;
		uint64_t later[4];
	} big = { .get.size = sizeof(big) };
	int fd = open_rw();

	EXPECT_EQ(0, ioctl(fd, SYSGENID_GET, &big));
	EXPECT_EQ(sizeof(big.get), big.get.size);
	/* And its command number has the longer size in it. */
	big.get.size = sizeof(big);
	EXPECT_EQ(0, ioctl(fd,
			   _IOC(_IOC_READ | _IOC_WRITE, SYSGENID_IOCTL, 0x10,
				sizeof(big)),
			   &big));
	EXPECT_EQ(current_generation(), big.get.generation);
}

static void read_only_memory_is_efault(void)
{
	struct sysgenid_get_args *answer =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t before = current_generation();
	int fd = open_rw();

	answer->size = sizeof(*answer);
	mprotect(answer, 4096, PROT_READ);
	EXPECT_ERR(EFAULT, ioctl(fd, SYSGENID_GET, answer));

	/* A trigger whose answer cannot be delivered does nothing. */
	mprotect(answer, 4096, PROT_READ | PROT_WRITE);
	memset(answer, 0, sizeof(struct sysgenid_trigger_args));
	*(struct sysgenid_trigger_args *)answer =
		(struct sysgenid_trigger_args){
			.size = sizeof(struct sysgenid_trigger_args),
			.expected = before,
		};
	mprotect(answer, 4096, PROT_READ);
	EXPECT_ERR(EFAULT, ioctl(fd, SYSGENID_TRIGGER, answer));
	EXPECT_EQ(before, current_generation());
}

static void confirm_without_write_access(void)
{
	struct sysgenid_confirm_args arg = { .size = sizeof(arg) };
	int fd = open_ro();
	uint32_t value;

	trigger();
	EXPECT(readable(fd));
	arg.generation = current_generation() - 1;
	EXPECT_ERR(ESTALE, ioctl(fd, SYSGENID_CONFIRM, &arg));
	arg.generation++;
	EXPECT_EQ(0, ioctl(fd, SYSGENID_CONFIRM, &arg));
	EXPECT(!readable(fd));
	EXPECT_ERR(EAGAIN, read(fd, &value, 4));
}

static void track_without_write_access(void)
{
	int fd = open_ro();

	EXPECT_ERR(EBADF, ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 1));
	EXPECT_ERR(EBADF, ioctl(fd, SYSGENID_SET_WATCHER_TRACKING, 0));
}

static int declare(int fd, uint32_t generation, uint32_t flags)
{
	struct sysgenid_declare_args arg = {
		.size = sizeof(arg),
		.generation = generation,
		.flags = flags,
	};

	return ioctl(fd, SYSGENID_DECLARE, &arg);
}

static void declare_generation(void)
{
	struct sysgenid_declare_args bad = { .size = sizeof(bad),
					     .reserved = 1 };
	struct sysgenid_get_args answer;
	int fd = open_rw();

	trigger();
	trigger();
	EXPECT_ERR(EINVAL, declare(fd, 0, 2));
	EXPECT_ERR(EINVAL, ioctl(fd, SYSGENID_DECLARE, &bad));

	close(fd);
	fd = open_rw();
	EXPECT_EQ(0, declare(fd, current_generation() - 1, 0));
	EXPECT(readable(fd));
	EXPECT_EQ(0, get(fd, &answer));
	EXPECT_EQ(answer.generation - 1, answer.confirmed);
	EXPECT_EQ(SYSGENID_GET_OUTDATED, answer.flags);
	EXPECT_ERR(EBUSY, declare(fd, current_generation(), 0));
	track(fd);
	EXPECT_EQ(0, get(fd, &answer));
	EXPECT_EQ(1, answer.outdated);
	confirm(fd);
	EXPECT(!readable(fd));

	/* The current one: nothing to adjust. */
	close(fd);
	fd = open_rw();
	EXPECT_EQ(0, declare(fd, current_generation(), 0));
	EXPECT(!readable(fd));
}

static long voluntary_switches(pid_t pid)
{
	char path[64], line[256];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	EXPECT(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
			break;
	fclose(f);
	EXPECT(n >= 0);
	return n;
}

/* Who loops over open and declare wakes nobody. */
static void declare_wakes_no_other_waiter(void)
{
	int watcher = open_rw(), waiter = open_rw(), fd, i;
	long before;
	pid_t child;

	track(watcher);
	trigger();
	confirm(waiter);
	child = fork();
	if (!child) {
		ioctl(waiter, SYSGENID_WAIT_WATCHERS, 0);
		_exit(0);
	}
	do {
		sleep_ms(20);
		before = voluntary_switches(child);
	} while (!before);
	for (i = 0; i < 100; i++) {
		fd = open_ro();
		EXPECT_EQ(0, declare(fd, 0, SYSGENID_DECLARE_UNKNOWN));
		close(fd);
	}
	sleep_ms(100);
	EXPECT(voluntary_switches(child) < before + 10);
}

/* Starts a process that sleeps by @fd; returns when it does. */
static pid_t sleeper_by(int fd, void (*sleeps)(int fd))
{
	pid_t child = fork();

	if (!child) {
		sleeps(fd);
		_exit(0);
	}
	do
		sleep_ms(20);
	while (!voluntary_switches(child));
	return child;
}

static void sleep_in_read(int fd)
{
	uint32_t generation;

	read(fd, &generation, sizeof(generation));
}

static void sleep_in_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	poll(&p, 1, -1);
}

/* Readers and pollers of other files sleep on, whatever they share. */
static void declare_wakes_no_other_sleeper(void)
{
	long before = 0, after = 0;
	pid_t children[4];
	int fd, i;

	for (i = 0; i < 4; i++)
		children[i] = sleeper_by(open_ro(),
					 i % 2 ? sleep_in_poll : sleep_in_read);
	sleep_ms(200);
	for (i = 0; i < 4; i++)
		before += voluntary_switches(children[i]);
	for (i = 0; i < 1500; i++) {
		fd = open_ro();
		EXPECT_EQ(0, declare(fd, 0, SYSGENID_DECLARE_UNKNOWN));
		close(fd);
	}
	sleep_ms(100);
	for (i = 0; i < 4; i++)
		after += voluntary_switches(children[i]);
	/* Each of them would be woken six times by chance. */
	EXPECT(after < before + 4);
}

/* Those who sleep by the file itself learn at once that it is outdated. */
static void declare_wakes_who_sleeps_by_it(void)
{
	static void (*const ways[])(int fd) = { sleep_in_read, sleep_in_poll };
	double start = seconds();
	pid_t child;
	int fd, i;

	for (i = 0; i < 2; i++) {
		fd = open_ro();
		child = sleeper_by(fd, ways[i]);
		EXPECT_EQ(0, declare(fd, 0, SYSGENID_DECLARE_UNKNOWN));
		EXPECT_EQ(child, waitpid(child, NULL, 0));
	}
	EXPECT(seconds() < start + 20);
}

static void declare_unknown(void)
{
	struct sysgenid_get_args answer;
	int fd = open_rw();

	EXPECT_EQ(0, declare(fd, 0, SYSGENID_DECLARE_UNKNOWN));
	EXPECT(readable(fd));
	EXPECT_EQ(0, get(fd, &answer));
	EXPECT_EQ(SYSGENID_GET_OUTDATED | SYSGENID_GET_UNKNOWN,
		  answer.flags & ~(uint32_t)SYSGENID_GET_INSTANCE);
	confirm(fd);
	EXPECT_EQ(0, get(fd, &answer));
	EXPECT_EQ(0, answer.flags & ~(uint32_t)SYSGENID_GET_INSTANCE);
}

static void declare_comes_first(void)
{
	int fd = open_rw();

	track(fd);
	EXPECT_ERR(EBUSY, declare(fd, 0, 0));
	close(fd);
	fd = open_rw();
	confirm(fd);
	EXPECT_ERR(EBUSY, declare(fd, 0, 0));
}

static void wait_generation_results(void)
{
	int watcher = open_rw(), overseer = open_rw();
	struct sysgenid_wait_args answer;
	double start;

	track(watcher);
	trigger();
	uint32_t now = current_generation();

	EXPECT_ERR(ESTALE, wait_generation(overseer, now - 1, -1, &answer));
	EXPECT_EQ(now, answer.current_generation);
	EXPECT_ERR(ESTALE, wait_generation(overseer, now + 1, 0, &answer));
	EXPECT_ERR(EDEADLK, wait_generation(watcher, now, -1, &answer));
	/* 0 looks; unlike the old command its own open file does not matter. */
	EXPECT_ERR(ETIME, wait_generation(overseer, now, 0, &answer));
	EXPECT_EQ(1, answer.outdated);
	EXPECT_EQ(now, answer.current_generation);
	start = seconds();
	EXPECT_ERR(ETIME, wait_generation(overseer, now, 100000000, &answer));
	EXPECT(seconds() - start > 0.099);
	confirm(watcher);
	EXPECT_EQ(0, wait_generation(overseer, now, -1, &answer));
	EXPECT_EQ(0, answer.outdated);
	EXPECT_EQ(0, wait_generation(overseer, now, 0, &answer));
	EXPECT_EQ(0, wait_generation(overseer, now, INT64_MAX, &answer));
}

static void nothing(int signal)
{
	(void)signal;
}

static void wait_generation_is_interrupted(void)
{
	struct sigaction action = { .sa_handler = nothing,
				    .sa_flags = SA_RESTART };
	struct sysgenid_wait_args answer;
	int watcher = open_rw();
	pid_t parent = getpid();

	sigaction(SIGUSR1, &action, NULL);
	track(watcher);
	trigger();
	if (!fork()) {
		sleep_ms(100);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	EXPECT_ERR(EINTR, wait_generation(open_rw(), current_generation(), -1,
					  &answer));
	EXPECT_EQ(-1, answer.timeout_ns);
	if (!fork()) {
		sleep_ms(100);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	EXPECT_ERR(EINTR, wait_generation(open_rw(), current_generation(),
					  50000000000, &answer));
	EXPECT(answer.timeout_ns > 0 && answer.timeout_ns < 50000000000);
}

/* Starts a wait in a child, which ends with what it was told to. */
static pid_t waiting_child(void (*run)(int overseer))
{
	int watcher = open_rw(), overseer;
	pid_t child;

	track(watcher);
	trigger();
	overseer = open_rw();
	child = fork();
	if (!child) {
		run(overseer);
		_exit(0);
	}
	return child;
}

static void wait_for_a_generation(int overseer)
{
	struct sysgenid_wait_args answer;

	EXPECT_ERR(ETIME, wait_generation(overseer, current_generation(),
					  1000000000, &answer));
	/* The kernel began it again, with the time that was left. */
	EXPECT(answer.timeout_ns < 1000000000);
}

static void wait_for_watchers(int overseer)
{
	EXPECT_ERR(ETIME, ioctl(overseer, SYSGENID_WAIT_WATCHERS, 1000));
}

static void expect_success(pid_t child)
{
	int status;

	EXPECT_EQ(child, waitpid(child, &status, 0));
	/* The child has said why. */
	if (status)
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void stop_and_continue(pid_t child)
{
	int status;

	sleep_ms(200);
	kill(child, SIGSTOP);
	EXPECT_EQ(child, waitpid(child, &status, WUNTRACED));
	EXPECT(WIFSTOPPED(status));
	kill(child, SIGCONT);
}

static void stopped_process_waits_on(void)
{
	pid_t child = waiting_child(wait_for_a_generation);

	stop_and_continue(child);
	stop_and_continue(child);
	expect_success(child);
	child = waiting_child(wait_for_watchers);
	stop_and_continue(child);
	expect_success(child);
}

#define CGROUPS "/conformance-cgroups"
#define FREEZER CGROUPS "/frozen"

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail("%s: %s", path, strerror(errno));
	close(fd);
}

static bool is_frozen(void)
{
	char text[100];
	int fd = open(FREEZER "/cgroup.events", O_RDONLY);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[len < 0 ? 0 : len] = 0;
	return strstr(text, "frozen 1");
}

static void frozen_process_waits_on(void)
{
	char text[16];
	pid_t child;

	mkdir(CGROUPS, 0700);
	EXPECT_EQ(0, mount("none", CGROUPS, "cgroup2", 0, NULL));
	EXPECT_EQ(0, mkdir(FREEZER, 0700));
	child = waiting_child(wait_for_a_generation);
	sleep_ms(200);
	snprintf(text, sizeof(text), "%d", child);
	write_text(FREEZER "/cgroup.procs", text);
	write_text(FREEZER "/cgroup.freeze", "1");
	while (!is_frozen())
		sleep_ms(10);
	write_text(FREEZER "/cgroup.freeze", "0");
	expect_success(child);
	rmdir(FREEZER);
	umount(CGROUPS);
}

static void trigger_later(void *unused)
{
	(void)unused;
	sleep_ms(100);
	trigger();
}

static void wait_generation_ends_with_a_new_one(void)
{
	struct sysgenid_wait_args answer;
	int watcher = open_rw(), overseer = open_rw();
	uint32_t now;

	track(watcher);
	trigger();
	now = current_generation();
	if (!fork()) {
		trigger_later(NULL);
		_exit(0);
	}
	EXPECT_ERR(ESTALE, wait_generation(overseer, now, -1, &answer));
	EXPECT_EQ(now + 1, answer.current_generation);
}

static int list(int fd, uint32_t flags, struct sysgenid_list_args *arg,
		struct sysgenid_watcher *entries, uint32_t count)
{
	arg->size = sizeof(*arg);
	arg->flags = flags;
	arg->entries = (uintptr_t)entries;
	arg->entry_size = sizeof(*entries);
	arg->count = count;
	return ioctl(fd, SYSGENID_LIST_WATCHERS, arg);
}

static void list_arguments(void)
{
	struct sysgenid_watcher entry;
	struct sysgenid_list_args arg = { 0 };
	int fd = open_rw(), watcher = open_rw();

	track(watcher);
	EXPECT_ERR(EINVAL, list(fd, 2, &arg, &entry, 1));
	EXPECT_ERR(EINVAL, list(fd, 0, &arg, &entry, 0));
	EXPECT_ERR(EINVAL, list(fd, 0, &arg, &entry, SYSGENID_LIST_MAX + 1));
	EXPECT_ERR(EFAULT, list(fd, SYSGENID_LIST_ALL, &arg, nowhere, 1));
	arg = (struct sysgenid_list_args){
		.size = sizeof(arg),
		.entries = (uintptr_t)&entry,
		.count = 1,
		.entry_size = sizeof(entry) - 1,
	};
	EXPECT_ERR(EINVAL, ioctl(fd, SYSGENID_LIST_WATCHERS, &arg));
}

static unsigned long long start_time(pid_t pid)
{
	unsigned long long ticks = 0;
	char text[1024], path[64], *field;
	int fd, i;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	field = strrchr(text, ')');
	for (i = 0; field && i < 20; i++)
		field = strchr(field + 1, ' ');
	if (field)
		ticks = strtoull(field, NULL, 10);
	return ticks * (1000000000U / (unsigned int)sysconf(_SC_CLK_TCK));
}

static void list_names_the_laggard(void)
{
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };
	int fd = open_rw(), late, ready[2], go[2];
	uint32_t before = current_generation();
	struct stat cgroup;
	char byte;
	pid_t child;

	EXPECT_EQ(0, pipe(ready));
	EXPECT_EQ(0, pipe(go));
	child = fork();
	if (!child) {
		late = open_rw();
		prctl(PR_SET_NAME, "laggard");
		track(late);
		EXPECT_EQ(1, write(ready[1], "", 1));
		EXPECT_EQ(1, read(go[0], &byte, 1));
		prctl(PR_SET_NAME, "renamed");
		EXPECT_EQ(1, write(ready[1], "", 1));
		pause();
	}
	EXPECT_EQ(1, read(ready[0], &byte, 1));

	/* Nobody is outdated yet. */
	EXPECT_EQ(0, list(fd, 0, &arg, entries, 4));
	EXPECT_EQ(0, arg.count);
	EXPECT_EQ(0, arg.cursor);
	EXPECT_EQ(0, list(fd, SYSGENID_LIST_ALL, &arg, entries, 4));
	EXPECT_EQ(1, arg.count);
	EXPECT_EQ(0, entries[0].flags);

	trigger();
	memset(entries, 0xff, sizeof(entries));
	EXPECT_EQ(0, list(fd, 0, &arg, entries, 4));
	EXPECT_EQ(1, arg.count);
	EXPECT_EQ(1, arg.outdated);
	EXPECT_EQ(before + 1, arg.generation);
	EXPECT_EQ(child, entries[0].pid);
	EXPECT_EQ(before, entries[0].confirmed);
	EXPECT_EQ(SYSGENID_WATCHER_OUTDATED, entries[0].flags);
	EXPECT(!strcmp(entries[0].comm, "laggard"));
	EXPECT_EQ(1, write(go[1], "", 1));
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(0, list(fd, 0, &arg, entries, 4));
	EXPECT(!strcmp(entries[0].comm, "renamed"));
	/* stat(5) counts in ticks of 10 ms. */
	EXPECT(entries[0].start_time - start_time(child) < 10000000);
	if (!stat("/sys/fs/cgroup/cgroup.procs", &cgroup) &&
	    !stat("/sys/fs/cgroup", &cgroup))
		EXPECT_EQ(cgroup.st_ino, entries[0].cgroup_id);

	/* Dead, but its open file lives on in somebody else: not to be taken for a live one. */
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	EXPECT_EQ(0, list(fd, 0, &arg, entries, 4));
	EXPECT_EQ(0, arg.count);
}

static void list_by_cursor(void)
{
	enum { WATCHERS = 700 };
	struct sysgenid_watcher entries[SYSGENID_LIST_MAX];
	struct sysgenid_list_args arg = { 0 };
	struct rlimit limit = { 4096, 4096 };
	int fd = open_rw(), i, seen = 0, calls = 0;

	setrlimit(RLIMIT_NOFILE, &limit);
	for (i = 0; i < WATCHERS; i++)
		track(open_rw());
	trigger();
	do {
		EXPECT_EQ(0, list(fd, 0, &arg, entries, SYSGENID_LIST_MAX));
		seen += (int)arg.count;
		calls++;
	} while (arg.cursor && calls < 10);
	EXPECT_EQ(WATCHERS, seen);
	EXPECT_EQ(3, calls);
	EXPECT_EQ(WATCHERS, arg.outdated);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* A list of a few is finished before a signal could be of use. */
static void short_list_is_not_interrupted(void)
{
	const struct itimerval often = { { 0, 200 }, { 0, 200 } };
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };
	int fd = open_rw(), i;

	track(fd);
	signal(SIGVTALRM, on_alarm);
	setitimer(ITIMER_VIRTUAL, &often, NULL);
	signal(SIGPROF, on_alarm);
	setitimer(ITIMER_PROF, &often, NULL);
	for (i = 0; i < 20000; i++) {
		arg.cursor = 0;
		EXPECT_EQ(0, list(fd, SYSGENID_LIST_ALL, &arg, entries, 4));
	}
}

/* The child's next call of ioctl(2), made with a signal pending. */
static long ioctl_with_a_signal(pid_t child)
{
	struct __ptrace_syscall_info info;
	bool entered = false;
	int status;

	for (;;) {
		EXPECT_EQ(0, ptrace(PTRACE_SYSCALL, child, NULL, NULL));
		EXPECT_EQ(child, waitpid(child, &status, 0));
		EXPECT(WIFSTOPPED(status));
		EXPECT(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info),
			      &info) > 0);
		if (info.op == PTRACE_SYSCALL_INFO_EXIT && entered)
			return (long)info.exit.rval;
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY &&
		    info.entry.nr == SYS_ioctl) {
			entered = true;
			kill(child, SIGUSR1);
		}
	}
}

static long list_all_of(int files)
{
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };
	int status, fd = -1;
	pid_t child;
	long got;

	child = fork();
	if (!child) {
		while (files--)
			fd = open_ro();
		signal(SIGUSR1, nothing);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		list(fd, SYSGENID_LIST_ALL, &arg, entries, 4);
		_exit(0);
	}
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, ptrace(PTRACE_SETOPTIONS, child, NULL,
			    PTRACE_O_TRACESYSGOOD));
	got = ioctl_with_a_signal(child);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return got;
}

/* The walk lets others run after 64 open files, and is not interrupted there if these are all. */
static void finished_list_is_not_interrupted(void)
{
	EXPECT_EQ(0, list_all_of(64));
	/* The control: the signal was pending. */
	EXPECT(list_all_of(65) < 0);
}

/* An ordinary user sees his own only, and how many there are in all. */
static void list_of_a_user(void)
{
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };
	int of_root = open_rw(), of_user = open_rw(), fd = open_ro();

	track(of_root);
	drop_to(65534);
	track(of_user);
	EXPECT_EQ(0, list(fd, SYSGENID_LIST_ALL, &arg, entries, 4));
	EXPECT_EQ(1, arg.count);
	EXPECT_EQ(getpid(), entries[0].pid);
}

static void list_in_a_pid_namespace(void)
{
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };
	int outside = open_rw();
	pid_t child;
	int status;

	track(outside);
	EXPECT_EQ(0, unshare(CLONE_NEWPID));
	child = fork();
	if (!child) {
		int inside = open_rw();

		track(inside);
		EXPECT_EQ(0, list(inside, SYSGENID_LIST_ALL, &arg, entries, 4));
		EXPECT_EQ(2, arg.count);
		EXPECT_EQ(0, entries[0].pid);
		EXPECT_EQ(1, entries[1].pid);
		_exit(0);
	}
	waitpid(child, &status, 0);
	EXPECT_EQ(0, status);
}

/* Gives up all capabilities but one. */
static void keep_capability(int capability)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };

	data[CAP_TO_INDEX(capability)].permitted = CAP_TO_MASK(capability);
	data[CAP_TO_INDEX(capability)].effective = CAP_TO_MASK(capability);
	EXPECT_EQ(0, syscall(SYS_capset, &header, data));
}

/* As in a container without a user namespace of its own: uid 0 in another pid namespace. */
static void run_in_pid_namespace(void (*run)(void))
{
	pid_t child;
	int status;

	EXPECT_EQ(0, unshare(CLONE_NEWPID));
	child = fork();
	if (!child) {
		EXPECT_EQ(1, getpid());
		run();
		_exit(0);
	}
	waitpid(child, &status, 0);
	/* The child has said why. */
	if (status)
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void only_itself_is_listed(void)
{
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };
	int inside = open_rw();

	EXPECT_EQ(0, list(inside, 0, &arg, entries, 4));
	EXPECT_EQ(0, arg.count);
	/* How many there are is told to everybody. */
	EXPECT_EQ(1, arg.outdated);
	track(inside);
	EXPECT_EQ(0, list(inside, SYSGENID_LIST_ALL, &arg, entries, 4));
	EXPECT_EQ(1, arg.count);
	EXPECT_EQ(1, entries[0].pid);
}

/* A capability that containers are given, and that has nothing to do with this. */
static void list_with_any_capability(void)
{
	keep_capability(CAP_CHOWN);
	only_itself_is_listed();
}

static void list_with_right_to_trace(void)
{
	keep_capability(CAP_SYS_PTRACE);
	only_itself_is_listed();
}

static void container_does_not_list_others_of_its_uid(void)
{
	track(open_rw());
	trigger();
	run_in_pid_namespace(list_with_any_capability);
}

static void container_that_may_trace_does_not_list_others(void)
{
	track(open_rw());
	trigger();
	run_in_pid_namespace(list_with_right_to_trace);
}

/* A process of another user that tracks @fd. */
static pid_t tracked_by_another_user(int fd)
{
	int ready[2];
	pid_t child;
	char byte;

	EXPECT_EQ(0, pipe(ready));
	child = fork();
	if (!child) {
		EXPECT_EQ(0, setresuid(65534, 65534, 65534));
		track(fd);
		EXPECT_EQ(1, write(ready[1], "", 1));
		pause();
	}
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	return child;
}

static void other_users_are_listed(void)
{
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };
	int fd = open_rw();
	pid_t child = tracked_by_another_user(fd);

	keep_capability(CAP_SYS_PTRACE);
	EXPECT_EQ(0, list(fd, SYSGENID_LIST_ALL, &arg, entries, 4));
	EXPECT_EQ(1, arg.count);
	EXPECT_EQ(child, entries[0].pid);
}

static void container_that_may_trace_lists_its_other_users(void)
{
	track(open_rw());
	run_in_pid_namespace(other_users_are_listed);
}

/* Its open file lives on, and somebody has to be told whom the wait is for. */
static void dead_watcher_is_listed(void)
{
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };
	int fd = open_rw(), status;
	pid_t child = fork();

	if (!child) {
		track(fd);
		_exit(0);
	}
	waitpid(child, &status, 0);
	keep_capability(CAP_CHOWN);
	EXPECT_EQ(0, list(fd, SYSGENID_LIST_ALL, &arg, entries, 4));
	EXPECT_EQ(1, arg.count);
	EXPECT_EQ(0, entries[0].pid);
}

/* An inner pid namespace is visible from the outer one, as in /proc. */
static void who_made_a_container_lists_it(void)
{
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };
	int outside = open_rw(), ready[2];
	char byte;
	pid_t child;

	EXPECT_EQ(0, pipe(ready));
	EXPECT_EQ(0, unshare(CLONE_NEWPID));
	child = fork();
	if (!child) {
		track(open_rw());
		EXPECT_EQ(1, write(ready[1], "", 1));
		pause();
	}
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	keep_capability(CAP_CHOWN);
	EXPECT_EQ(0, list(outside, SYSGENID_LIST_ALL, &arg, entries, 4));
	EXPECT_EQ(1, arg.count);
	EXPECT_EQ(child, entries[0].pid);
}

static int container_fd;

static void list_inside(void)
{
	struct sysgenid_watcher entries[4];
	struct sysgenid_list_args arg = { 0 };

	EXPECT_EQ(0, setresuid(0, 0, 0));
	EXPECT_EQ(0, ioctl(container_fd, SYSGENID_SET_WATCHER_TRACKING, 1));
	EXPECT_EQ(0, list(container_fd, SYSGENID_LIST_ALL, &arg, entries, 4));
	EXPECT_EQ(1, arg.count);
	EXPECT_EQ(getpid(), entries[0].pid);
}

/* Root of a container that root has made does not see the host's. */
static void list_in_a_container(void)
{
	int outside = open_rw();

	track(outside);
	container_fd = open_rw();
	run_in_user_namespace(0, "0 200000 100\n", list_inside);
}

static int shared_fd;

static void *declare_later(void *unused)
{
	(void)unused;
	sleep_ms(100);
	declare(shared_fd, 0, SYSGENID_DECLARE_UNKNOWN);
	return NULL;
}

/* Who waits with an open file learns at once that it is itself outdated now. */
static void declare_ends_a_wait(void)
{
	int watcher = open_rw();
	double start = seconds();
	pthread_t thread;

	track(watcher);
	trigger();
	shared_fd = open_rw();
	pthread_create(&thread, NULL, declare_later, NULL);
	EXPECT_ERR(EINTR, ioctl(shared_fd, SYSGENID_WAIT_WATCHERS, 5000));
	EXPECT(seconds() - start < 2);
	pthread_join(thread, NULL);
}

static int trigger_expecting(int fd, uint32_t expected, const void *entropy,
			     uint32_t len, struct sysgenid_trigger_args *arg)
{
	*arg = (struct sysgenid_trigger_args){
		.size = sizeof(*arg),
		.expected = expected,
		.entropy = (uintptr_t)entropy,
		.entropy_len = len,
	};
	return ioctl(fd, SYSGENID_TRIGGER, arg);
}

static void trigger_with_entropy(void)
{
	uint32_t before = current_generation();
	unsigned char entropy[SYSGENID_ENTROPY_MAX + 1] = { 1, 2, 3 };
	struct sysgenid_trigger_args arg;
	struct sysgenid_get_args answer;
	int fd = open_rw(), other = open_rw();

	track(fd);
	EXPECT_EQ(0, trigger_expecting(fd, before, entropy,
				       SYSGENID_ENTROPY_MAX, &arg));
	EXPECT_EQ(before + 1, arg.generation);
	EXPECT_EQ(1, arg.published);
	/* Confirmed for the caller, not for others. */
	EXPECT(!readable(fd));
	EXPECT(readable(other));
	EXPECT_EQ(0, get(fd, &answer));
	EXPECT_EQ(0, answer.outdated);

	/* Somebody was faster. */
	EXPECT_EQ(0, trigger_expecting(other, before, entropy, 1, &arg));
	EXPECT_EQ(before + 1, arg.generation);
	EXPECT_EQ(0, arg.published);
	EXPECT(readable(other));

	EXPECT_ERR(EINVAL, trigger_expecting(fd, before + 1, entropy,
					     SYSGENID_ENTROPY_MAX + 1, &arg));
	EXPECT_ERR(EFAULT,
		   trigger_expecting(fd, before + 1, nowhere, 16, &arg));
	arg = (struct sysgenid_trigger_args){ .size = sizeof(arg), .flags = 1 };
	EXPECT_ERR(EINVAL, ioctl(fd, SYSGENID_TRIGGER, &arg));
	EXPECT_EQ(before + 1, current_generation());
}

static int trigger_least(int fd, uint32_t least, uint32_t *generation)
{
	struct sysgenid_trigger_args arg = {
		.size = sizeof(arg),
		.expected = current_generation(),
		.least = least,
	};
	int r = ioctl(fd, SYSGENID_TRIGGER, &arg);

	*generation = arg.generation;
	return r;
}

/* What was restored from an image does not meet the number that it has seen. */
static void trigger_with_a_least_generation(void)
{
	uint32_t before = current_generation(), got;
	struct sysgenid_trigger_args arg;
	int fd = open_rw();

	EXPECT_EQ(0, trigger_least(fd, before + 10, &got));
	EXPECT_EQ(before + 10, got);
	EXPECT_EQ(before + 10, current_generation());
	EXPECT(!readable(fd));
	/* Below the next one, and the next one itself. */
	EXPECT_EQ(0, trigger_least(fd, before, &got));
	EXPECT_EQ(before + 11, got);
	EXPECT_EQ(0, trigger_least(fd, before + 12, &got));
	EXPECT_EQ(before + 12, got);

	/* Somebody was faster. */
	arg = (struct sysgenid_trigger_args){ .size = sizeof(arg),
					      .expected = before,
					      .least = before + 20 };
	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER, &arg));
	EXPECT_EQ(0, arg.published);
	EXPECT_EQ(before + 12, arg.generation);

	/* No jump without end. */
	EXPECT_ERR(ERANGE, ioctl(fd, SYSGENID_TRIGGER,
				 &((struct sysgenid_trigger_args){
					 .size = sizeof(arg),
					 .expected = before + 12,
					 .least = UINT32_MAX })));
	EXPECT_EQ(-1, trigger_least(fd, before + 12 + (1U << 31), &got));
	EXPECT_EQ(before + 12, got);
	EXPECT_EQ(before + 12, current_generation());
	EXPECT_EQ(0, trigger_least(fd, before + 11 + (1U << 31), &got));
	EXPECT_EQ(before + 11 + (1U << 31), current_generation());

	/* Around the end: not to a small number soon. */
	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE, 0xfffffffdUL));
	EXPECT_EQ(0, trigger_least(fd, 7, &got));
	EXPECT_EQ(7, got);

	/* Programs from before the member. */
	arg = (struct sysgenid_trigger_args){ .size = 32,
					      .expected = got,
					      .least = got + 7 };
	EXPECT_EQ(0, ioctl(fd, SYSGENID_TRIGGER, &arg));
	EXPECT_EQ(got + 1, current_generation());
	arg = (struct sysgenid_trigger_args){ .size = sizeof(arg),
					      .reserved = 1 };
	EXPECT_ERR(EINVAL, ioctl(fd, SYSGENID_TRIGGER, &arg));
}

static void trigger_of_a_user(void)
{
	uint32_t before = current_generation();
	struct sysgenid_trigger_args arg;
	int fd = open_rw();

	drop_to(65534);
	EXPECT_ERR(EACCES, trigger_expecting(fd, before, NULL, 0, &arg));
	EXPECT_EQ(before, current_generation());
}

static void trigger_range(void)
{
	int fd = open_ro();

	if (sizeof(long) == 4)
		skip("a long has 32 bits");
	EXPECT_ERR(EINVAL, ioctl(fd, SYSGENID_TRIGGER_GEN_UPDATE,
				 (unsigned long)(1ULL << 32)));
}

static void counter_page_layout(void)
{
	const volatile struct sysgenid_page *page =
		(const volatile void *)map_counter();
	struct sysgenid_get_args answer;
	int fd = open_ro();

	EXPECT_EQ(80, sizeof(*page));
	EXPECT_EQ(36, offsetof(struct sysgenid_page, flags));
	EXPECT_EQ(48, offsetof(struct sysgenid_page, no_id));
	EXPECT_EQ(64, offsetof(struct sysgenid_page, instance_id));
	trigger();
	EXPECT_EQ(0, get(fd, &answer));
	EXPECT_EQ(answer.generation, page->generation);
	EXPECT_EQ(SYSGENID_PAGE_MAGIC, page->magic);
	EXPECT_EQ(sizeof(*page), page->size);
	EXPECT_EQ(0, page->seq & 1);
	EXPECT_EQ(answer.features, page->features);
	EXPECT_EQ(answer.source, page->source);
	EXPECT(answer.time == page->time);
	EXPECT(!page->no_id[0] && !page->no_id[1]);
}

static void hw_node(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	struct sysgenid_get_args answer;
	const struct sysgenid_record *record;
	const unsigned char *hw;
	struct stat st;
	int fd;

	EXPECT_EQ(0, stat(SYSGENID_HW_DEVICE, &st));
	EXPECT_EQ(0440, st.st_mode & 0777);
	EXPECT_EQ(0, get(open_ro(), &answer));
	fd = open(SYSGENID_HW_DEVICE, O_RDONLY);
	if (!(answer.features & SYSGENID_FEATURE_EXACT)) {
		EXPECT(fd < 0 && (errno == ENODEV || errno == EBUSY ||
				  errno == EOPNOTSUPP));
		return;
	}
	EXPECT(fd >= 0);
	EXPECT_ERR(EINVAL, mmap(NULL, 2 * size, PROT_READ, MAP_SHARED, fd, 0));
	EXPECT_ERR(EINVAL, mmap(NULL, size, PROT_READ, MAP_SHARED, fd,
				2 * (off_t)size));
	EXPECT_ERR(EINVAL, mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0));
	EXPECT_ERR(EACCES,
		   mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	EXPECT_ERR(EPERM,
		   mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
	EXPECT_ERR(EPERM, mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			       open(SYSGENID_HW_DEVICE, O_RDWR), 0));
	hw = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT(hw != MAP_FAILED);
	record = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)size);
	EXPECT(record != MAP_FAILED);
	EXPECT_EQ(sizeof(*record), record->size);
	EXPECT(!memcmp(hw + record->hw_offset, record->id, sizeof(record->id)));
	EXPECT_ERR(EACCES, mprotect((void *)hw, size, PROT_WRITE));
	EXPECT_ERR(EACCES, mprotect((void *)record, size, PROT_EXEC));
	/* A page that is dropped comes back. */
	EXPECT_EQ(0, madvise((void *)record, size, MADV_DONTNEED));
	EXPECT(!memcmp(hw + record->hw_offset, record->id, sizeof(record->id)));
	drop_to(65534);
	EXPECT_ERR(EACCES, open(SYSGENID_HW_DEVICE, O_RDONLY));
}

/* Works with the module that tests/mutants/fail-allocations.patch makes. */
static void no_memory(void)
{
	struct sysgenid_watcher entry;
	struct sysgenid_list_args arg = { 0 };
	struct sysgenid_trigger_args trigger_arg;
	int fd = open_rw(), user = open_rw();
	int parameter = open("/sys/module/sysgenid/parameters/fail_allocations",
			     O_WRONLY);
	uint32_t before = current_generation();

	if (parameter < 0)
		skip("the module cannot be made to fail");
	EXPECT_EQ(1, write(parameter, "1", 1));
	EXPECT_ERR(ENOMEM, open(SYSGENID_DEVICE, O_RDONLY));
	EXPECT_ERR(ENOMEM, open(SYSGENID_HW_DEVICE, O_RDONLY));
	EXPECT_ERR(ENOMEM, list(fd, 0, &arg, &entry, 1));
	EXPECT_ERR(ENOMEM,
		   trigger_expecting(fd, before, "entropy", 7, &trigger_arg));
	drop_to(65534);
	EXPECT_ERR(ENOMEM, ioctl(user, SYSGENID_SET_WATCHER_TRACKING, 1));
	EXPECT_EQ(1, write(parameter, "0", 1));
	EXPECT_EQ(before, current_generation());
	EXPECT_EQ(0, ioctl(user, SYSGENID_SET_WATCHER_TRACKING, 1));
}

const struct test addition_tests[] = {
	{ "additions: get", get_tells_all, true },
	{ "additions: get, a pending reseed", get_tells_of_a_pending_reseed,
	  true },
	{ "additions: sizes of structs", struct_sizes, true },
	{ "additions: a longer struct is served", a_longer_struct_is_served,
	  true },
	{ "additions: read-only memory", read_only_memory_is_efault, true },
	{ "additions: confirm without write access",
	  confirm_without_write_access, true },
	{ "additions: track without write access", track_without_write_access,
	  true },
	{ "additions: declare", declare_generation, true },
	{ "additions: declare unknown", declare_unknown, true },
	{ "additions: declare comes first", declare_comes_first, true },
	{ "additions: wait for a generation", wait_generation_results, true },
	{ "additions: wait for a generation is interrupted",
	  wait_generation_is_interrupted, true },
	{ "additions: stopped process waits on", stopped_process_waits_on,
	  true },
	{ "additions: frozen process waits on", frozen_process_waits_on, true },
	{ "additions: wait for a generation ends with a new one",
	  wait_generation_ends_with_a_new_one, true },
	{ "additions: arguments of list", list_arguments, true },
	{ "additions: list names the laggard", list_names_the_laggard, true },
	{ "additions: list by cursor", list_by_cursor, true },
	{ "additions: declare wakes no other waiter",
	  declare_wakes_no_other_waiter, true },
	{ "additions: declare wakes no other sleeper",
	  declare_wakes_no_other_sleeper, true },
	{ "additions: declare wakes who sleeps by it",
	  declare_wakes_who_sleeps_by_it, true },
	{ "additions: short list is not interrupted",
	  short_list_is_not_interrupted, true },
	{ "additions: finished list is not interrupted",
	  finished_list_is_not_interrupted, true },
	{ "additions: list of a user", list_of_a_user, true },
	{ "additions: list in a pid namespace", list_in_a_pid_namespace, true },
	{ "additions: list in a container", list_in_a_container, true },
	{ "additions: container does not list others of its uid",
	  container_does_not_list_others_of_its_uid, true },
	{ "additions: container that may trace does not list others",
	  container_that_may_trace_does_not_list_others, true },
	{ "additions: container that may trace lists its other users",
	  container_that_may_trace_lists_its_other_users, true },
	{ "additions: dead watcher is listed", dead_watcher_is_listed, true },
	{ "additions: who made a container lists it",
	  who_made_a_container_lists_it, true },
	{ "additions: declare ends a wait", declare_ends_a_wait, true },
	{ "additions: trigger with entropy", trigger_with_entropy, true },
	{ "additions: trigger with a least generation",
	  trigger_with_a_least_generation, true },
	{ "additions: trigger of a user", trigger_of_a_user, true },
	{ "additions: range of the old trigger", trigger_range, true },
	{ "additions: counter page", counter_page_layout, true },
	{ "additions: instance id", instance_id, true },
	{ "additions: attribute is polled", attribute_is_polled, true },
	{ "additions: uevents", uevents, true },
	{ "additions: hardware node", hw_node, true },
	{ "additions: no memory", no_memory, true },
	{ "gate: states", gate_states, true },
	{ "gate: generations", gate_and_generations, true },
	{ "gate: arguments", gate_arguments, true },
	{ "gate: permissions", gate_permissions, true },
	{ NULL, NULL, false },
};
