// SPDX-License-Identifier: MIT
/*
 * From the event of a new generation to the open gate: the overseer's machine with
 * a device that is played here. All else is this machine's, in namespaces of its own.
 *
 * "count": no thread and no process on the way, and few system calls. "time N"
 * prints the microseconds of each of N times.
 *
 * "restore count" and "restore time N": from the request of a host to the answer, with
 * entropy, clock, host name, machine id and an interface. The clock of this machine is
 * not set. "restore answers N" prints the KiB of memory that each touched, and each
 * answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sysgenid.h>

#include "backend.h"
#include "machine.h"

#define CONFIG "/run/overseer.conf"
/* Some calls more than there are now. */
#define CALLS_MAX 60
/* With the five steps, each of which lists or writes something. */
#define RESTORE_CALLS_MAX 140
/* Nobody else makes this call, so that it says where the way begins and ends. */
#define MARK SYS_sched_yield

int __real_rng_mix(int fd, const void *bytes, size_t len);
int __real_rng_reseed(int fd);

/* Any, but not 0. */
static uint64_t boot_time;

static struct {
	int event;
	atomic_uint generation, opened;
	/* Whether a host asks for each generation, and the number of answers. */
	bool has_host;
	atomic_uint answers;
	/* Nanoseconds, of the event and of the gate. */
	uint64_t began, ended;
} device;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- the device: each of its calls is one of the kernel ---- */

static void call_the_kernel(void)
{
	syscall(SYS_getppid);
}

int sysgenid_open(struct sysgenid **g, unsigned int flags)
{
	(void)flags;
	*g = (struct sysgenid *)&device;
	return 0;
}

void sysgenid_close(struct sysgenid *g)
{
	(void)g;
}

int sysgenid_get_fd(const struct sysgenid *g)
{
	(void)g;
	return device.event;
}

int sysgenid_read(struct sysgenid *g, uint32_t *generation)
{
	(void)g;
	call_the_kernel();
	*generation = device.generation;
	return 0;
}

int sysgenid_confirm(struct sysgenid *g, uint32_t generation)
{
	eventfd_t unused;

	(void)g;
	(void)generation;
	return eventfd_read(device.event, &unused) ? -errno : 0;
}

int sysgenid_get_info(struct sysgenid *g, struct sysgenid_info *info,
		      size_t size)
{
	(void)g;
	call_the_kernel();
	memset(info, 0, size);
	info->features = SYSGENID_FEATURE_GATE;
	info->generation = device.generation;
	info->source = SYSGENID_SOURCE_VMGENID;
	info->sources = 1u << SYSGENID_SOURCE_VMGENID;
	info->time = boot_time;
	return 0;
}

int sysgenid_trigger(struct sysgenid *g, uint32_t expected, const void *entropy,
		     size_t entropy_len, uint32_t *generation)
{
	(void)g;
	(void)expected;
	(void)entropy;
	(void)entropy_len;
	(void)generation;
	return -EOPNOTSUPP;
}

int sysgenid_gate(struct sysgenid *g, struct sysgenid_gate_args *args)
{
	const bool opens = args->operation == SYSGENID_GATE_OPEN ||
			   (args->operation == SYSGENID_GATE_ARM &&
			    args->flags & SYSGENID_GATE_AT_ONCE);

	(void)g;
	call_the_kernel();
	if (opens)
		device.opened = args->generation;
	*args = (struct sysgenid_gate_args){
		.state = !device.opened ? SYSGENID_GATE_DISARMED :
			 device.opened == device.generation ?
					  SYSGENID_GATE_IS_OPEN :
					  SYSGENID_GATE_IS_SHUT,
		.opened = device.opened,
		.generation = device.generation,
		.reason = SYSGENID_GATE_WHY_GENERATION,
	};
	if (opens && !device.has_host) {
		device.ended = now_ns();
		syscall(MARK);
	}
	return 0;
}

int sysgenid_wait_watchers(struct sysgenid *g, uint32_t generation,
			   int64_t timeout_ns, uint32_t *current,
			   uint32_t *outdated)
{
	(void)g;
	(void)generation;
	(void)timeout_ns;
	(void)current;
	(void)outdated;
	return -ENOSYS;
}

