// SPDX-License-Identifier: MIT
/*
 * PID 1 of a test VM: no shell, no services, only what the runner asks for. In
 * a distribution's system it is a service (agent.service), and sets up nothing.
 *
 * The runner talks to it over the second serial port. A request is one line,
 *
 *	>SEQ LEN WORD WORD ...\n
 *
 * LEN being the bytes of the words and the single spaces between them; in a
 * word %XX stands for a byte. A line that does not fit its LEN is dropped. A
 * clone may have been made in the middle of a request: its runner starts with a
 * newline. A reply is
 *
 *	<SEQ STATUS CODE LEN\n BODY \n
 *
 * with LEN bytes of BODY, which may be anything. STATUS and CODE are "ok 0",
 * "errno N", "exit N", "signal N", "timeout 0" or "running PID". Requests are
 * served one after the other. A runner that has just made a clone does
 * not know where the stream stands. Such a runner sends `sync TOKEN` and drops all
 * bytes up to the end of the reply with that body.
 *
 *	sync TOKEN			the token
 *	ping				CLOCK_BOOTTIME nanoseconds
 *	run MS UID GID PROGRAM ARG...	exit, signal or timeout (then killed); output
 *	spawn NAME UID GID PROGRAM ARG...	running; output goes to /tmp/NAME.out
 *	wait NAME MS			exit, signal or timeout (left alone); output
 *	out NAME			as wait, at once
 *	kill NAME SIGNAL		ok
 *	insmod FILE PARAMETERS		finit_module
 *	rmmod NAME			delete_module, O_NONBLOCK
 *	credit HEX			RNDADDENTROPY, all bits credited; ok once the
 *					kernel RNG answers without blocking
 *	random N			N bytes of getrandom(GRND_NONBLOCK)
 *	read FILE			its bytes
 *	write FILE DATA			one write(2); a new file is made
 *	append FILE DATA		the same, at the end
 *	list DIRECTORY			names, a line each
 *	stat FILE			mode (octal), uid, gid, major, minor, size
 *	dmesg				the kernel log
 *	poweroff			ok, then no more
 *
 * UID "-" keeps root; else the program has that uid and gid, no other groups
 * and no capabilities. Programs run in a session of their own, standard input
 * is /dev/null, standard output and error are one stream.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/random.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#ifdef __aarch64__
/* The only 8250 there: the console is a PL011. */
#define CONTROL "/dev/ttyS0"
#else
#define CONTROL "/dev/ttyS1"
#endif
#define MAX_LINE   (64 << 10)
#define MAX_WORDS  256
#define MAX_OUTPUT (8 << 20)

struct buffer {
	char *data;
	size_t len;
	size_t room;
};

struct job {
	struct job *next;
	char name[64];
	pid_t pid;
	bool done;
	int status;
};

struct request {
	unsigned long seq;
	int argc;
	char *argv[MAX_WORDS + 1];
	size_t len[MAX_WORDS + 1];
};

static int control = -1;
static int child_signal = -1;
static struct job *jobs;

static void die(const char *what)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
	sleep(1);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void add(struct buffer *b, const void *data, size_t len)
{
	if (b->len + len > MAX_OUTPUT)
		len = MAX_OUTPUT - b->len;
	if (b->len + len > b->room) {
		b->room = (b->len + len) * 2;
		b->data = realloc(b->data, b->room);
		if (!b->data)
			die("out of memory");
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("write to the control port");
		p += n;
		len -= n;
	}
}

static void reply(const struct request *r, const char *status, long code,
		  const void *body, size_t len)
{
	char head[96];
	int n = snprintf(head, sizeof(head), "<%lu %s %ld %zu\n", r->seq,
			 status, code, len);

	write_all(control, head, n);
	if (len)
		write_all(control, body, len);
	write_all(control, "\n", 1);
}

