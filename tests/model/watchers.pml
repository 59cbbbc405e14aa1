/* SPDX-License-Identifier: MIT */
/*
 * Who is tracked, who is outdated, who sleeps: counting, confirming, late opens. Waiting for a generation, and for
 * those who have to adjust to it.
 *
 * The id is one word here, the number of the resume; check.pml has the rest of a publish. Open file f is that of
 * process f: sleepers, wake-ups and confirmations of one belong together. All that a run does is bounded, so that
 * lost wake-ups show in the end, when nobody can go on: see the property no_lost_wake_up.
 */
#include "model.h"

#ifndef RESUMES
#define RESUMES 1
#endif
/* How many processes of each kind. */
#ifndef WATCHERS
#define WATCHERS 0
#endif
#ifndef READERS
#define READERS 0
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef WAITERS
#define WAITERS 0
#endif
#ifndef TRIGGERS
#define TRIGGERS 0
#endif
#ifndef LIBRARY
#define LIBRARY 0
#endif
#ifndef DECLARERS
#define DECLARERS 0
#endif
#define FILES (WATCHERS + READERS + LATE + WAITERS + TRIGGERS + LIBRARY)
#define NEVER 255

hidden byte no_false_all_done, no_miscount, no_lost_wake_up, no_stale_confirmation, no_old_wait;

byte hardware, record;
byte generation;	/* sysgenid.page->generation */
byte published;		/* sysgenid.published */
byte watchers, outdated;

typedef File {
	bool tracked, fresh, open;
	byte confirmed_at;
	bool queued, woken;	/* a sleeper in its wait queue, and whether it was woken */
	bool settled_queued;	/* ... in sysgenid.settled */
	byte memory;		/* for properties: the generation that its program has adjusted to */
	byte seen;		/* likewise: if it asks for another generation than one, 1 + that one */
};
File file[FILES];

bool compare_work_pending, wake_work_pending;

#define OUTDATED(f) (file[f].confirmed_at != published)
/* Readers and pollers ask that without the lock: check.pml has the loads of sysgenid_file_outdated(). */

/*
 * A critical section that nobody without the lock can look into: one step. Who drops the lock takes it in several.
 */
#ifdef DROP_LOCK
#define SECTION(...) skip; __VA_ARGS__
#else
#define SECTION(...) atomic { lock == 0 -> __VA_ARGS__ }
#endif

/* Without the lock an update is a load and a store. */
#ifdef DROP_LOCK
#define ADD(counter, n) old = counter; counter = old + n
#else
#define ADD(counter, n) counter = counter + n
#endif

/* At the end of each critical section. */
inline counts_are_right() {
	d_step {
		byte i, t, o;
		i = 0; t = 0; o = 0;
		do
		:: i < FILES ->
		   if
		   :: file[i].tracked -> t++; if :: OUTDATED(i) -> o++ :: else fi
		   :: else
		   fi;
		   i++
		:: else -> break
		od;
		PROPERTY(no_miscount, watchers == t && outdated == o);
		i = 0; t = 0; o = 0
	}
}

/* generation.c: generation_store(), with what publish() has found. Caller holds the lock. */
inline store(id, hardware_moved) {
	published++;
#if !defined(OUTDATED_LATE) && !defined(NOT_OUTDATED)
	outdated = watchers;
#endif
	generation = published;
	if :: hardware_moved -> record = id :: else fi;
#ifndef OUTDATED_LATE
	counts_are_right();
#endif
	skip
}

/* generation.c: generation_announce(): queue_work(generation_wake_work). */
inline announce() {
#ifndef NO_WAKE_WORK
	wake_work_pending = true
#else
	skip
#endif
}

/* generation.c: sysgenid_sync(). How look and publish are made up of loads and stores is for check.pml. */
inline sync() {
	if
	:: hardware == record	/* generation.c: sysgenid_moved() */
	:: else ->
#ifdef WAKE_BEFORE_PUBLISH
	   announce();
#endif
	   SECTION(
		if
		:: hardware != record -> moved = true; store(hardware, true)
		:: else
		fi
	   );
	   if
#ifndef WAKE_BEFORE_PUBLISH
	   :: moved ->
#ifdef OUTDATED_LATE
	      outdated = watchers;
#endif
	      moved = false;
	      announce()
#endif
	   :: else -> moved = false
	   fi
	fi
}

