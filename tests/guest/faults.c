// SPDX-License-Identifier: MIT
/*
 * faults calls | points FILE | load FILE POINT: on a kernel with fault injection.
 * With "calls" the program makes each call with its first allocation
 * or copy failing, then with its second, and so on to the last. A call that
 * fails does so with an errno that is documented, and has changed nothing. One that
 * does not fail has done all. With "load" the program does the same to loading and
 * unloading the module, from a point on. With "points" the program says how many
 * points there are until the module is refused.
 *
 * A line for each call: how many could fail, and what came of it. Then "passed",
 * or one line "wrong: ".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sysgenid/abi.h>

#include "errno-name.h"

#define DEBUGFS	   "/sys/kernel/debug/"
#define ATTRIBUTES "/sys/class/misc/sysgenid/"

enum { USER = 1000, ERRNOS = 4, POINTS = 100000, PASSES = 50 };

static int fail_nth, observer;
static const char *what;
static unsigned int point;

__attribute__((noreturn, format(printf, 1, 2))) static void
wrong(const char *format, ...)
{
	va_list args;

	printf("wrong: %s, failing number %u: ", what, point);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	puts("");
	exit(1);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		wrong("%s: %s", path, strerror(errno));
	close(fd);
}

/* From now on the allocations and copies of this thread count. */
static void arm(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_nth, text, (size_t)length, 0) != length)
		wrong("fail-nth: %s", strerror(errno));
}

/* Return: how many could go on before one fails; 0: one has. To ask is to copy, too, and the next in turn. */
static unsigned int disarm(void)
{
	char text[16] = "";
	unsigned int left = 1;

	if (pread(fail_nth, text, sizeof(text) - 1, 0) > 0)
		left = (unsigned int)strtoul(text, NULL, 10);
	while (left && pwrite(fail_nth, "0", 1, 0) != 1)
		;
	return left;
}

static void set_up(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc",
					     "fail_usercopy" };
	char path[80];
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/verbose", kinds[i]);
		write_file(path, "0");
	}
	/* What may sleep can fail as well. */
	write_file(DEBUGFS "failslab/ignore-gfp-wait", "N");
	write_file(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
	write_file(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
	write_file(DEBUGFS "fail_page_alloc/min-order", "0");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		wrong("fail-nth: %s", strerror(errno));
}

/* What came of a call, for all points of failure. */
struct tally {
	unsigned int ignored, failed[ERRNOS];
};

static void count(struct tally *t, const int *errnos, long result)
{
	int i;

	if (result >= 0) {
		t->ignored++;
		return;
	}
	for (i = 0; i < ERRNOS && errnos[i]; i++) {
		if (errnos[i] == -result) {
			t->failed[i]++;
			return;
		}
	}
	wrong("%s", errno_name((int)-result));
}

/* Have all the errnos come that are expected? */
static bool complete(const struct tally *t, const int *errnos)
{
	int i;

	for (i = 0; i < ERRNOS && errnos[i]; i++)
		if (!t->failed[i])
			return false;
	return true;
}

/* Each errno that was expected must have come, or nothing was tested. */
static void report(const struct tally *t, const int *errnos)
{
	int i;

	printf("%s: up to point %u", what, point - 1);
	if (t->ignored)
		printf(", %u ignored", t->ignored);
	for (i = 0; i < ERRNOS && errnos[i]; i++) {
		printf(", %s %u", errno_name(errnos[i]), t->failed[i]);
		if (!t->failed[i])
			wrong("never %s", errno_name(errnos[i]));
	}
	puts("");
	fflush(stdout);
}

/* --- calls --- */

static int file, set; /* what the call is made with; made anew for each */
static void *mapping;

static struct sysgenid_get_args state(void)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };

	if (ioctl(observer, SYSGENID_GET, &get))
		wrong("get: %s", strerror(errno));
	return get;
}

