// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "acting.h"
#include "control.h"
#include "hosts.h"
#include "log.h"
#include "parser.h"

#define LISTENING 32
/* Microseconds. */
#define RESTART_PAUSE 100000ull
#define PING_PAUSE    10000000ull

struct parser {
	struct loop *loop;
	struct machine *machine;
	struct loop_source *child, *restart, *ping;
	struct acting *acting;
	struct hosts *hosts;
	pid_t pid;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* ---- in the child ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* A sanitizer calls more than this. */
#if defined(ARCHITECTURE) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__)
#define FILTERS 1
/* What reading, answering and memory need: no file can be opened, and no program started. */
static const unsigned int allowed[] = {
	__NR_read,	   __NR_write,
	__NR_writev,	   __NR_recvfrom,
	__NR_recvmsg,	   __NR_sendto,
	__NR_sendmsg,	   __NR_accept4,
	__NR_shutdown,	   __NR_getsockopt,
	__NR_close,	   __NR_epoll_ctl,
	__NR_epoll_pwait,  __NR_clock_gettime,
	__NR_mmap,	   __NR_munmap,
	__NR_mremap,	   __NR_mprotect,
	__NR_madvise,	   __NR_brk,
	__NR_futex,	   __NR_getpid,
	__NR_getrandom,	   __NR_rt_sigprocmask,
	__NR_rt_sigreturn, __NR_restart_syscall,
	__NR_exit,	   __NR_exit_group,
#ifdef __NR_epoll_wait
	__NR_epoll_wait,
#endif
};

#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

static bool filter_calls(void)
{
	struct sock_filter code[2 * ALLOWED + 5], *c = code;
	const struct sock_fprog program = { .filter = code };
	struct sock_fprog p = program;

	*c++ = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	*c++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
					    ARCHITECTURE, 1, 0);
	*c++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
					    SECCOMP_RET_KILL_PROCESS);
	*c++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ALLOWED; i++) {
		*c++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						    allowed[i], 0, 1);
		*c++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						    SECCOMP_RET_ALLOW);
	}
	*c++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
					    SECCOMP_RET_ERRNO | EPERM);
	p.len = (unsigned short)(c - code);
	return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p);
}
#else
#define FILTERS 0
static bool filter_calls(void)
{
	return true;
}
#endif

static bool drop_rights(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const struct __user_cap_data_struct none[2] = { 0 };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_DUMPABLE, 0) &&
	       !syscall(SYS_capset, &header, none) && filter_calls();
}

/* All but standard error, @a and @b: sockets of netlink and the device are among them. */
static void close_others(int a, int b)
{
	struct rlimit limit;
	int end = 1024;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 65536)
		end = (int)limit.rlim_cur;
	for (int fd = 0; fd < end; fd++) {
		if (fd != STDERR_FILENO && fd != a && fd != b)
			close(fd);
	}
}

static void __attribute__((noreturn)) parse(const struct parser *p, int channel)
{
	struct control *control = NULL;
	struct loop *loop;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "overseer-socket");
	close_others(p->fd, channel);
	loop = loop_new();
	if (loop && drop_rights())
		control = control_new(loop, p->fd, channel);
	if (!control) {
		log_error("requests cannot be read without rights: %s",
			  strerror(errno));
		_exit(1);
	}
	loop_run(loop);
	_exit(0);
}

/* ---- in the process that acts ---- */

static void start(void *user);

static void on_child(void *user, const siginfo_t *info)
{
	struct parser *p = user;

	log_warning(
		"the process that reads requests ended, %s %d: another one begins",
		info->si_code == CLD_EXITED ? "exit status" : "signal",
		info->si_status);
	p->child = NULL;
	p->pid = 0;
	acting_free(p->acting);
	p->acting = NULL;
	loop_arm(p->restart, RESTART_PAUSE);
}

static void end_child(struct parser *p)
{
	if (p->pid)
		kill(p->pid, SIGKILL);
}

/* on_child() goes on. */
static void on_lost(void *user)
{
	struct parser *p = user;

	acting_free(p->acting);
	p->acting = NULL;
	end_child(p);
}

/* One that hangs would keep everybody from asking for an open network. */
static void on_ping(void *user)
{
	struct parser *p = user;

	if (p->acting && !acting_ping(p->acting)) {
		log_error("the process that reads requests hangs");
		end_child(p);
	}
	loop_arm(p->ping, PING_PAUSE);
}

static bool fork_child(struct parser *p)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return false;
	p->acting = acting_new(p->loop, p->machine, ends[0], on_lost, p);
	if (!p->acting) {
		close(ends[0]);
		close(ends[1]);
		return false;
	}
	p->pid = fork();
	if (!p->pid)
		parse(p, ends[1]);
	close(ends[1]);
	if (p->pid > 0)
		p->child = loop_add_child(p->loop, p->pid, on_child, p);
	else
		p->pid = 0;
	if (p->child)
		return true;
	end_child(p);
	p->pid = 0;
	acting_free(p->acting);
	p->acting = NULL;
	return false;
}

static void start(void *user)
{
	struct parser *p = user;

	if (fork_child(p)) {
		hosts_pass_port(p->hosts);
		return;
	}
	log_error("no process can read requests: %s", strerror(errno));
	loop_arm(p->restart, RESTART_PAUSE * 10);
}

static bool on_connected(void *user, int fd, bool is_port)
{
	struct parser *p = user;

	return p->acting && acting_pass(p->acting, fd, is_port);
}

static void on_renewal(void *user, const struct config *c)
{
	struct parser *p = user;

	hosts_renew(p->hosts, c);
}

static bool listen_at(struct parser *p, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(p->path, sizeof(p->path), "%s", path);
	memcpy(address.sun_path, p->path, sizeof(p->path));
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path);
	/* Root's alone from its first moment. */
	umask(0077);
	return p->fd >= 0 &&
	       !bind(p->fd, (struct sockaddr *)&address, sizeof(address)) &&
	       !listen(p->fd, LISTENING);
}

struct parser *parser_new(struct loop *loop, struct machine *m,
			  const char *path)
{
	struct parser *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->loop = loop;
	p->machine = m;
	p->hosts = hosts_new(loop, on_connected, p);
	if (!listen_at(p, path) || !p->hosts ||
	    !(p->restart = loop_add_timer(loop, start, p)) ||
	    !(p->ping = loop_add_timer(loop, on_ping, p))) {
		log_error("%s: %s", path, strerror(errno));
		parser_free(p);
		return NULL;
	}
	start(p);
	machine_on_renewal(m, on_renewal, p);
	loop_arm(p->ping, PING_PAUSE);
	return p;
}

void parser_free(struct parser *p)
{
	if (!p)
		return;
	machine_on_renewal(p->machine, NULL, NULL);
	hosts_free(p->hosts);
	loop_remove(p->restart);
	loop_remove(p->ping);
	loop_remove(p->child);
	end_child(p);
	acting_free(p->acting);
	if (p->fd >= 0)
		close(p->fd);
	unlink(p->path);
	free(p);
}