#define STACK byte old; bool moved

/* generation.c: generation_compare_fn(), started by the source, as acpi_notify() of source-acpi.c. */
proctype compare_work() {
	STACK;
end:
	do
	:: atomic { compare_work_pending -> compare_work_pending = false }
	   sync()
	od
}

/* swake_up_all(&sysgenid.settled) */
inline wake_waiters() {
	d_step {
		byte w;
		w = 0;
		do
		:: w < FILES ->
		   if
		   :: file[w].settled_queued -> file[w].settled_queued = false; file[w].woken = true
		   :: else
		   fi;
		   w++
		:: else -> break
		od;
		w = 0
	}
}

/* wake_up_poll(&f->wait) */
inline wake_file(f) {
	d_step { if :: file[f].queued -> file[f].woken = true :: else fi }
}

/* watchers.c: sysgenid_watchers_wake(), generation_wake_fn() of generation.c. */
proctype wake_work() {
	byte f;
end:
	do
	:: atomic { wake_work_pending -> wake_work_pending = false }
	   wake_waiters();
	   do
	   :: f < FILES -> wake_file(f); f++
	   :: else -> f = 0; break
	   od
	od
}

/* watchers.c: watchers_wake_settled(). */
inline wake_settled() {
#ifndef NO_WAKE_AT_CONFIRM
	if
	:: outdated == 0 -> wake_waiters()
	:: else
	fi
#else
	skip
#endif
}

/* chardev.c: chardev_open(), watchers.c: sysgenid_file_open(). */
inline open_file(f) {
	sync();
	SECTION(file[f].confirmed_at = published; file[f].fresh = true; file[f].open = true)
}

/* watchers.c: sysgenid_file_track(). */
inline track(f) {
	sync();
	SECTION(
		file[f].tracked = true;
		file[f].fresh = false;
		ADD(watchers, 1);
		if :: OUTDATED(f) -> ADD(outdated, 1) :: else fi;
		counts_are_right()
	)
}

/* watchers.c: sysgenid_file_untrack(). */
inline untrack(f) {
	SECTION(
		file[f].tracked = false;
		ADD(watchers, -1);
#ifdef UNTRACK_FORGETS_OUTDATED
		skip;
#else
		if :: OUTDATED(f) -> ADD(outdated, -1) :: else fi;
#endif
		counts_are_right()
	);
	wake_settled()
}

/* watchers.c: sysgenid_file_set_confirmed(). Caller holds the lock. */
inline set_confirmed(f) {
#ifdef CONFIRM_COUNTS_TWICE
	if :: file[f].tracked -> ADD(outdated, -1) :: else fi;
#else
	if :: file[f].tracked && OUTDATED(f) -> ADD(outdated, -1) :: else fi;
#endif
	file[f].confirmed_at = published;
	file[f].fresh = false;
	counts_are_right()
}

/* chardev.c: chardev_confirm(), watchers.c: sysgenid_file_confirm(). Sets confirmed. */
inline confirm(f, g) {
	sync();
	SECTION(
#ifdef CONFIRM_ANYTHING
		confirmed = true;
#else
		confirmed = g == generation;
#endif
		if :: confirmed -> set_confirmed(f) :: else fi
	);
	if
	:: confirmed ->
	   wake_settled();
	   start = hardware;
#ifndef NO_LOOK_AFTER_CONFIRM
	   sync();
#endif
	   d_step {
		confirmed = generation == g;
		PROPERTY(no_stale_confirmation, WHEN(confirmed, record >= start));
		start = 0
	   }
	:: else
	fi
}

/* watchers.c: sysgenid_file_declare(). */
inline declare(f, g) {
	sync();
	SECTION(
#ifdef DECLARE_AFTER_TRACK
		if
		:: true ->
#else
		if
		:: file[f].fresh ->
#endif
		   file[f].fresh = false;
#ifndef LATE_IS_ADJUSTED
		   if :: g != generation -> file[f].confirmed_at = NEVER :: else -> file[f].confirmed_at = published fi;
#endif
		   counts_are_right()
		:: else
		fi
	);
#ifndef DECLARE_WAKES_NOBODY
	wake_file(f);
	wake_waiters()
#endif
}

/* SYSGENID_GET: chardev.c: chardev_ioctl_get(). */
inline get(g) {
	sync();
	do
	:: SECTION(g = generation);
	   sync();
	   if :: generation == g -> break :: else fi
	od
}