static uint32_t attribute(const char *name)
{
	char path[80], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), ATTRIBUTES "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 1)
		wrong("%s: %s", path, strerror(errno));
	close(fd);
	return (uint32_t)strtoul(text, NULL, 10);
}

static long result_of(long ret)
{
	return ret < 0 ? -errno : ret;
}

static void with_file(void)
{
	file = open(SYSGENID_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (file < 0)
		wrong("open: %s", strerror(errno));
}

static void with_tracked(void)
{
	with_file();
	if (ioctl(file, SYSGENID_SET_WATCHER_TRACKING, 1))
		wrong("track: %s", strerror(errno));
}

static void with_outdated(void)
{
	with_tracked();
	if (ioctl(observer, SYSGENID_TRIGGER_GEN_UPDATE, 0))
		wrong("trigger: %s", strerror(errno));
}

static void with_user(void)
{
	with_file();
	if (seteuid(USER))
		wrong("seteuid: %s", strerror(errno));
}

static void with_set(void)
{
	with_outdated();
	set = epoll_create1(EPOLL_CLOEXEC);
}

static void with_mapping(const char *node, off_t offset)
{
	file = open(node, O_RDONLY | O_CLOEXEC);
	mapping = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, offset);
	if (mapping == MAP_FAILED)
		wrong("%s: %s", node, strerror(errno));
}

static void with_page(void)
{
	with_mapping(SYSGENID_DEVICE, 0);
}

static void with_hw(void)
{
	file = open(SYSGENID_HW_DEVICE, O_RDONLY | O_CLOEXEC);
}

static void with_hw_page(void)
{
	with_mapping(SYSGENID_HW_DEVICE, 0);
}

static void with_record(void)
{
	with_mapping(SYSGENID_HW_DEVICE, 4096);
}

static long call_open(void)
{
	return result_of(file = open(SYSGENID_DEVICE, O_RDWR | O_CLOEXEC));
}

static long call_hw_open(void)
{
	return result_of(file = open(SYSGENID_HW_DEVICE, O_RDONLY | O_CLOEXEC));
}

/* Succeeds always: no one looks at what it returns. */
static long call_close(void)
{
	int fd = file;

	file = -1;
	return result_of(close(fd));
}

static long call_track(void)
{
	return result_of(ioctl(file, SYSGENID_SET_WATCHER_TRACKING, 1));
}

static long call_untrack(void)
{
	return result_of(ioctl(file, SYSGENID_SET_WATCHER_TRACKING, 0));
}

static long call_get(void)
{
	struct sysgenid_get_args get = { .size = sizeof(get) };

	return result_of(ioctl(file, SYSGENID_GET, &get));
}

static long call_declare(void)
{
	struct sysgenid_declare_args declare = {
		.size = sizeof(declare), .flags = SYSGENID_DECLARE_UNKNOWN
	};

	return result_of(ioctl(file, SYSGENID_DECLARE, &declare));
}

static uint32_t generation; /* the current one */

static long call_confirm(void)
{
	struct sysgenid_confirm_args confirm = { .size = sizeof(confirm),
						 .generation = generation };

	return result_of(ioctl(file, SYSGENID_CONFIRM, &confirm));
}

static long call_write(void)
{
	return result_of(write(file, &generation, sizeof(generation)));
}

static long call_read(void)
{
	uint32_t answer = generation - 1;
	long ret = result_of(read(file, &answer, sizeof(answer)));

	if (ret >= 0 && answer != generation)
		wrong("read gives %u", answer);
	return ret;
}

static long call_poll(void)
{
	struct pollfd p = { .fd = file, .events = POLLIN };
	long ret = result_of(poll(&p, 1, 0));

	if (!ret)
		wrong("it is outdated, and poll does not say so");
	return ret;
}

static long call_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN }, got;
	long ret = result_of(epoll_ctl(set, EPOLL_CTL_ADD, file, &event));

	if (!ret && epoll_wait(set, &got, 1, 0) != 1)
		wrong("it is outdated, and epoll does not say so");
	return ret;
}

