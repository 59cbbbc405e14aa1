// SPDX-License-Identifier: MIT
/* Opening and closing, read, write and poll, by all the calls there are for it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../errno-name.h"
#include "fuzz.h"

struct request {
	long nr, arg[6], result;
};

static void perform(struct request *r)
{
	long ret = syscall(r->nr, r->arg[0], r->arg[1], r->arg[2], r->arg[3],
			   r->arg[4], r->arg[5]);

	r->result = ret == -1 ? -errno : ret;
}

static void *perform_in_thread(void *r)
{
	perform(r);
	return NULL;
}

/* Again and again, as the first one may come before the call sleeps. */
void interrupt_often(bool on)
{
	static const struct itimerval often = { { 0, 1000 }, { 0, 1000 } },
				      never;

	setitimer(ITIMER_REAL, on ? &often : &never, NULL);
}

static void perform_here(struct request *r, bool blocks)
{
	if (blocks)
		interrupt_often(true);
	perform(r);
	if (blocks)
		interrupt_often(false);
}

static void perform_in_child(struct world *w, struct request *r, bool blocks)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		wrong(w, "fork: %s", strerror(errno));
	if (!pid) {
		perform_here(r, blocks);
		shared->result = r->result;
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		wrong(w, "the child that makes the call ended with status %#x",
		      status);
	r->result = shared->result;
}

long call6(struct world *w, long nr, long a, long b, long c, long d, long e,
	   long f)
{
	struct request r = { .nr = nr, .arg = { a, b, c, d, e, f } };
	bool blocks = w->blocks && !w->blind;
	pthread_t thread;

	w->blocks = false;
	if (w->where == CHILD && !w->blind) {
		perform_in_child(w, &r, blocks);
	} else if (w->where == THREAD && !w->blind && !blocks) {
		if (pthread_create(&thread, NULL, perform_in_thread, &r))
			wrong(w, "cannot make a thread");
		pthread_join(thread, NULL);
	} else {
		perform_here(&r, blocks);
	}
	return r.result;
}

void expect_any(struct world *w, long got, const long *want, size_t n,
		const char *what)
{
	char wanted[128] = "";
	size_t len = 0;

	if (w->blind)
		return;
	if (n == 1)
		w->digest = mixed(w->digest, (uint64_t)got);
	for (size_t i = 0; i < n; i++)
		if (got == want[i])
			return;
	for (size_t i = 0; i < n && len < sizeof(wanted); i++)
		len += (size_t)snprintf(
			wanted + len, sizeof(wanted) - len, "%s%ld%s%s",
			i ? " or " : "", want[i], want[i] < 0 ? " " : "",
			want[i] < 0 ? errno_name((int)-want[i]) : "");
	wrong(w, "%s gives %ld %s instead of %s", what, got,
	      got < 0 && got > -4096 ? errno_name((int)-got) : "", wanted);
}

struct slot *slot(struct world *w, uint32_t raw)
{
	return &w->slots[raw % SLOTS];
}

void clear_slot(struct world *w, struct slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	file_put(w, s->file);
	s->fd = -1;
	s->file = NULL;
}

void set_slot(struct world *w, struct slot *s, long fd, struct file *f)
{
	clear_slot(w, s);
	if (fd < 0)
		return;
	s->fd = (int)fd;
	s->file = f;
	f->refs++;
}

static int open_other(uint32_t raw)
{
	static const char *const paths[] = {
		"/dev/null", "/dev/zero", "/proc/self/status",
		"/sys/class/misc/sysgenid/generation", "/tmp"
	};
	int ends[2];

	switch (raw % 9) {
	case 0:
		return memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	case 1:
		return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	case 2:
		return epoll_create1(EPOLL_CLOEXEC);
	case 3:
		if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
			return -1;
		close(ends[raw >> 4 & 1]);
		return ends[!(raw >> 4 & 1)];
	default:
		return open(paths[raw % 9 - 4],
			    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
}

/* Flags of which the model does not know what the file system makes of them. */
static int odd_flags(uint32_t raw)
{
	static const int odd[] = { O_DIRECT, O_DIRECTORY, O_TRUNC, O_NOATIME,
				   O_CREAT,  O_SYNC,	  O_APPEND };

	return raw % 16 < 14 ? 0 :
			       odd[(raw >> 4) % (sizeof(odd) / sizeof(odd[0]))];
}

static void opened(struct world *w, struct slot *s, enum node node, int flags,
		   int odd, long fd)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	const uint32_t index = lowest_index(w);
	struct file *f;
	long want = 0;

	if (!(flags & O_PATH)) {
		if (!may_open(w, node, writes))
			want = -EACCES;
		else if (node == HARDWARE)
			want = -w->hw_error;
	}
	if (!odd && node != OTHER)
		EXPECT(w, fd < 0 ? fd : 0, "open", want);
	if (fd < 0) {
		clear_slot(w, s);
		return;
	}
	f = file_new(w, node);
	f->path_only = flags & O_PATH;
	f->readable = (flags & O_ACCMODE) != O_WRONLY;
	f->writable = writes;
	f->nonblock = flags & O_NONBLOCK;
	if (node == GENERATION && !f->path_only) {
		f->fresh = true;
		f->confirmed = w->generation;
		f->confirmed_at = w->published;
		f->index = index;
	}
	set_slot(w, s, fd, f);
}

static int open_flags(uint32_t mode, uint32_t more)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY, O_RDWR };
	int flags = modes[mode % 4] | O_CLOEXEC | (more & 1 ? O_NONBLOCK : 0);

	return more % 32 == 31 ? O_PATH | O_CLOEXEC : flags;
}