/* poll(2) without a timeout: chardev.c: chardev_poll(), fs/select.c: do_poll(). */
inline poll_file(f) {
	/* poll_wait(): once for a whole call */
#ifndef LOOK_BEFORE_QUEUE
	atomic { file[f].queued = true; file[f].woken = false };
#endif
	do
	:: sync();
	   atomic { g = generation; ready = OUTDATED(f) };
	   if
	   :: ready -> break
	   :: else
	   fi;
	   sync();
	   if
	   :: generation != g -> break
	   :: else
	   fi;
#ifdef LOOK_BEFORE_QUEUE
	   atomic { file[f].queued = true; file[f].woken = false };
#endif
endpoll:
	   atomic { file[f].woken -> file[f].woken = false }
	od;
	atomic { file[f].queued = false; file[f].woken = false; ready = false }
}

/* read(2): chardev.c: chardev_read(). Sets g. */
inline read_file(f) {
	sync();
	do
	:: atomic { g = generation; ready = OUTDATED(f) };
	   if
	   :: ready ->
	      sync();
	      if :: generation == g -> break :: else fi
	   :: else ->
	      /* wait_event_interruptible() */
	      do
	      ::
#ifdef LOOK_BEFORE_QUEUE
		 atomic { ready = OUTDATED(f) };
		 atomic { file[f].queued = true; file[f].woken = false };
#else
		 atomic { file[f].queued = true; file[f].woken = false };
		 atomic { ready = OUTDATED(f) };
#endif
		 if :: ready -> break :: else fi;
endread:
		 file[f].woken
	      od;
	      atomic { file[f].queued = false; file[f].woken = false };
	      sync()
	   fi
	od;
	ready = false
}

#define PROGRAM STACK; byte g, start; bool ready, confirmed

/* A program with poll(2) (or read(2)) in its loop. Ends when it likes. */
proctype watcher(byte f; bool polls) {
	PROGRAM;

#ifndef BEGUN
	open_file(f);
	file[f].memory = generation;
	confirm(f, file[f].memory);
	track(f);
#endif
	do
	:: if
	   :: polls -> poll_file(f); get(g)
	   :: else -> read_file(f)
	   fi;
	   file[f].memory = g;	/* adjusts */
	   confirm(f, g)
	:: untrack(f); break
	od
}

/* A program that is tracked, and never adjusts. */
proctype laggard(byte f) {
	STACK;

	open_file(f);
	file[f].memory = generation;
	track(f)
}

/* A program that lived before it opened the device, with what it knew then. */
proctype late_watcher(byte f) {
	PROGRAM;

	get(g);
	file[f].memory = g;
	open_file(f);
#ifdef DECLARE_AFTER_TRACK
	track(f);
	declare(f, file[f].memory);
#else
	declare(f, file[f].memory);
	track(f);
#endif
	do
	:: poll_file(f);
	   get(g);
	   file[f].memory = g;
	   confirm(f, g)
	od
}

/* For properties: has every tracked program really adjusted to the current generation? Sets truth. */
inline all_adjusted() {
	d_step {
		byte j;
		truth = true;
		j = 0;
		do
		:: j < FILES -> truth = truth && (!file[j].tracked || file[j].memory == generation); j++
		:: else -> break
		od;
		j = 0
	}
}

/* The overseer: SYSGENID_WAIT_WATCHERS, or SYSGENID_WAIT_GENERATION. */
proctype waiter(byte f; bool named) {
	PROGRAM;
	bool truth, done;
	byte wanted, at, last_look;

	open_file(f);
again:
	file[f].seen = 0;
	get(wanted);
	/* Who is to declare must not have confirmed. */
	if
	:: DECLARERS && file[f].fresh
	:: else -> confirm(f, wanted)
	fi;
wait:
	if :: named -> file[f].seen = 1 + wanted :: else fi;
	/* settle.c: settle_sleep() */
	do
	:: sync();
	   atomic { file[f].settled_queued = true; file[f].woken = false };
	   /* settle.c: settle_check() */
	   SECTION(
		g = generation;
		at = record;
		all_adjusted();
		done = outdated == 0;
		ready = (named -> g == wanted : !OUTDATED(f))
	   );
	   if
	   :: ready && !done ->
endwait:
	      file[f].woken
	   :: else ->
#ifndef NO_LOOK_AFTER_WAIT
	      atomic {
		last_look = hardware;	/* sysgenid_moved() */
		moved = hardware != record
	      }
	      if
#ifdef NO_GENERATION_AFTER_WAIT
	      :: !moved -> break
#else
	      :: !moved && generation == g -> break
#endif
	      :: else -> moved = false
	      fi
#else
	      last_look = hardware;
	      break
#endif
	   fi
	od;
	atomic { file[f].settled_queued = false; file[f].woken = false };
#ifndef NO_GENERATION_AFTER_WAIT
	if
	:: named ->
	   /* chardev.c: chardev_ioctl_wait(), chardev_again() */
	   last_look = hardware;
	   sync();
	   if :: generation != g -> goto wait :: else fi
	:: else
	fi;
#endif
	file[f].seen = 0;
	if
	:: ready && done -> PROPERTY(no_false_all_done, truth); PROPERTY(no_old_wait, at >= last_look)
	:: else -> goto again	/* EINTR, ESTALE */
	fi
}