static long call_wait_generation(void)
{
	struct sysgenid_wait_args wait = { .size = sizeof(wait),
					   .generation = generation };

	return result_of(ioctl(file, SYSGENID_WAIT_GENERATION, &wait));
}

static long call_wait_watchers(void)
{
	return result_of(ioctl(file, SYSGENID_WAIT_WATCHERS, 1));
}

static long list_of(uint32_t count)
{
	static struct sysgenid_watcher entries[SYSGENID_LIST_MAX];
	struct sysgenid_list_args list = {
		.size = sizeof(list),
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(entries[0]),
		.count = count,
		.flags = SYSGENID_LIST_ALL,
	};
	long ret;

	memset(entries, 0, sizeof(entries));
	ret = result_of(ioctl(file, SYSGENID_LIST_WATCHERS, &list));
	if (!ret && (list.count != 1 || entries[0].pid != getpid()))
		wrong("lists %u watchers, the first of %d", list.count,
		      entries[0].pid);
	return ret;
}

static long call_list(void)
{
	return list_of(8);
}

/* Of some pages: where the first allocation fails another one serves. */
static long call_long_list(void)
{
	return list_of(SYSGENID_LIST_MAX);
}

static unsigned char entropy[SYSGENID_ENTROPY_MAX];

static long trigger(uint32_t length)
{
	struct sysgenid_trigger_args arg = {
		.size = sizeof(arg),
		.expected = generation,
		.entropy = (uintptr_t)entropy,
		.entropy_len = length,
	};
	long ret = result_of(ioctl(file, SYSGENID_TRIGGER, &arg));

	if (!ret && (!arg.published || arg.generation != generation + 1))
		wrong("answers with generation %u, published %u",
		      arg.generation, arg.published);
	return ret;
}

static long call_trigger(void)
{
	return trigger(sizeof(entropy));
}

static long call_trigger_without(void)
{
	return trigger(0);
}

static long call_trigger_min(void)
{
	return result_of(ioctl(file, SYSGENID_TRIGGER_GEN_UPDATE, 0));
}

static long map(off_t offset)
{
	mapping = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, offset);
	return mapping == MAP_FAILED ? -errno : 0;
}

static long call_map(void)
{
	return map(0);
}

static long call_map_record(void)
{
	return map(4096);
}

/* A fault without memory is one that comes again. */
static long call_touch(void)
{
	return *(volatile uint32_t *)mapping & 0;
}

static long call_touch_page(void)
{
	uint32_t found = *(volatile uint32_t *)mapping;

	return found == generation ? 0 : -EPROTO;
}

