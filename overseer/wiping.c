// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <sysgenid.h>

#include "cgroup.h"
#include "numbers.h"
#include "wiping.h"

/* Of threads that could be in the middle of a draw. */
#define NOT_IN_A_CALL	 "a thread is not inside a system call"
#define DRAWS		 "a thread is drawing random bytes"
#define CANNOT_LOOK	 "its threads cannot be looked at"
#define OTHER_MACHINE	 "not a program of this machine's kind"
#define MEMORY_IS_HIDDEN "its memory cannot be listed"
#define RAN		 "has run since it was frozen"
#define NOT_FROZEN	 "is not frozen"
#define NOT_WRITTEN	 "a page cannot be written"

/* @start: with the pid, nobody else's. @switches: of all threads, while they are frozen. */
struct process {
	pid_t pid;
	char name[32];
	unsigned long long start, switches;
	uintptr_t *pages;
	size_t count;
	/* Why it is left alone; NULL: it is not. */
	const char *why;
};

static struct {
	struct process *process;
	size_t count;
	/* Those that have no such page anywhere, each with a blank behind. */
	char without[512];
	bool done;
	char left[1024];
} list;

/* ---- a process ---- */

/* A text; false and errno. */
static bool read_text(int at, const char *path, char *text, size_t size)
{
	const int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* Its name and when it began. False: it has ended, or cannot be looked at. */
static bool read_start(int at, struct process *p)
{
	char text[1024];
	const char *name, *rest;

	if (!read_text(at, "stat", text, sizeof(text)))
		return false;
	name = strchr(text, '(');
	/* A name may hold anything. */
	rest = strrchr(text, ')');
	if (!name || !rest)
		return false;
	snprintf(p->name, sizeof(p->name), "%.*s", (int)(rest - name - 1),
		 name + 1);
	return sscanf(rest,
		      ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		      &p->start) == 1;
}

/* Numbers of system calls are those of this kind of program. */
static bool is_of_our_kind(int at)
{
	const unsigned char ours = sizeof(void *) == 8 ? ELFCLASS64 :
							 ELFCLASS32;
	char head[EI_CLASS + 2];

	return read_text(at, "exe", head, sizeof(head)) &&
	       (unsigned char)head[EI_CLASS] == ours;
}

/* What a library draws from where there is no getrandom(2). */
static bool is_random_device(int at, unsigned long long fd)
{
	char path[64], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "../../fd/%llu", fd);
	n = readlinkat(at, path, target, sizeof(target) - 1);
	if (n < 0)
		return true;
	target[n] = 0;
	return !strcmp(target, "/dev/urandom") ||
	       !strcmp(target, "/dev/random") || !strcmp(target, "/dev/hwrng");
}

/* NULL: it is at a point where it can take a fork. @at: of the thread. */
static const char *find_danger(int at)
{
	unsigned long long fd;
	char text[256];
	long number;
	int n;

	if (!read_text(at, "syscall", text, sizeof(text)))
		return CANNOT_LOOK;
	n = sscanf(text, "%ld %llx", &number, &fd);
	if (n != 2 || number < 0)
		return NOT_IN_A_CALL;
	if (number == SYS_getrandom)
		return DRAWS;
	return number == SYS_read && is_random_device(at, fd) ? DRAWS : NULL;
}

static bool count_switches(int at, unsigned long long *sum)
{
	const char *const lines[] = { "\nvoluntary_ctxt_switches:",
				      "\nnonvoluntary_ctxt_switches:" };
	char text[4096];

	if (!read_text(at, "status", text, sizeof(text)))
		return false;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *found = strstr(text, lines[i]);

		if (!found)
			return false;
		*sum += strtoull(found + strlen(lines[i]), NULL, 10);
	}
	return true;
}

static int look_at_thread(void *user, int at, const char *name)
{
	const int fd = openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct process *p = user;

	if (fd < 0) {
		p->why = CANNOT_LOOK;
		return 0;
	}
	if (!p->why)
		p->why = find_danger(fd);
	if (!p->why && !count_switches(fd, &p->switches))
		p->why = CANNOT_LOOK;
	close(fd);
	return 0;
}

/* Sets @why and @switches. */
static void look_at_threads(int at, struct process *p)
{
	p->switches = 0;
	p->why = NULL;
	if (numbers_each(at, "task", look_at_thread, p) && !p->why)
		p->why = CANNOT_LOOK;
}

static bool is_frozen(pid_t pid)
{
	char path[PATH_MAX];

	return !cgroup_of(pid, path, sizeof(path)) &&
	       cgroup_is_frozen(path) > 0;
}

/* ---- its pages ---- */

static bool add_page(struct process *p, uintptr_t page)
{
	uintptr_t *more = reallocarray(p->pages, p->count + 1, sizeof(*more));

	if (!more)
		return false;
	p->pages = more;
	more[p->count++] = page;
	return true;
}

static bool has_flag(const char *line, const char *flag)
{
	char wanted[8];

	snprintf(wanted, sizeof(wanted), " %s ", flag);
	return strstr(line, wanted);
}

/* Zeros in that of libsysgenid mean a child, in which each call gives ECHILD. */
static bool is_ours(pid_t pid, uintptr_t page)
{
	uint64_t magic = 0;
	const struct iovec here = { &magic, sizeof(magic) };
	const struct iovec there = { (void *)page, sizeof(magic) };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof(magic) &&
	       magic == SYSGENID_FORK_MAGIC;
}