/* slot, node, mode, flags, odd flags */
void op_open(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	uint32_t what = op->a[1] % 16;
	int odd = odd_flags(op->a[4]), flags = open_flags(op->a[2], op->a[3]);
	enum node node = what == 14		 ? OTHER :
			 what >= 10 && what < 13 ? HARDWARE :
						   GENERATION;
	long fd;

	clear_slot(w, s);
	if (node == OTHER) {
		fd = open_other(op->a[2]);
		opened(w, s, OTHER, O_RDWR, 0, fd);
		return;
	}
	wait_for_closes(w);
	fd = CALL(w, SYS_openat, AT_FDCWD,
		  node == HARDWARE ? SYSGENID_HW_DEVICE : SYSGENID_DEVICE,
		  flags | odd, 0600);
	opened(w, s, node, flags, odd, fd);
}

/* slot, of which slot, mode, flags, odd flags */
void op_reopen(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]), *of = slot(w, op->a[1]);
	int odd = odd_flags(op->a[4]), flags = open_flags(op->a[2], op->a[3]);
	char path[64];
	long fd;

	if (s == of || !of->file || of->file->node == OTHER)
		return;
	clear_slot(w, s);
	wait_for_closes(w);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", of->fd);
	fd = CALL(w, SYS_openat, AT_FDCWD, path, flags | odd, 0600);
	opened(w, s, of->file->node, flags, odd, fd);
}

/* slot, of which slot, how */
void op_duplicate(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]), *of = slot(w, op->a[1]);
	long fd;

	if (s == of || of->fd < 0)
		return;
	if (op->a[2] % 3 == 0 && s->fd >= 0) {
		fd = CALL(w, SYS_dup3, of->fd, s->fd, O_CLOEXEC);
		if (fd < 0)
			wrong(w, "dup3 gives %ld", fd);
		file_put(w, s->file);
		s->file = of->file;
		s->file->refs++;
		return;
	}
	fd = CALL(w, SYS_fcntl, of->fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		set_slot(w, s, fd, of->file);
}

void op_close(struct world *w, const struct op *op)
{
	clear_slot(w, slot(w, op->a[0]));
}

static size_t length(uint32_t raw)
{
	static const size_t lengths[] = { 4, 4, 4, 4,	 4,	   0,	      1,
					  3, 5, 8, 4096, 1u << 20, 0x7fffffff };

	return lengths[raw % (sizeof(lengths) / sizeof(lengths[0]))];
}

long model_read(struct world *w, struct file *f, uint64_t at, size_t len,
		bool *blocks)
{
	*blocks = false;
	if (!len)
		return 0;
	if (len < sizeof(w->generation))
		return -EINVAL;
	if (is_outdated(w, f)) {
		if (!can_write(w, at, sizeof(w->generation)))
			return -EFAULT;
		image_put(w, at, &w->generation, sizeof(w->generation));
		return sizeof(w->generation);
	}
	*blocks = !f->nonblock;
	return f->nonblock ? -EAGAIN : -EINTR;
}

long model_write(struct world *w, struct file *f, uint64_t at, size_t len)
{
	uint32_t value;

	if (len != sizeof(value))
		return -ENOBUFS;
	if (!can_read(w, at, len))
		return -EFAULT;
	memcpy(&value, (void *)(uintptr_t)at, sizeof(value));
	if (value != w->generation)
		return -EINVAL;
	confirmed(w, f, true);
	return sizeof(value);
}

bool is_hopeless(uint64_t at, size_t len)
{
	const uint64_t end = ((uint64_t)1 << 47) - PAGE;

	return at > end || len > end - at;
}

