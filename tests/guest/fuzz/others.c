// SPDX-License-Identifier: MIT
/* Calls that are not the driver's: they must change nothing of what it keeps. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

enum { EVENT_MS = 30000 };

/* A new generation by root, whoever runs the program. */
void op_publish(struct world *w, const struct op *op)
{
	char byte = 0;

	(void)op;
	if (write(w->helper, &byte, 1) != 1 ||
	    recv(w->helper, &byte, 1, MSG_WAITALL) != 1)
		wrong(w, "the publisher is gone");
	if (w->blind)
		return;
	publish(w, w->generation + 1, false);
}

/* slot, what, value */
void op_fcntl(struct world *w, const struct op *op)
{
	static const int commands[] = {
		F_GETFL,     F_GETFD,  F_GETOWN,     F_SETOWN,	   F_GETLEASE,
		F_SETLEASE,  F_NOTIFY, F_GETPIPE_SZ, F_SETPIPE_SZ, F_ADD_SEALS,
		F_GET_SEALS, F_GETSIG, F_GET_RW_HINT
	};
	struct slot *s = slot(w, op->a[0]);
	struct file *f = s->file;
	int on = op->a[2] & 1;
	long got;

	if (!f)
		return;
	switch (op->a[1] % 8) {
	case 0:
	case 1:
		got = CALL(w, SYS_fcntl, s->fd, F_SETFL,
			   (on ? O_NONBLOCK : 0) |
				   (op->a[2] & 2 ? O_ASYNC : 0) |
				   (op->a[2] & 4 ? O_APPEND : 0));
		if (!got)
			f->nonblock = on;
		if (f->node == GENERATION && !f->path_only)
			EXPECT(w, got, "F_SETFL", 0);
		break;
	case 2:
		memcpy(w->memory.at, &on, sizeof(on));
		got = CALL(w, SYS_ioctl, s->fd, FIONBIO, w->memory.at);
		if (!got)
			f->nonblock = on;
		break;
	case 3:
		CALL(w, SYS_ioctl, s->fd, FIOASYNC, w->memory.at);
		break;
	case 4:
		CALL(w, SYS_flock, s->fd, (on ? LOCK_EX : LOCK_SH) | LOCK_NB);
		break;
	default:
		CALL(w, SYS_fcntl, s->fd, commands[op->a[2] % 13],
		     op->a[3] % 4);
	}
}

/* slot, which call, other slot: bytes from one file to another */
void op_transfer(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]), *to = slot(w, op->a[2]);
	size_t len = op->a[3] % 5000;
	int ends[2];
	long got = 0;

	if (!s->file ||
	    (s->file->node == OTHER && to->file && to->file->node == OTHER))
		return;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return;
	w->blocks = true;
	switch (op->a[1] % 8) {
	case 0:
		got = CALL(w, SYS_splice, s->fd, NULL, ends[1], NULL, len + 1,
			   SPLICE_F_NONBLOCK);
		break;
	case 1:
		if (write(ends[1], &w->generation, sizeof(w->generation)) < 0)
			break;
		got = CALL(w, SYS_splice, ends[0], NULL, s->fd, NULL, 4, 0);
		break;
	case 2:
		got = CALL(w, SYS_sendfile, ends[1], s->fd, NULL, len + 1);
		break;
	case 3:
		got = CALL(w, SYS_copy_file_range, s->fd, NULL, to->fd, NULL,
			   len + 1, 0);
		break;
	case 4:
		got = CALL(w, SYS_sendfile, to->fd, s->fd, NULL, len + 1);
		break;
	case 5:
		got = CALL(w, SYS_tee, s->fd, ends[1], len + 1,
			   SPLICE_F_NONBLOCK);
		break;
	case 6:
		got = CALL(w, SYS_ioctl, s->fd, FICLONE, to->fd);
		break;
	default:
		got = CALL(w, SYS_splice, s->fd, NULL, to->fd, NULL, len + 1,
			   SPLICE_F_NONBLOCK);
	}
	w->blocks = false;
	close(ends[0]);
	close(ends[1]);
	/* No bytes come or go by a way around read and write. */
	if (!w->blind && s->file->node != OTHER && got > 0)
		wrong(w, "transfer %u gives %ld", op->a[1] % 8, got);
}

/* slot, which call, number */
void op_misc(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	unsigned char *at = w->memory.at + 0x100;
	long n = op->a[2] % 8192;

	/* What it does to other files takes memory of the machine. */
	if (!s->file || s->file->node == OTHER)
		return;
	w->blocks = true;
	switch (op->a[1] % 14) {
	case 0:
		CALL(w, SYS_lseek, s->fd, n, op->a[3] % 6);
		break;
	case 1:
		CALL(w, SYS_fallocate, s->fd, op->a[3] % 64, n, n + 1);
		break;
	case 2:
		CALL(w, SYS_ftruncate, s->fd, n);
		break;
	case 3:
		CALL(w, SYS_fsync, s->fd);
		break;
	case 4:
		CALL(w, SYS_getdents64, s->fd, at, 4096);
		break;
	case 5:
		CALL(w, SYS_readahead, s->fd, 0, n);
		break;
	case 6:
		CALL(w, SYS_fadvise64, s->fd, 0, n, op->a[3] % 7);
		break;
	case 7:
		CALL(w, SYS_sync_file_range, s->fd, 0, n, op->a[3] % 8);
		break;
	case 8:
		CALL(w, SYS_fstat, s->fd, at);
		break;
	case 9:
		CALL(w, SYS_ioctl, s->fd, FS_IOC_FIEMAP, at);
		break;
	case 10:
		CALL(w, SYS_ioctl, s->fd, FS_IOC_GETFLAGS, at);
		break;
	case 11:
		CALL(w, SYS_fchdir, s->fd);
		break;
	case 12:
		CALL(w, SYS_preadv2, s->fd, NULL, 0, 0, 0, op->a[3] % 64);
		break;
	default:
		CALL(w, SYS_syncfs, s->fd);
	}
	w->blocks = false;
}