int sysgenid_list_watchers(struct sysgenid *g, unsigned int flags,
			   uint64_t *cursor, struct sysgenid_watcher *entries,
			   size_t entry_size, unsigned int *count,
			   uint32_t *generation)
{
	(void)g;
	(void)flags;
	(void)cursor;
	(void)entries;
	(void)entry_size;
	(void)count;
	(void)generation;
	return -ENOSYS;
}

/* ---- what would change this machine, or may not be done without its root ---- */

int __wrap_clock_settime(clockid_t clock, const struct timespec *ts);
int __wrap_clock_settime(clockid_t clock, const struct timespec *ts)
{
	(void)clock;
	(void)ts;
	call_the_kernel();
	return 0;
}

int __wrap_rng_mix(int fd, const void *bytes, size_t len);
int __wrap_rng_mix(int fd, const void *bytes, size_t len)
{
	const int r = __real_rng_mix(fd, bytes, len);

	return r == -EPERM ? 0 : r;
}

int __wrap_rng_reseed(int fd);
int __wrap_rng_reseed(int fd)
{
	const int r = __real_rng_reseed(fd);

	return r == -EPERM ? 0 : r;
}

/* ---- a kernel that keeps no sessions, whatever this one has ---- */

int __wrap_netlink_family(const char *name);
int __wrap_netlink_family(const char *name)
{
	(void)name;
	return 0;
}

int __wrap_ipsec_is_there(void);
int __wrap_ipsec_is_there(void)
{
	return 0;
}

int __wrap_connections_tls_is_there(void);
int __wrap_connections_tls_is_there(void)
{
	return 0;
}

int __wrap_mounts_are_possible(void);
int __wrap_mounts_are_possible(void)
{
	return 0;
}

/* ---- the overseer ---- */