/* Private, one page, wiped at fork, and not kept out of core dumps as the state of vDSO getrandom is. */
static bool list_pages(int at, struct process *p)
{
	const uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	const int fd = openat(at, "smaps", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	uintptr_t page = 0, from, to;
	char *line = NULL, mode[5];
	size_t room = 0;
	bool candidate = false, ok = f;

	if (!f && fd >= 0)
		close(fd);
	while (ok && getline(&line, &room, f) > 0) {
		/* Names of other lines begin with hexadecimal digits, too. */
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to,
			   mode) == 3) {
			candidate = to - from == size && !strcmp(mode, "rw-p");
			page = from;
		} else if (candidate && !strncmp(line, "VmFlags:", 8) &&
			   has_flag(line, "wf") && !has_flag(line, "dd") &&
			   !is_ours(p->pid, page)) {
			ok = add_page(p, page);
		}
	}
	ok = ok && !ferror(f);
	free(line);
	if (f)
		fclose(f);
	return ok;
}

/* ---- the list ---- */

static void forget_list(void)
{
	for (size_t i = 0; i < list.count; i++)
		free(list.process[i].pages);
	free(list.process);
	list.process = NULL;
	list.count = 0;
	list.without[0] = 0;
}

void wiping_forget(void)
{
	forget_list();
	list.done = false;
	list.left[0] = 0;
}

static int open_process(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* 0 or -ENOMEM. One that has ended is not listed. */
static int list_process(pid_t pid, bool *any)
{
	struct process p = { .pid = pid }, *more;
	const int at = open_process(pid);

	if (at < 0 || !read_start(at, &p)) {
		if (at >= 0)
			close(at);
		return 0;
	}
	if (!is_of_our_kind(at))
		p.why = OTHER_MACHINE;
	else
		look_at_threads(at, &p);
	if (!p.why && !list_pages(at, &p))
		p.why = MEMORY_IS_HIDDEN;
	close(at);
	*any = *any || p.count || p.why;
	more = reallocarray(list.process, list.count + 1, sizeof(*more));
	if (!more) {
		free(p.pages);
		return -ENOMEM;
	}
	list.process = more;
	more[list.count++] = p;
	return 0;
}

static int list_processes(const char *path, bool *any)
{
	char file[PATH_MAX + 16];
	FILE *f;
	int r = 0, pid;

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	f = fopen(file, "re");
	if (!f)
		return -errno;
	while (!r && fscanf(f, "%d", &pid) == 1)
		r = list_process(pid, any);
	if (!r && ferror(f))
		r = -EIO;
	fclose(f);
	return r;
}

static int list_below(const char *path, bool *any)
{
	int r = list_processes(path, any);
	struct dirent *entry;
	char below[PATH_MAX];
	DIR *dir;

	if (r)
		return r;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!r && (errno = 0, entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path,
			     entry->d_name) >= (int)sizeof(below))
			r = -ENAMETOOLONG;
		else
			r = list_below(below, any);
	}
	if (!r)
		r = -errno;
	closedir(dir);
	return r;
}

int wiping_list(char *const cgroups[], char *why, size_t size)
{
	char path[PATH_MAX];
	bool any;
	int r = 0;

	wiping_forget();
	for (; !r && *cgroups; cgroups++) {
		const size_t len = strlen(list.without);

		any = false;
		snprintf(path, sizeof(path), CGROUP_ROOT "%s", *cgroups);
		r = list_below(path, &any);
		if (r)
			snprintf(why, size, "%s", *cgroups);
		else if (!any)
			snprintf(list.without + len, sizeof(list.without) - len,
				 "%s ", *cgroups);
	}
	if (r)
		wiping_forget();
	return r ? r : 1;
}

/* ---- what is done with it ---- */

static void __attribute__((format(printf, 1, 2))) leave(const char *format, ...)
{
	const size_t len = strlen(list.left);
	va_list args;

	if (len && len + 2 < sizeof(list.left))
		strcpy(list.left + len, ", ");
	va_start(args, format);
	vsnprintf(list.left + strlen(list.left),
		  sizeof(list.left) - strlen(list.left), format, args);
	va_end(args);
}

static bool zero(pid_t pid, uintptr_t page)
{
	static const char zeros[65536];
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	const struct iovec here = { (void *)(uintptr_t)zeros, size };
	const struct iovec there = { (void *)page, size };

	return size <= sizeof(zeros) &&
	       process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* Whether it is the one of the list, at the same point. NULL: it is. */
static const char *find_change(const struct process *p)
{
	struct process now = { .pid = p->pid };
	const int at = open_process(p->pid);
	const char *why = NULL;

	if (at < 0 || !read_start(at, &now) || now.start != p->start)
		why = RAN;
	else if (!is_frozen(p->pid))
		why = NOT_FROZEN;
	if (!why) {
		look_at_threads(at, &now);
		why = now.why ? now.why :
				(now.switches != p->switches ? RAN : NULL);
	}
	if (at >= 0)
		close(at);
	return why;
}

/* How many pages. */
static unsigned int wipe(struct process *p)
{
	unsigned int done = 0;

	if (!p->why && p->count)
		p->why = find_change(p);
	for (size_t i = 0; !p->why && i < p->count; i++) {
		if (zero(p->pid, p->pages[i]))
			done++;
		else
			p->why = NOT_WRITTEN;
	}
	if (p->why)
		leave("%s (%d): %s", p->name, p->pid, p->why);
	return done;
}

unsigned int wiping_run(char *left, size_t size)
{
	unsigned int done = 0;

	if (!list.done && !list.process && !list.without[0])
		leave("nothing was frozen: \"sysgenidctl quiesce\" comes before the snapshot");
	for (size_t i = 0; !list.done && i < list.count; i++)
		done += wipe(&list.process[i]);
	if (!list.done && list.without[0])
		leave("%s: no page is marked", list.without);
	list.done = true;
	snprintf(left, size, "%s", list.left);
	return done;
}
