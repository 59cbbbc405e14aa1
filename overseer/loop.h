/* SPDX-License-Identifier: MIT */
#ifndef LOOP_H
#define LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

/*
 * The event loop: descriptors, timers, children and signals. Each call of
 * loop_run_once() calls one function, so a source that was removed is never called.
 */
struct loop;
struct loop_source;

/* @events: of epoll_ctl(2). */
typedef void loop_io_fn(void *user, uint32_t events);
typedef void loop_timer_fn(void *user);
typedef void loop_child_fn(void *user, const siginfo_t *info);
typedef void loop_signal_fn(void *user);

/* NULL and errno, as all functions here that return a pointer. */
struct loop *loop_new(void);
/* Frees the sources that are left. */
void loop_free(struct loop *l);

/* EPERM: a regular file, which is always ready. */
struct loop_source *loop_add_io(struct loop *l, int fd, uint32_t events,
				loop_io_fn *fn, void *user);
/* 0 leaves EPOLLHUP and EPOLLERR. */
void loop_set_events(struct loop_source *s, uint32_t events);
/* Disabled: not even EPOLLHUP. False and errno: it stays disabled. */
bool loop_enable(struct loop_source *s, bool enabled);

/* Not armed. Arming cannot fail. */
struct loop_source *loop_add_timer(struct loop *l, loop_timer_fn *fn,
				   void *user);
/* Calls once, @wait microseconds from now; replaces an older time. */
void loop_arm(struct loop_source *s, uint64_t wait);
void loop_disarm(struct loop_source *s);

/* The child was reaped and its source removed before @fn is called; NULL: only reaps. */
struct loop_source *loop_add_child(struct loop *l, pid_t pid, loop_child_fn *fn,
				   void *user);
/* The signal is blocked by the caller. */
struct loop_source *loop_add_signal(struct loop *l, int signal,
				    loop_signal_fn *fn, void *user);

/* Before its descriptor is closed. Takes NULL, and returns it. */
struct loop_source *loop_remove(struct loop_source *s);

/* 1: one function was called; 0: @timeout microseconds went by; or -errno. */
int loop_run_once(struct loop *l, uint64_t timeout);
/* Until loop_exit(): its code; or -errno. */
int loop_run(struct loop *l);
void loop_exit(struct loop *l, int code);

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t loop_now(void);

#endif /* LOOP_H */