/* Nothing of the machine outside is touched: connections are destroyed here. */
static bool enter_namespaces(void)
{
	const int user = geteuid() ? CLONE_NEWUSER : 0;
	FILE *f;

	if (unshare(user | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("run", "/run", "tmpfs", 0, NULL) ||
	    mkdir("/run/sysgenid", 0755) || mkdir(HOOKS, 0755) ||
	    mkdir(HOOKS "/adjust.d", 0755))
		return false;
	f = fopen(CONFIG, "w");
	return f && fputs("[overseer]\ngate = kernel\n", f) >= 0 &&
	       (!device.has_host ||
		fputs("clock = set\nhost-name = set\nmachine-id = set\ninterfaces = set\n",
		      f) >= 0) &&
	       !fclose(f) &&
	       (!device.has_host ||
		!system("ip link add w0 type veth peer name w1 && ip link set w1 up && ip link set w0 up"));
}

static void make_event(void)
{
	device.generation++;
	device.began = now_ns();
	eventfd_write(device.event, 1);
}

static struct loop *loop;

/* ---- a host that asks ---- */

static bool prints;

/* From then on, what is touched counts. */
static void forget_touched(void)
{
	FILE *f = fopen("/proc/self/clear_refs", "w");

	if (!f || fputs("1", f) < 0 || fclose(f))
		abort();
}

/* Pages of the kernel do not count. */
static long kib_touched(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Referenced: %ld kB", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib;
}

static void on_restored(void *user, enum answer result, const char *text)
{
	(void)user;
	if (result != ANSWER_DONE || !strstr(text, "\"ready\"")) {
		fprintf(stderr, "%s\n", text);
		_exit(1);
	}
	device.ended = now_ns();
	device.answers++;
	syscall(MARK);
	if (prints)
		printf("%ld %s\n", kib_touched(), text);
}

static void ask(struct machine *m)
{
	const unsigned char number = (unsigned char)device.generation;
	struct request r = {
		.realtime_ns = 1800000000000000000,
		.nonce_len = 16,
		.entropy_len = 64,
		.interfaces = 1,
		.interface = { {
			.name = "w0",
			.has_mac = 1,
			.has_addresses = 1,
			.has_routes = 1,
			.addresses = 1,
			.routes = 1,
			.mac = { 2, 0, 0, 0, 1, number },
			.address = { { AF_INET, 24, { 10, 9, 1, number | 1 } } },
			.route = { { .to = { AF_INET, 16, { 10, 8 } },
				     .via = { AF_INET,
					      32,
					      { 10, 9, 1, 254 } } } },
		} },
	};

	r.nonce[0] = number;
	snprintf(r.hostname, sizeof(r.hostname), "clone-%u", number);
	snprintf(r.machine_id, sizeof(r.machine_id), "%032x", number + 1u);
	machine_restore(m, &r, on_restored, NULL);
}

static bool is_over(void)
{
	return device.has_host ? device.answers == device.generation - 5 :
				 device.opened == device.generation;
}

static struct machine *start_ready(void)
{
	struct machine *m;

	device.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	device.generation = 5;
	boot_time = now_ns();
	loop = loop_new();
	m = machine_new(loop, &backend_plain, CONFIG);
	if (!m)
		abort();
	machine_start(m);
	if (device.opened != 5) {
		fputs("it does not become ready\n", stderr);
		_exit(1);
	}
	return m;
}

/* ---- count ---- */

static void be_traced(void)
{
	struct machine *m = start_ready();

	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	make_event();
	syscall(MARK);
	if (device.has_host)
		ask(m);
	while (!is_over())
		loop_run_once(loop, 1000000);
	_exit(0);
}

static bool is_start_of_something(uint64_t call)
{
	switch (call) {
#ifdef SYS_fork
	case SYS_fork:
	case SYS_vfork:
#endif
	case SYS_clone:
	case SYS_clone3:
	case SYS_execve:
		return true;
	default:
		return false;
	}
}

/* 0: it has ended. Else one stop of it; @call: the number of a call that begins, or -1. */
static bool next_stop(pid_t pid, long long *call)
{
	struct __ptrace_syscall_info info = { 0 };
	int status;

	*call = -1;
	if (ptrace(PTRACE_SYSCALL, pid, 0, 0) ||
	    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return false;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
	    info.op == PTRACE_SYSCALL_INFO_ENTRY)
		*call = (long long)info.entry.nr;
	return true;
}

static int count(void)
{
	unsigned int marks = 0, calls = 0, starts = 0;
	const pid_t pid = fork();
	long long call;
	int status;

	if (!pid)
		be_traced();
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD))
		return 1;
	while (marks < 2 && next_stop(pid, &call)) {
		if (call == MARK) {
			marks++;
		} else if (call >= 0 && marks) {
			printf("%lld ", call);
			calls++;
			starts += is_start_of_something((uint64_t)call);
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	printf("\n%u system calls from the %s, %u of which start a thread or a process\n",
	       calls,
	       device.has_host ? "request to the answer" :
				 "event to the open gate",
	       starts);
	return marks < 2 || starts ||
	       calls > (device.has_host ? RESTORE_CALLS_MAX : CALLS_MAX);
}

/* ---- time ---- */

static int times;

static void *publish(void *arg)
{
	const struct timespec pause = { .tv_nsec = 2000000 };

	for (int i = 0; i < times; i++) {
		nanosleep(&pause, NULL);
		make_event();
		while (device.opened != device.generation)
			nanosleep(&pause, NULL);
		printf("%.1f\n", (double)(device.ended - device.began) / 1000);
	}
	fflush(stdout);
	_exit(0);
	return arg;
}

static int measure(void)
{
	pthread_t thread;

	start_ready();
	if (pthread_create(&thread, NULL, publish, NULL))
		return 1;
	return loop_run(loop);
}

/* In the one thread that there is: a request comes by a message, which is not counted here. */
static int restore_often(void)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	struct machine *m = start_ready();

	for (int i = 0; i < times; i++) {
		nanosleep(&pause, NULL);
		if (prints)
			forget_touched();
		device.generation++;
		device.began = now_ns();
		ask(m);
		while (!is_over())
			loop_run_once(loop, 1000000);
		if (!prints)
			printf("%.1f\n",
			       (double)(device.ended - device.began) / 1000);
		/* What is told after the answer. */
		while (loop_run_once(loop, 3000) > 0)
			;
	}
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "restore")) {
		device.has_host = true;
		argc--;
		argv++;
	}
	prints = argc == 3 && !strcmp(argv[1], "answers") && device.has_host;
	if (argc == 3 && (prints || !strcmp(argv[1], "time")))
		times = atoi(argv[2]);
	else if (argc != 2 || strcmp(argv[1], "count"))
		return 2;
	if (!enter_namespaces()) {
		fprintf(stderr,
			"NOT TESTED: no namespaces can be set up here: %s\n",
			strerror(errno));
		return 77;
	}
	if (!times)
		return count();
	return device.has_host ? restore_often() : measure();
}