static void reply_ok(const struct request *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void reply_ok(const struct request *r, const char *format, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	reply(r, "ok", 0, text, n);
}

static void reply_result(const struct request *r, long result)
{
	if (result < 0)
		reply(r, "errno", errno, NULL, 0);
	else
		reply(r, "ok", 0, NULL, 0);
}

static void reply_ended(const struct request *r, int status,
			const struct buffer *out)
{
	if (WIFSIGNALED(status))
		reply(r, "signal", WTERMSIG(status), out->data, out->len);
	else
		reply(r, "exit", WEXITSTATUS(status), out->data, out->len);
}

/* 0 at the end of the file, -1 on an error (errno), 1 when nothing more is there now. */
static int drain(int fd, struct buffer *out)
{
	char chunk[16384];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n > 0)
			add(out, chunk, n);
		else if (n == 0)
			return 0;
		else if (errno == EAGAIN)
			return 1;
		else if (errno != EINTR)
			return -1;
	}
}

static int read_file(const char *path, struct buffer *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result, saved;

	if (fd < 0)
		return -1;
	result = drain(fd, out);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}

static struct job *find_job(const char *name)
{
	struct job *j;

	for (j = jobs; j; j = j->next)
		if (!strcmp(j->name, name))
			return j;
	return NULL;
}

/* Also reaps orphans, which nobody asks about. */
static void reap(pid_t wanted, int *status, bool *ended)
{
	struct signalfd_siginfo unused;
	struct job *j;
	pid_t pid;
	int s;

	while (read(child_signal, &unused, sizeof(unused)) > 0)
		;
	while ((pid = waitpid(-1, &s, WNOHANG)) > 0) {
		if (pid == wanted) {
			*status = s;
			*ended = true;
		}
		for (j = jobs; j; j = j->next) {
			if (j->pid == pid && !j->done) {
				j->status = s;
				j->done = true;
			}
		}
	}
}

/* "-" leaves @value alone. */
static bool parse_id(const char *text, long *value)
{
	char *end;

	if (!strcmp(text, "-"))
		return true;
	*value = strtol(text, &end, 10);
	return !*end && *value >= 0;
}

static bool parse_ids(const char *uid_text, const char *gid_text, long *uid,
		      long *gid)
{
	*uid = -1;
	*gid = -1;
	if (parse_id(uid_text, uid) && parse_id(gid_text, gid))
		return true;
	errno = EINVAL;
	return false;
}

