// SPDX-License-Identifier: MIT
/* Which pages of which processes are zeroed. The processes are real, and stopped; their cgroup is played. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sysgenid.h>

#include "cgroup.h"
#include "wiping.h"

#define MARK   0x5a5a5a5a5a5a5a5aull
#define CGROUP "/unit"

/* What a child has mapped, at the same places as here. */
static struct pages {
	uint64_t *marked, *two, *undumped, *plain, *shared, *ours, *readable;
} pages;

static bool thawed;
static pid_t child;
static char left[1024];

int cgroup_of(pid_t pid, char *path, size_t size)
{
	(void)pid;
	snprintf(path, size, CGROUP_ROOT CGROUP);
	return 0;
}

int cgroup_is_frozen(const char *path)
{
	ck_assert_str_eq(path, CGROUP_ROOT CGROUP);
	return !thawed;
}

/* With nothing beside it that it could be merged with. */
static uint64_t *map(size_t count, int flags)
{
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	char *around = mmap(NULL, (count + 2) * size, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *p = mmap(around + size, count * size, PROT_READ | PROT_WRITE,
		       MAP_FIXED | MAP_ANONYMOUS | flags, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static uint64_t *map_marked(size_t count)
{
	uint64_t *p = map(count, MAP_PRIVATE);

	ck_assert_int_eq(madvise(p, count * (size_t)sysconf(_SC_PAGESIZE),
				 MADV_WIPEONFORK),
			 0);
	return p;
}

static void map_all(void)
{
	pages.marked = map_marked(1);
	pages.two = map_marked(2);
	pages.undumped = map_marked(1);
	ck_assert_int_eq(madvise(pages.undumped, (size_t)sysconf(_SC_PAGESIZE),
				 MADV_DONTDUMP),
			 0);
	pages.plain = map(1, MAP_PRIVATE);
	pages.shared = map(1, MAP_SHARED);
	pages.ours = map_marked(1);
	pages.readable = map_marked(1);
}

/* In the child, whose pages are zero where they are marked. */
static void fill(void)
{
	*pages.marked = *pages.two = *pages.undumped = *pages.plain =
		*pages.shared = *pages.readable = MARK;
	*pages.ours = SYSGENID_FORK_MAGIC;
	mprotect(pages.readable, (size_t)sysconf(_SC_PAGESIZE), PROT_READ);
}

static atomic_bool stays = true, spins;

static void *spin(void *arg)
{
	spins = true;
	while (stays)
		;
	return arg;
}

static void wait_in_a_call(void)
{
	for (;;)
		pause();
}

static void compute(void)
{
	spin(NULL);
}

static void compute_in_a_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, spin, NULL);
	/* Until it runs, it is inside clone(2). */
	while (!spins)
		sched_yield();
	wait_in_a_call();
}

static bool waits(void (*work)(void))
{
	return work == wait_in_a_call || work == compute_in_a_thread;
}

/* Longer than it takes to be stopped. */
#define MUCH (64u << 20)

static void draw(void)
{
	void *bytes = malloc(MUCH);

	for (;;)
		syscall(SYS_getrandom, bytes, MUCH, 0);
}

static void draw_from_the_device(void)
{
	const int fd = open("/dev/urandom", O_RDONLY);
	void *bytes = malloc(MUCH);

	while (read(fd, bytes, MUCH) > 0)
		;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static char state_of(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%*d %*s %c", &state) != 1)
		state = 0;
	if (f)
		fclose(f);
	return state;
}

static void stop(void)
{
	int status;

	kill(child, SIGSTOP);
	ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
	ck_assert(WIFSTOPPED(status));
}

/* Of a process that is stopped; -1: in none. */
static long call_of(pid_t pid)
{
	char path[64];
	long number = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%ld", &number) != 1)
		number = -1;
	if (f)
		fclose(f);
	return number;
}

/* A busy machine stops it on its way there. */
static void stop_in(long call)
{
	stop();
	while (call_of(child) != call) {
		kill(child, SIGCONT);
		usleep(2000);
		stop();
	}
}

static void run_child(void (*work)(void), bool fills)
{
	char text[32];
	int ready[2];

	ck_assert_int_eq(pipe(ready), 0);
	map_all();
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fills)
			fill();
		else
			munmap(pages.ours, (size_t)sysconf(_SC_PAGESIZE)),
				munmap(pages.marked,
				       (size_t)sysconf(_SC_PAGESIZE)),
				munmap(pages.readable,
				       (size_t)sysconf(_SC_PAGESIZE));
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		work();
		_exit(1);
	}
	ck_assert_int_eq(read(ready[0], text, 1), 1);
	close(ready[0]);
	close(ready[1]);
	while (waits(work) && state_of(child) != 'S')
		usleep(1000);
	if (work == draw)
		stop_in(SYS_getrandom);
	else if (work == draw_from_the_device)
		stop_in(SYS_read);
	else if (work == compute)
		stop_in(-1);
	else
		stop();
	snprintf(text, sizeof(text), "%d\n", child);
	write_file(CGROUP_ROOT CGROUP "/below/cgroup.procs", text);
}

static uint64_t peek(const uint64_t *page)
{
	uint64_t value = 0;
	const struct iovec here = { &value, sizeof(value) };
	const struct iovec there = { (void *)(uintptr_t)page, sizeof(value) };

	ck_assert_int_eq(process_vm_readv(child, &here, 1, &there, 1, 0),
			 sizeof(value));
	return value;
}

