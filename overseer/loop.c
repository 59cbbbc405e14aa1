// SPDX-License-Identifier: MIT
/*
 * epoll(7), and no library: removing a source has to take effect at once, and
 * static programs for musl have nothing else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define FOREVER UINT64_MAX

enum kind {
	IO,
	TIMER,
	CHILD,
	SIGNAL,
};

/* @when: FOREVER where the timer is not armed. @pid: of a child. */
struct loop_source {
	struct loop *loop;
	struct loop_source *previous, *next;
	enum kind kind;
	int fd;
	uint32_t events;
	bool enabled;
	uint64_t when;
	pid_t pid;
	union {
		loop_io_fn *io;
		loop_timer_fn *timer;
		loop_child_fn *child;
		loop_signal_fn *signal;
	} fn;
	void *user;
};

struct loop {
	int epoll;
	struct loop_source *sources;
	/* Timers and descriptors take turns, so that neither waits for ever. */
	bool timers_turn;
	bool exits;
	int code;
};

uint64_t loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll >= 0)
		return l;
	free(l);
	return NULL;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->sources)
		loop_remove(l->sources);
	close(l->epoll);
	free(l);
}

static struct loop_source *add(struct loop *l, enum kind kind, int fd,
			       void *user)
{
	struct loop_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = l;
	s->kind = kind;
	s->fd = fd;
	s->when = FOREVER;
	s->user = user;
	s->next = l->sources;
	if (s->next)
		s->next->previous = s;
	l->sources = s;
	return s;
}

struct loop_source *loop_remove(struct loop_source *s)
{
	if (!s)
		return NULL;
	loop_enable(s, false);
	if (s->kind == CHILD || s->kind == SIGNAL)
		close(s->fd);
	if (s->previous)
		s->previous->next = s->next;
	else
		s->loop->sources = s->next;
	if (s->next)
		s->next->previous = s->previous;
	free(s);
	return NULL;
}

static bool control(struct loop_source *s, int operation)
{
	struct epoll_event event = { .events = s->events, .data.ptr = s };

	return !epoll_ctl(s->loop->epoll, operation, s->fd, &event);
}

bool loop_enable(struct loop_source *s, bool enabled)
{
	if (s->kind == TIMER || s->enabled == enabled)
		return true;
	if (!control(s, enabled ? EPOLL_CTL_ADD : EPOLL_CTL_DEL))
		return false;
	s->enabled = enabled;
	return true;
}

void loop_set_events(struct loop_source *s, uint32_t events)
{
	s->events = events;
	if (s->enabled)
		control(s, EPOLL_CTL_MOD);
}

/* Takes @fd over if it is the loop's own. */
static struct loop_source *add_fd(struct loop *l, enum kind kind, int fd,
				  uint32_t events, void *user)
{
	struct loop_source *s = fd < 0 ? NULL : add(l, kind, fd, user);
	int error;

	if (s) {
		s->events = events;
		if (loop_enable(s, true))
			return s;
	}
	error = errno;
	if (s)
		loop_remove(s);
	else if (fd >= 0 && kind != IO)
		close(fd);
	errno = error;
	return NULL;
}

struct loop_source *loop_add_io(struct loop *l, int fd, uint32_t events,
				loop_io_fn *fn, void *user)
{
	struct loop_source *s = add_fd(l, IO, fd, events, user);

	if (s)
		s->fn.io = fn;
	return s;
}

struct loop_source *loop_add_timer(struct loop *l, loop_timer_fn *fn,
				   void *user)
{
	struct loop_source *s = add(l, TIMER, -1, user);

	if (s)
		s->fn.timer = fn;
	return s;
}

void loop_arm(struct loop_source *s, uint64_t wait)
{
	s->when = loop_now() + wait;
}

void loop_disarm(struct loop_source *s)
{
	s->when = FOREVER;
}

struct loop_source *loop_add_child(struct loop *l, pid_t pid, loop_child_fn *fn,
				   void *user)
{
	const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct loop_source *s = add_fd(l, CHILD, fd, EPOLLIN, user);

	if (s) {
		s->pid = pid;
		s->fn.child = fn;
	}
	return s;
}

struct loop_source *loop_add_signal(struct loop *l, int signal,
				    loop_signal_fn *fn, void *user)
{
	struct loop_source *s;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	s = add_fd(l, SIGNAL, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		   EPOLLIN, user);
	if (s)
		s->fn.signal = fn;
	return s;
}

static void call_child(struct loop_source *s)
{
	loop_child_fn *fn = s->fn.child;
	void *user = s->user;
	siginfo_t info = { 0 };

	/* Until it is reaped its number is nobody else's. */
	if (waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG) == 0 &&
	    !info.si_pid)
		return;
	loop_remove(s);
	if (fn)
		fn(user, &info);
}

static void call_signal(struct loop_source *s)
{
	struct signalfd_siginfo info;

	if (read(s->fd, &info, sizeof(info)) == sizeof(info))
		s->fn.signal(s->user);
}

static void call(struct loop_source *s, uint32_t events)
{
	switch (s->kind) {
	case IO:
		s->fn.io(s->user, events);
		break;
	case TIMER:
		s->when = FOREVER;
		s->fn.timer(s->user);
		break;
	case CHILD:
		call_child(s);
		break;
	case SIGNAL:
		call_signal(s);
		break;
	}
}

/* NULL: no timer is armed. */
static struct loop_source *first_timer(const struct loop *l)
{
	struct loop_source *first = NULL;

	for (struct loop_source *s = l->sources; s; s = s->next) {
		if (s->when != FOREVER && (!first || s->when < first->when))
			first = s;
	}
	return first;
}

static bool call_timer(struct loop *l)
{
	struct loop_source *s = first_timer(l);

	if (!s || s->when > loop_now())
		return false;
	l->timers_turn = false;
	call(s, 0);
	return true;
}

/* Milliseconds for epoll_wait(2), rounded up; -1: until something happens. */
static int wait_ms(uint64_t end)
{
	const uint64_t now = loop_now();
	uint64_t ms;

	if (end == FOREVER)
		return -1;
	ms = end > now ? (end - now + 999) / 1000 : 0;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

int loop_run_once(struct loop *l, uint64_t timeout)
{
	const uint64_t now = loop_now();
	uint64_t end = timeout < FOREVER - now ? now + timeout : FOREVER;
	struct loop_source *timer;
	struct epoll_event event;
	int n;

	if (l->timers_turn && call_timer(l))
		return 1;
	timer = first_timer(l);
	if (timer && timer->when < end)
		end = timer->when;
	/* One, because what it calls may remove the source of the next. */
	n = epoll_wait(l->epoll, &event, 1, wait_ms(end));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (!n)
		return call_timer(l);
	l->timers_turn = true;
	call(event.data.ptr, event.events);
	return 1;
}

int loop_run(struct loop *l)
{
	int r = 0;

	while (!l->exits && r >= 0)
		r = loop_run_once(l, FOREVER);
	return l->exits ? l->code : r;
}

void loop_exit(struct loop *l, int code)
{
	l->exits = true;
	l->code = code;
}