static pid_t start(char **argv, long uid, long gid, int out)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(open("/dev/null", O_RDONLY), 0);
	dup2(out, 1);
	dup2(out, 2);
	if ((gid >= 0 && (setgroups(0, NULL) || setresgid(gid, gid, gid))) ||
	    (uid >= 0 && setresuid(uid, uid, uid)))
		perror("init: ids");
	else
		execvp(argv[0], argv);
	fprintf(stderr, "init: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void do_run(const struct request *r)
{
	int64_t limit = now_ns(CLOCK_MONOTONIC) + atoll(r->argv[1]) * 1000000;
	struct buffer out = {};
	bool ended = false, late = false;
	int ends[2], status = 0;
	long uid, gid;
	pid_t pid;

	if (!parse_ids(r->argv[2], r->argv[3], &uid, &gid) ||
	    pipe2(ends, O_CLOEXEC)) {
		reply_result(r, -1);
		return;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	pid = start((char **)r->argv + 4, uid, gid, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		reply_result(r, -1);
		close(ends[0]);
		return;
	}
	while (!ended) {
		struct pollfd fds[] = {
			{ .fd = child_signal, .events = POLLIN },
			{ .fd = ends[0], .events = POLLIN },
		};
		int64_t left = limit - now_ns(CLOCK_MONOTONIC);

		if (left <= 0 && !late) {
			kill(-pid, SIGKILL);
			late = true;
		}
		poll(fds, ends[0] < 0 ? 1 : 2, late ? 100 : left / 1000000 + 1);
		if (ends[0] >= 0 && drain(ends[0], &out) <= 0) {
			close(ends[0]);
			ends[0] = -1;
		}
		reap(pid, &status, &ended);
	}
	if (ends[0] >= 0) {
		drain(ends[0], &out);
		close(ends[0]);
	}
	if (late)
		reply(r, "timeout", 0, out.data, out.len);
	else
		reply_ended(r, status, &out);
	free(out.data);
}

static void do_spawn(const struct request *r)
{
	char path[PATH_MAX];
	struct job *j = find_job(r->argv[1]);
	long uid, gid;
	int out;

	if (j && !j->done) {
		errno = EEXIST;
		reply_result(r, -1);
		return;
	}
	snprintf(path, sizeof(path), "/tmp/%s.out", r->argv[1]);
	unlink(path);
	out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (!parse_ids(r->argv[2], r->argv[3], &uid, &gid) || out < 0) {
		reply_result(r, -1);
		return;
	}
	if (!j) {
		j = calloc(1, sizeof(*j));
		if (!j)
			die("out of memory");
		j->next = jobs;
		jobs = j;
		snprintf(j->name, sizeof(j->name), "%s", r->argv[1]);
	}
	j->done = false;
	j->pid = start((char **)r->argv + 4, uid, gid, out);
	close(out);
	if (j->pid < 0) {
		j->done = true;
		reply_result(r, -1);
		return;
	}
	reply(r, "running", j->pid, NULL, 0);
}

static void do_wait(const struct request *r, int64_t ms, const char *unfinished)
{
	int64_t limit = now_ns(CLOCK_MONOTONIC) + ms * 1000000;
	struct job *j = find_job(r->argv[1]);
	struct buffer out = {};
	char path[PATH_MAX];

	if (!j) {
		errno = ESRCH;
		reply_result(r, -1);
		return;
	}
	for (;;) {
		struct pollfd fd = { .fd = child_signal, .events = POLLIN };
		int64_t left = limit - now_ns(CLOCK_MONOTONIC);

		reap(-1, NULL, NULL);
		if (j->done || left <= 0)
			break;
		poll(&fd, 1, left / 1000000 + 1);
	}
	snprintf(path, sizeof(path), "/tmp/%s.out", j->name);
	read_file(path, &out);
	if (j->done)
		reply_ended(r, j->status, &out);
	else
		reply(r, unfinished, j->pid, out.data, out.len);
	free(out.data);
}

static void do_kill(const struct request *r)
{
	struct job *j = find_job(r->argv[1]);

	reap(-1, NULL, NULL);
	if (!j || j->done) {
		errno = ESRCH;
		reply_result(r, -1);
	} else {
		reply_result(r, kill(j->pid, atoi(r->argv[2])));
	}
}

static void do_insmod(const struct request *r)
{
	int fd = open(r->argv[1], O_RDONLY | O_CLOEXEC);

	reply_result(r, fd < 0 ? -1 :
				 syscall(SYS_finit_module, fd, r->argv[2], 0));
	if (fd >= 0)
		close(fd);
}

static int unhex(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static void do_credit(const struct request *r)
{
	struct {
		struct rand_pool_info head;
		unsigned char bytes[512];
	} pool = {};
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	const char *hex = r->argv[1];
	unsigned char byte;
	long result = -1;

	for (; isxdigit(hex[0]) && isxdigit(hex[1]) &&
	       pool.head.buf_size < (int)sizeof(pool.bytes);
	     hex += 2)
		((unsigned char *)pool.head.buf)[pool.head.buf_size++] =
			unhex(hex[0]) << 4 | unhex(hex[1]);
	pool.head.entropy_count = pool.head.buf_size * 8;
	if (fd >= 0)
		result = ioctl(fd, RNDADDENTROPY, &pool.head);
	/*
	 * The kernel patches its code now that the RNG is ready. QEMU's translator
	 * can lose track of that with two processors: the guest dies of a breakpoint
	 * that is no longer there. So the patching ends before that code runs.
	 */
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		usleep(300000);
	if (result == 0)
		result = getrandom(&byte, 1, GRND_NONBLOCK);
	reply_result(r, result);
	if (fd >= 0)
		close(fd);
}

static void do_random(const struct request *r)
{
	unsigned char bytes[4096];
	size_t len = strtoul(r->argv[1], NULL, 10);
	ssize_t n;

	if (len > sizeof(bytes))
		len = sizeof(bytes);
	n = getrandom(bytes, len, GRND_NONBLOCK);
	if (n < 0)
		reply_result(r, n);
	else
		reply(r, "ok", 0, bytes, n);
}

static void do_read(const struct request *r)
{
	struct buffer out = {};

	if (read_file(r->argv[1], &out) < 0)
		reply_result(r, -1);
	else
		reply(r, "ok", 0, out.data, out.len);
	free(out.data);
}

static void do_write(const struct request *r, int flags)
{
	int fd = open(r->argv[1], O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);

	reply_result(r, fd < 0 ? -1 : write(fd, r->argv[2], r->len[2]));
	if (fd >= 0)
		close(fd);
}

static void do_list(const struct request *r)
{
	struct buffer out = {};
	DIR *folder = opendir(r->argv[1]);
	struct dirent *e;

	if (!folder) {
		reply_result(r, -1);
		return;
	}
	while ((e = readdir(folder))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		add(&out, e->d_name, strlen(e->d_name));
		add(&out, "\n", 1);
	}
	closedir(folder);
	reply(r, "ok", 0, out.data, out.len);
	free(out.data);
}

static void do_stat(const struct request *r)
{
	struct stat s;

	if (stat(r->argv[1], &s))
		reply_result(r, -1);
	else
		reply_ok(r, "%o %u %u %u %u %lld", s.st_mode, s.st_uid,
			 s.st_gid, major(s.st_rdev), minor(s.st_rdev),
			 (long long)s.st_size);
}

static void do_dmesg(const struct request *r)
{
	int room = klogctl(10 /* size of the buffer */, NULL, 0);
	char *text = room > 0 ? malloc(room) : NULL;
	int n = text ? klogctl(3 /* read all */, text, room) : -1;

	if (n < 0)
		reply_result(r, -1);
	else
		reply(r, "ok", 0, text, n);
	free(text);
}

static void do_poweroff(const struct request *r)
{
	reply_ok(r, "bye");
	tcdrain(control);
	reboot(RB_POWER_OFF);
}

static void serve(const struct request *r)
{
	const char *what = r->argv[0];
	int args = r->argc - 1;

	if (!strcmp(what, "sync") && args == 1)
		reply(r, "ok", 0, r->argv[1], r->len[1]);
	else if (!strcmp(what, "ping") && args == 0)
		reply_ok(r, "%lld", (long long)now_ns(CLOCK_BOOTTIME));
	else if (!strcmp(what, "run") && args >= 4)
		do_run(r);
	else if (!strcmp(what, "spawn") && args >= 4)
		do_spawn(r);
	else if (!strcmp(what, "wait") && args == 2)
		do_wait(r, atoll(r->argv[2]), "timeout");
	else if (!strcmp(what, "out") && args == 1)
		do_wait(r, 0, "running");
	else if (!strcmp(what, "kill") && args == 2)
		do_kill(r);
	else if (!strcmp(what, "insmod") && args == 2)
		do_insmod(r);
	else if (!strcmp(what, "rmmod") && args == 1)
		reply_result(r, syscall(SYS_delete_module, r->argv[1],
					O_NONBLOCK));
	else if (!strcmp(what, "credit") && args == 1)
		do_credit(r);
	else if (!strcmp(what, "random") && args == 1)
		do_random(r);
	else if (!strcmp(what, "read") && args == 1)
		do_read(r);
	else if (!strcmp(what, "write") && args == 2)
		do_write(r, O_TRUNC);
	else if (!strcmp(what, "append") && args == 2)
		do_write(r, O_APPEND);
	else if (!strcmp(what, "list") && args == 1)
		do_list(r);
	else if (!strcmp(what, "stat") && args == 1)
		do_stat(r);
	else if (!strcmp(what, "dmesg") && args == 0)
		do_dmesg(r);
	else if (!strcmp(what, "poweroff") && args == 0)
		do_poweroff(r);
	else
		reply(r, "errno", ENOSYS, NULL, 0);
}

/* Replaces %XX in place; returns the length. */
static size_t decode(char *word)
{
	char *from = word, *to = word;

	while (*from) {
		if (from[0] == '%' && isxdigit(from[1]) && isxdigit(from[2])) {
			*to++ = unhex(from[1]) << 4 | unhex(from[2]);
			from += 3;
		} else {
			*to++ = *from++;
		}
	}
	*to = 0;
	return to - word;
}

static bool parse(char *line, struct request *r)
{
	unsigned long len;
	char *rest, *word;
	int used = 0;

	if (sscanf(line, ">%lu %lu %n", &r->seq, &len, &used) < 2 || !used ||
	    strlen(line + used) != len)
		return false;
	rest = line + used;
	r->argc = 0;
	while (r->argc < MAX_WORDS && (word = strsep(&rest, " "))) {
		r->argv[r->argc] = word;
		r->len[r->argc++] = decode(word);
	}
	r->argv[r->argc] = NULL;
	return r->argc > 0 && !rest;
}

static void mount_one(const char *type, const char *target, bool needed)
{
	mkdir(target, 0755);
	if (mount(type, target, type, 0, NULL) && errno != EBUSY && needed)
		die(target);
}

static void set_up_machine(void)
{
	umask(022);
	mount_one("proc", "/proc", true);
	mount_one("sysfs", "/sys", true);
	mount_one("devtmpfs", "/dev", true);
	mount_one("tmpfs", "/tmp", true);
	mount_one("tmpfs", "/run", true);
	mount_one("tmpfs", "/dev/shm", false);
	mount_one("devpts", "/dev/pts", false);
	mount_one("cgroup2", "/sys/fs/cgroup", false);
	mount_one("debugfs", "/sys/kernel/debug", false);
	mount_one("tracefs", "/sys/kernel/tracing", false);
	chmod("/tmp", 01777);
	chmod("/dev/shm", 01777);

	setenv("PATH", "/bin", 1);
	setenv("HOME", "/", 1);
	unsetenv("TERM");
}

static void set_up(void)
{
	struct termios raw;
	sigset_t child;
	FILE *f;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	child_signal = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
	if (child_signal < 0)
		die("signalfd");

	control = open(CONTROL, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (control < 0 || tcgetattr(control, &raw))
		die(CONTROL);
	cfmakeraw(&raw);
	cfsetspeed(&raw, B115200);
	raw.c_cflag |= CLOCAL;
	if (tcsetattr(control, TCSANOW, &raw))
		die(CONTROL);

	/* From here on the console file keeps the whole kernel log. */
	f = fopen("/proc/sys/kernel/printk", "w");
	if (f) {
		fputs("8", f);
		fclose(f);
	}
}

int main(void)
{
	static char line[MAX_LINE];
	static struct request r;
	size_t have = 0;

	if (getpid() == 1)
		set_up_machine();
	set_up();
	/* Sequence number 0 is the greeting. */
	reply_ok(&r, "ready");
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = control, .events = POLLIN },
			{ .fd = child_signal, .events = POLLIN },
		};
		char *end;
		ssize_t n;

		poll(fds, 2, -1);
		reap(-1, NULL, NULL);
		if (!(fds[0].revents & POLLIN))
			continue;
		n = read(control, line + have, sizeof(line) - have - 1);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			die("read from the control port");
		if (n <= 0)
			continue;
		have += n;
		while ((end = memchr(line, '\n', have))) {
			*end = 0;
			if (parse(line, &r))
				serve(&r);
			have -= end + 1 - line;
			memmove(line, end + 1, have);
		}
		if (have == sizeof(line) - 1)
			have = 0;
	}
}