/* Another thread of a waiter that sleeps: the generation of its memory is unknown. */
proctype declarer(byte f) {
	STACK;

	file[f].open;
	declare(f, NEVER)
}

/* SYSGENID_TRIGGER: generation.c: sysgenid_trigger_expected(). */
proctype trigger(byte f) {
	PROGRAM;

	open_file(f);
	file[f].memory = generation;
	track(f);
	confirm(f, file[f].memory);
	get(g);
	sync();
	SECTION(
		if
		:: generation == g ->
		   moved = true;
		   store(hardware, hardware != record);
		   file[f].memory = generation;
		   set_confirmed(f)
		:: else
		fi
	);
	if
	:: moved -> moved = false; announce()
	:: else
	fi;
	untrack(f)
}

/* lib/wait.c: sysgenid_wait(). */
proctype library_waiter(byte f) {
	PROGRAM;

	open_file(f);
	get(g);
	file[f].seen = 1 + g;
	do
	:: get(g);
	   if :: 1 + g != file[f].seen -> break :: else fi;
#ifdef LIBRARY_CONFIRMS_LATEST
	   g = generation;
#endif
	   confirm(f, g);
	   if
	   :: !confirmed
	   :: else -> poll_file(f)
	   fi
	od;
	file[f].seen = 0
}

active proctype hypervisor() {
	byte i;

	do
	:: hardware < RESUMES -> hardware++; compare_work_pending = true
	:: else -> break
	od;
	timeout ->
	/* Nobody can go on: who sleeps now, sleeps for ever. */
	d_step {
		PROPERTY(no_lost_wake_up, hardware == record);
		do
		:: i < FILES ->
		   PROPERTY(no_lost_wake_up, WHEN(file[i].queued, !OUTDATED(i)));
		   PROPERTY(no_lost_wake_up, WHEN(file[i].settled_queued, outdated != 0 && (NAMED || !OUTDATED(i))));
		   PROPERTY(no_lost_wake_up, WHEN(file[i].seen, file[i].seen - 1 == generation));
		   i++
		:: else -> break
		od
	}
}

init {
	byte i;

	atomic {
#ifdef BEGUN
		/* Open, confirmed and tracked, all of generation 0. How programs begin is tried with fewer of them. */
		do
		:: i < WATCHERS + READERS -> file[i].open = true; file[i].tracked = true; watchers++; i++
		:: else -> i = 0; break
		od;
#endif
		run compare_work();
		run wake_work();
		do
		:: i < WATCHERS && !DECLARERS -> run watcher(i, true); i++
		:: i < WATCHERS && DECLARERS -> run laggard(i); i++
		:: i >= WATCHERS && i < WATCHERS + READERS -> run watcher(i, false); i++
		:: i >= WATCHERS + READERS && i < WATCHERS + READERS + LATE -> run late_watcher(i); i++
		:: i >= WATCHERS + READERS + LATE && i < FILES - TRIGGERS - LIBRARY ->
		   run waiter(i, NAMED);
		   if :: DECLARERS -> run declarer(i) :: else fi;
		   i++
		:: i >= FILES - TRIGGERS - LIBRARY && i < FILES - LIBRARY -> run trigger(i); i++
		:: i >= FILES - LIBRARY && i < FILES -> run library_waiter(i); i++
		:: i == FILES -> i = 0; break
		od
	}
}