static long call_attributes(void)
{
	static const char *const names[] = {
		"generation", "source",	      "sources",       "watchers",
		"outdated",   "reseed_error", "hw_page_error", "guard",
	};
	char path[80], text[256];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		long ret;
		int fd;

		strcpy(stpcpy(path, ATTRIBUTES), names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		ret = result_of(read(fd, text, sizeof(text)));
		close(fd);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/*
 * @errnos: all that it may fail with, and must fail with at least once.
 * @generations, @watchers, @outdated: how many more there are when it succeeded.
 */
static const struct call {
	const char *name;
	void (*prepare)(void);
	long (*call)(void);
	int generations, watchers, outdated;
	int errnos[ERRNOS];
} calls[] = {
	{ "open", NULL, call_open, 0, 0, 0, { ENOMEM, EFAULT } },
	{ "close", with_outdated, call_close, 0, -1, -1, { 0 } },
	{ "track", with_file, call_track, 0, 1, 0, { 0 } },
	{ "track of a limited user", with_user, call_track, 0, 1, 0, { ENOMEM } },
	{ "untrack", with_outdated, call_untrack, 0, -1, -1, { 0 } },
	{ "get", with_file, call_get, 0, 0, 0, { EFAULT } },
	{ "declare", with_file, call_declare, 0, 0, 0, { EFAULT } },
	{ "confirm", with_outdated, call_confirm, 0, 0, -1, { EFAULT } },
	{ "write", with_outdated, call_write, 0, 0, -1, { 0 } },
	{ "read", with_outdated, call_read, 0, 0, 0, { 0 } },
	{ "poll", with_outdated, call_poll, 0, 0, 0, { EFAULT } },
	{ "epoll", with_set, call_epoll, 0, 0, 0, { ENOMEM, EFAULT } },
	{ "wait for a generation",
	  with_tracked,
	  call_wait_generation,
	  0,
	  0,
	  0,
	  { EFAULT } },
	{ "wait for watchers", with_tracked, call_wait_watchers, 0, 0, 0, { 0 } },
	{ "list", with_outdated, call_list, 0, 0, 0, { ENOMEM, EFAULT } },
	{ "long list", with_outdated, call_long_list, 0, 0, 0, { EFAULT } },
	{ "trigger", with_file, call_trigger, 1, 0, 0, { ENOMEM, EFAULT } },
	{ "trigger without entropy",
	  with_file,
	  call_trigger_without,
	  1,
	  0,
	  0,
	  { EFAULT } },
	{ "trigger of old", with_tracked, call_trigger_min, 1, 0, 1, { 0 } },
	{ "map", with_file, call_map, 0, 0, 0, { ENOMEM } },
	{ "touch", with_page, call_touch_page, 0, 0, 0, { 0 } },
	{ "hw open", NULL, call_hw_open, 0, 0, 0, { ENOMEM, EFAULT } },
	{ "hw map", with_hw, call_map, 0, 0, 0, { ENOMEM } },
	{ "hw touch", with_hw_page, call_touch, 0, 0, 0, { 0 } },
	{ "map of the record", with_hw, call_map_record, 0, 0, 0, { ENOMEM } },
	{ "touch of the record", with_record, call_touch, 0, 0, 0, { 0 } },
	{ "attributes", NULL, call_attributes, 0, 0, 0, { ENOMEM, EFAULT } },
};

static void check_state(const struct call *c,
			const struct sysgenid_get_args *before, long result)
{
	struct sysgenid_get_args after = state();
	bool done = result >= 0;

	/* The answer of a trigger that could be given at first, and no more in the end. */
	if (result == -EFAULT &&
	    (c->call == call_trigger || c->call == call_trigger_without) &&
	    after.generation == before->generation + 1)
		done = true;
	if (after.generation - before->generation !=
		    (uint32_t)(done ? c->generations : 0) ||
	    after.watchers - before->watchers !=
		    (uint32_t)(done ? c->watchers : 0) ||
	    after.outdated - before->outdated !=
		    (uint32_t)(done ? c->outdated : 0))
		wrong("result %ld; generation %u, %u watchers, %u outdated become %u, %u, %u",
		      result, before->generation, before->watchers,
		      before->outdated, after.generation, after.watchers,
		      after.outdated);
	if (attribute("generation") != after.generation ||
	    attribute("watchers") != after.watchers ||
	    attribute("outdated") != after.outdated)
		wrong("sysfs says something else");
}

static void let_go(void)
{
	if (seteuid(0))
		wrong("seteuid: %s", strerror(errno));
	if (mapping && mapping != MAP_FAILED)
		munmap(mapping, 4096);
	if (set > 0)
		close(set);
	if (file >= 0)
		close(file);
	mapping = NULL;
	set = -1;
	file = -1;
}

/* Return: whether there was something to fail at this point. */
static bool run_at(const struct call *c, struct tally *tally)
{
	struct sysgenid_get_args before, none;
	long result;
	bool failed;

	if (c->prepare)
		c->prepare();
	before = state();
	generation = before.generation;
	arm(point);
	result = c->call();
	failed = !disarm();
	check_state(c, &before, result);
	let_go();
	none = state();
	if (none.watchers || none.outdated)
		wrong("%u watchers and %u outdated are left", none.watchers,
		      none.outdated);
	if (failed)
		count(tally, c->errnos, result);
	else if (result < 0)
		wrong("%s without cause", errno_name((int)-result));
	return failed;
}

/* More than once: a slab that is full takes a page more, and all that comes after it has another number. */
static void run(const struct call *c)
{
	struct tally tally = { 0 };
	int pass;

	what = c->name;
	for (pass = 0;
	     pass < 2 || (pass < PASSES && !complete(&tally, c->errnos));
	     pass++)
		for (point = 1; run_at(c, &tally); point++)
			;
	report(&tally, c->errnos);
}

/* --- loading --- */

static const char *module_path;

static long load(void)
{
	int fd = open(module_path, O_RDONLY | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -errno;
	ret = result_of(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	return ret;
}

static long unload(void)
{
	return result_of(syscall(SYS_delete_module, "sysgenid", O_NONBLOCK));
}

static void check_loaded(bool loaded)
{
	static const char *const paths[] = {
		"/sys/module/sysgenid",
		"/sys/class/misc/sysgenid",
		"/sys/class/misc/sysgenid-hw",
		SYSGENID_DEVICE,
		SYSGENID_HW_DEVICE,
	};
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (!access(paths[i], F_OK) != loaded)
			wrong("%s is %sthere", paths[i], loaded ? "not " : "");
	if (loaded && attribute("hw_page_error"))
		wrong("the hardware page is refused");
}

/* What does not get its memory is switched off; here nothing failed. */
static void check_guarded(void)
{
	char text[256] = "";
	int fd = open(ATTRIBUTES "guard", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 1 ||
	    strstr(text, "off"))
		wrong("the guard is %s", text);
	close(fd);
}

/* The first load takes more than others: the kernel prepares for the next. */
static void show_points(void)
{
	unsigned int left = 0;
	int i;

	for (i = 0; i < 3; i++) {
		long result;

		arm(POINTS);
		result = load();
		left = disarm();
		if (result != -ENODEV || !left)
			wrong("a load that is to be refused gives %ld", result);
	}
	printf("%u\n", POINTS - left);
}

static void run_load(bool loading, unsigned int first, const int *errnos)
{
	struct tally tally = { 0 };
	long result;
	bool failed;

	what = loading ? "load" : "unload";
	for (point = first; point < POINTS; point++) {
		if (!loading && load())
			wrong("cannot load");
		arm(point);
		result = loading ? load() : unload();
		failed = !disarm();
		check_loaded(loading == (result >= 0));
		if (loading && !failed && result >= 0)
			check_guarded();
		if (loading == (result >= 0) && unload())
			wrong("cannot unload");
		if (!failed && result < 0)
			wrong("%s without cause", errno_name((int)-result));
		if (!failed)
			break;
		count(&tally, errnos, result);
	}
	printf("from point %u: ", first);
	report(&tally, errnos);
}

int main(int argc, char **argv)
{
	size_t i;

	what = "set-up";
	if (argc == 3 && !strcmp(argv[1], "points")) {
		set_up();
		module_path = argv[2];
		show_points();
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "load")) {
		set_up();
		module_path = argv[2];
		run_load(true, (unsigned int)atoi(argv[3]),
			 (const int[ERRNOS]){ ENOMEM });
		/* To disarm a probe takes memory; without it the kernel warns, and keeps the module's probe. */
		write_file(DEBUGFS "kprobes/enabled", "0");
		run_load(false, 1, (const int[ERRNOS]){ EFAULT });
	} else if (argc == 2 && !strcmp(argv[1], "calls")) {
		set_up();
		file = -1;
		set = -1;
		observer = open(SYSGENID_DEVICE, O_RDWR | O_CLOEXEC);
		for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
			run(&calls[i]);
	} else {
		puts("usage: faults calls | points FILE | load FILE POINT");
		return 2;
	}
	puts("passed");
	return 0;
}