static int list(void)
{
	static char unit[] = CGROUP;
	char *const cgroups[] = { unit, NULL };

	return wiping_list(cgroups, left, sizeof(left));
}

static void setup(void)
{
	ck_assert_int_eq(system("rm -rf '" CGROUP_ROOT
				"'; mkdir -p '" CGROUP_ROOT CGROUP "/below'"),
			 0);
	write_file(CGROUP_ROOT CGROUP "/cgroup.procs", "");
	thawed = false;
	child = 0;
	left[0] = 0;
}

static void teardown(void)
{
	if (child > 0)
		kill(child, SIGKILL);
	wiping_forget();
}

START_TEST(page_that_a_fork_would_wipe_is_zeroed_and_no_other)
{
	run_child(wait_in_a_call, true);
	ck_assert_int_eq(list(), 1);
	ck_assert_uint_eq(peek(pages.marked), MARK);
	ck_assert_uint_eq(wiping_run(left, sizeof(left)), 1);
	ck_assert_str_eq(left, "");
	ck_assert_uint_eq(peek(pages.marked), 0);
	ck_assert_uint_eq(peek(pages.two), MARK);
	ck_assert_uint_eq(peek(pages.undumped), MARK);
	ck_assert_uint_eq(peek(pages.plain), MARK);
	ck_assert_uint_eq(peek(pages.shared), MARK);
	ck_assert_uint_eq(peek(pages.readable), MARK);
	ck_assert_uint_eq(peek(pages.ours), SYSGENID_FORK_MAGIC);
	/* Once: by the second time it may hold something. */
	ck_assert_uint_eq(wiping_run(left, sizeof(left)), 0);
	ck_assert_str_eq(left, "");
}
END_TEST

START_TEST(process_that_may_be_drawing_is_left_alone_and_reported)
{
	static const struct {
		void (*work)(void);
		const char *why;
	} cases[] = {
		{ compute, "a thread is not inside a system call" },
		{ compute_in_a_thread, "a thread is not inside a system call" },
		{ draw, "a thread is drawing random bytes" },
		{ draw_from_the_device, "a thread is drawing random bytes" },
	};

	run_child(cases[_i].work, true);
	ck_assert_int_eq(list(), 1);
	ck_assert_uint_eq(wiping_run(left, sizeof(left)), 0);
	ck_assert_msg(strstr(left, cases[_i].why), "%s", left);
	ck_assert_msg(strstr(left, "test-wiping ("), "%s", left);
	ck_assert_uint_eq(peek(pages.marked), MARK);
	/* Each later try says so, too. */
	ck_assert_uint_eq(wiping_run(left, sizeof(left)), 0);
	ck_assert_msg(strstr(left, cases[_i].why), "%s", left);
}
END_TEST

START_TEST(process_that_ran_since_is_left_alone)
{
	run_child(wait_in_a_call, true);
	ck_assert_int_eq(list(), 1);
	if (_i) {
		kill(child, SIGCONT);
		while (state_of(child) == 'T')
			usleep(1000);
		stop();
	} else {
		thawed = true;
	}
	ck_assert_uint_eq(wiping_run(left, sizeof(left)), 0);
	ck_assert_msg(strstr(left, _i ? "has run since it was frozen" :
					"is not frozen"),
		      "%s", left);
	ck_assert_uint_eq(peek(pages.marked), MARK);
}
END_TEST

START_TEST(unit_without_such_a_page_is_reported)
{
	run_child(wait_in_a_call, false);
	ck_assert_int_eq(list(), 1);
	ck_assert_uint_eq(wiping_run(left, sizeof(left)), 0);
	ck_assert_msg(strstr(left, CGROUP " : no page is marked") ||
			      strstr(left, CGROUP ": no page is marked"),
		      "%s", left);
}
END_TEST

START_TEST(what_was_not_quiesced_is_reported)
{
	ck_assert_uint_eq(wiping_run(left, sizeof(left)), 0);
	ck_assert_ptr_nonnull(strstr(left, "nothing was frozen"));
}
END_TEST

START_TEST(list_that_cannot_be_made_is_no_list)
{
	ck_assert_int_eq(system("rm -r '" CGROUP_ROOT CGROUP
				"/below'; mkdir '" CGROUP_ROOT CGROUP
				"/below'"),
			 0);
	ck_assert_int_eq(list(), -ENOENT);
	ck_assert_str_eq(left, CGROUP);
}
END_TEST

START_TEST(process_that_has_ended_is_nobody)
{
	run_child(wait_in_a_call, true);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	child = 0;
	ck_assert_int_eq(list(), 1);
	ck_assert_uint_eq(wiping_run(left, sizeof(left)), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wiping");
	TCase *tcase = tcase_create("pages");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (access("/proc/self/syscall", R_OK)) {
		fprintf(stderr, "NOT TESTED: no /proc/PID/syscall here\n");
		return 77;
	}
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase,
		       page_that_a_fork_would_wipe_is_zeroed_and_no_other);
	tcase_add_loop_test(
		tcase, process_that_may_be_drawing_is_left_alone_and_reported,
		0, 4);
	tcase_add_loop_test(tcase, process_that_ran_since_is_left_alone, 0, 2);
	tcase_add_test(tcase, unit_without_such_a_page_is_reported);
	tcase_add_test(tcase, what_was_not_quiesced_is_reported);
	tcase_add_test(tcase, list_that_cannot_be_made_is_no_list);
	tcase_add_test(tcase, process_that_has_ended_is_nobody);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