/* slot, where to, how many bytes, which call */
void op_read(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	uint64_t at = place(w, op->a[1], 0x40);
	size_t len = length(op->a[2]);
	struct iovec iov[2] = { { (void *)(uintptr_t)at, len },
				{ w->memory.at + 0x80, len } };
	bool blocks = false;
	struct file *f = s->file;
	long got, want, early;

	image_begin(w);
	early = is_hopeless(at, len) ? -EFAULT : 0;
	if (!f)
		want = -EBADF;
	else if (f->node == OTHER)
		want = 0;
	else if (f->path_only || !f->readable)
		want = -EBADF;
	else if (f->node == HARDWARE)
		want = -EINVAL;
	else
		want = model_read(w, f, at, len, &blocks);
	w->blocks = blocks || (f && f->node == OTHER);

	switch (op->a[3] % 6) {
	case 0:
		/* Of one piece, or the loop over the pieces is the kernel's to model. */
		got = CALL(w, SYS_readv, s->fd, iov, 1);
		break;
	case 1:
		got = CALL(w, SYS_pread64, s->fd, at, len, 0);
		if (f && f->node == HARDWARE && !f->path_only) {
			image_begin(w);
			want = -ESPIPE;
		}
		break;
	case 2:
		got = CALL(w, SYS_readv, s->fd, iov, 2);
		if (f && f->node == GENERATION && want == 4 && len == 4)
			want = 8, image_put(w, (uintptr_t)iov[1].iov_base,
					    &w->generation, 4);
		else if (want >= 0 || f)
			early = got;
		break;
	default:
		got = CALL(w, SYS_read, s->fd, at, len);
	}
	if (f && f->node == OTHER)
		return;
	EXPECT(w, got, "read", want, early ? early : want);
	if (got >= 0 && !blocks && f->node == GENERATION)
		image_check(w);
}

/* slot, where from, how many bytes, which call, what value */
void op_write(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	uint64_t at = place(w, op->a[1], 0x40);
	size_t len = op->a[2] % 13 == 12 ? 4 : length(op->a[2]);
	uint32_t value = near(w, op->a[4]);
	struct iovec iov = { (void *)(uintptr_t)at, len };
	struct file *f = s->file;
	long got, want, early = is_hopeless(at, len) ? -EFAULT : 0;

	put(w, at, &value, sizeof(value));
	if (!f)
		want = -EBADF;
	else if (f->node == OTHER)
		want = 0;
	else if (f->path_only)
		want = -EBADF;
	else if (op->a[3] % 6 == 1 && f->node == HARDWARE)
		want = -ESPIPE;
	else if (!f->writable)
		want = -EBADF;
	else if (f->node == HARDWARE)
		want = -EINVAL;
	else if (op->a[3] % 6 == 0 && !len)
		want = 0;
	else
		want = model_write(w, f, at, len);
	w->blocks = f && f->node == OTHER;
	if (w->blocks && len > 65536)
		len = iov.iov_len = 65536;
	switch (op->a[3] % 6) {
	case 0:
		got = CALL(w, SYS_writev, s->fd, &iov, 1);
		break;
	case 1:
		got = CALL(w, SYS_pwrite64, s->fd, at, len, 0);
		break;
	default:
		got = CALL(w, SYS_write, s->fd, at, len);
	}
	if (!f || f->node != OTHER)
		EXPECT(w, got, "write", want, early ? early : want);
}

/* slot, which call */
void op_poll(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	struct pollfd *p = (struct pollfd *)(void *)(w->memory.at + 0x100);
	struct timespec *none =
		(struct timespec *)(void *)(w->memory.at + 0x200);
	fd_set *set = (fd_set *)(void *)(w->memory.at + 0x300);
	struct file *f = s->file;
	bool ready;
	long got;

	if (!f || f->path_only || f->node == OTHER)
		return;
	ready = f->node == HARDWARE || is_outdated(w, f);
	memset(none, 0, sizeof(*none));
	if (op->a[1] % 3 == 0) {
		FD_ZERO(set);
		FD_SET(s->fd, set);
		got = CALL(w, SYS_pselect6, s->fd + 1, set, NULL, NULL, none,
			   NULL);
		EXPECT(w, got, "select", ready);
		return;
	}
	*p = (struct pollfd){ .fd = s->fd,
			      .events = (short)(op->a[2] | POLLIN) };
#ifdef SYS_poll
	if (op->a[1] % 3 == 1)
		got = CALL(w, SYS_poll, p, 1, 0);
	else
#endif
		got = CALL(w, SYS_ppoll, p, 1, none, NULL, 0);
	EXPECT(w, got, "poll", ready);
	if (!w->blind && f->node == GENERATION &&
	    (p->revents & ~(POLLIN | POLLRDNORM) ||
	     !!(p->revents & POLLIN) != ready))
		wrong(w, "poll says %#x", p->revents);
}
