// SPDX-License-Identifier: MIT
/*
 * From the event of a new generation to the open gate: the overseer's machine with
 * a device that is played here. All else is this machine's, in namespaces of its own.
 *
 * "count": no thread and no process on the way, and few system calls. "time N"
 * prints the microseconds of each of N times.
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
/* Nobody else makes this call, so that it says where the way begins and ends. */
#define MARK SYS_sched_yield

static struct {
	int event;
	atomic_uint generation, opened;
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
	if (opens) {
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

	if (unshare(user | CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("run", "/run", "tmpfs", 0, NULL) ||
	    mkdir("/run/sysgenid", 0755) || mkdir(HOOKS, 0755) ||
	    mkdir(HOOKS "/adjust.d", 0755))
		return false;
	f = fopen(CONFIG, "w");
	return f && fputs("[overseer]\ngate = kernel\n", f) >= 0 && !fclose(f);
}

static void make_event(void)
{
	device.generation++;
	device.began = now_ns();
	eventfd_write(device.event, 1);
}

static struct loop *loop;

static struct machine *start_ready(void)
{
	struct machine *m;

	device.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	device.generation = 5;
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
	start_ready();
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	make_event();
	syscall(MARK);
	while (device.opened != device.generation)
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
	printf("\n%u system calls from the event to the open gate, %u of which start a thread or a process\n",
	       calls, starts);
	return marks < 2 || starts || calls > CALLS_MAX;
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

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "time"))
		times = atoi(argv[2]);
	else if (argc != 2 || strcmp(argv[1], "count"))
		return 2;
	if (!enter_namespaces()) {
		fprintf(stderr,
			"NOT TESTED: no namespaces can be set up here: %s\n",
			strerror(errno));
		return 77;
	}
	return times ? measure() : count();
}