/* attribute, read or write, offset */
void op_sysfs(struct world *w, const struct op *op)
{
	static const char *const names[] = { "generation",    "watchers",
					     "outdated",      "source",
					     "hw_page_error", "reseed_error",
					     "sources" };
	unsigned int which = op->a[0] % 7, number = 0;
	char path[80], want[64] = "none\n";
	char *text = (char *)w->memory.at + 0x100;
	long got;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/misc/sysgenid/%s",
		 names[which]);
	fd = (int)CALL(w, SYS_openat, AT_FDCWD, path,
		       (op->a[1] % 4 == 3 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return;
	if (op->a[1] % 4 == 3) {
		got = CALL(w, SYS_write, fd, "1\n", 2);
		if (got >= 0)
			wrong(w, "a write to %s gives %ld", path, got);
	} else if (op->a[1] % 4 == 2) {
		CALL(w, SYS_pread64, fd, text, op->a[3] % 64, op->a[2]);
	} else {
		memset(text, 0, 64);
		got = CALL(w, SYS_read, fd, text, 64);
		if (w->loose)
			which = 6;
		switch (which) {
		case 0:
			number = w->generation;
			break;
		case 1:
			number = watchers(w);
			break;
		case 2:
			number = outdated(w);
			break;
		case 4:
			number = (unsigned int)w->hw_error;
		}
		if (which == 3 && w->source)
			strcpy(want, "software\n");
		else if (which != 3)
			snprintf(want, sizeof(want), "%u\n", number);
		if (!w->blind && which < 5 && strcmp(text, want))
			wrong(w, "%s is %.20s instead of %s", path, text, want);
	}
	close(fd);
}

static bool any_ready(const struct world *w, bool *watched)
{
	bool ready = false;

	*watched = false;
	for (int i = 0; i < FILES; i++) {
		const struct file *f = &w->files[i];

		if (!f->refs || !f->watched)
			continue;
		*watched = true;
		ready |= is_outdated(w, f);
	}
	return ready;
}

/*
 * slot, what, events. A set learns of a generation when the driver wakes it,
 * which may take a moment; that there is none is known at once.
 */
void op_epoll(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	struct epoll_event event = { .events = EPOLLIN }, got[4];
	int set = op->a[1] & 16 ? w->outer : w->inner;
	bool watched, ready = any_ready(w, &watched);
	struct file *f = s->file;
	long n;

	switch (op->a[1] % 8) {
	case 0:
	case 1:
	case 2:
		if (!f || (w->blind && f->node != GENERATION))
			return;
		if (op->a[2] % 8 == 7) {
			event.events = op->a[2] & ~(uint32_t)EPOLLWAKEUP;
			w->inner_unknown = true;
		}
		n = CALL(w, SYS_epoll_ctl, w->inner, EPOLL_CTL_ADD, s->fd,
			 &event);
		if (f->node != GENERATION)
			w->inner_unknown = true;
		else if (!n)
			f->watched++;
		if (f->node == HARDWARE)
			EXPECT(w, n, "EPOLL_CTL_ADD",
			       f->path_only ? -EBADF : -EPERM);
		break;
	case 3:
		n = CALL(w, SYS_epoll_ctl, w->inner, EPOLL_CTL_DEL, s->fd,
			 NULL);
		if (!n && f && f->node == GENERATION)
			f->watched--;
		break;
	case 4:
		w->inner_unknown = true;
		event.events = op->a[2];
		CALL(w, SYS_epoll_ctl, w->inner, EPOLL_CTL_MOD, s->fd, &event);
		break;
	default:
		if (w->blind || w->inner_unknown) {
			CALL(w, SYS_epoll_pwait, set, got, 4, 0, NULL, 0);
			break;
		}
		n = CALL(w, SYS_epoll_pwait, set, got, 4, ready ? EVENT_MS : 0,
			 NULL, 0);
		if (ready ? n < 1 : n)
			wrong(w, "epoll_wait gives %ld, and files are %sready",
			      n, ready ? "" : "not ");
	}
}

/* slot: to the other end of the socket */
void op_send(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	long got;

	if (!s->file || w->flying == IN_FLIGHT)
		return;
	control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.header), &s->fd, sizeof(int));
	got = CALL(w, SYS_sendmsg, w->sockets[0], &message, 0);
	if (got != 1)
		return;
	w->in_flight[w->flying++] = s->file;
	s->file->refs++;
}

/* slot: what was sent first */
void op_receive(struct world *w, const struct op *op)
{
	struct slot *s = slot(w, op->a[0]);
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct file *f;
	long got;
	int fd;

	if (!w->flying)
		return;
	clear_slot(w, s);
	do {
		got = CALL(w, SYS_recvmsg, w->sockets[1], &message,
			   MSG_CMSG_CLOEXEC);
	} while (got == -EINTR);
	if (got != 1 || message.msg_controllen < CMSG_LEN(sizeof(int)))
		wrong(w, "a descriptor that was sent does not arrive: %ld",
		      got);
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	f = w->in_flight[0];
	memmove(w->in_flight, w->in_flight + 1,
		--w->flying * sizeof(w->in_flight[0]));
	s->fd = fd;
	s->file = f;
}
