/* SPDX-License-Identifier: MIT */
/*
 * Publishing, the lock-free check and the truthful read, against a hypervisor that resumes the machine as a clone
 * between any two steps.
 *
 * A resume changes the hardware id at once, as all processors stand still, and nothing else. The snapshot holds the
 * state of the model at that moment. Each half of an id is the number of the resume that changed it
 * last. The hypervisor may change one half alone. A half that it changes is never again what it was.
 */
#include "model.h"

#ifndef RESUMES
#define RESUMES 2
#endif
#ifndef CALLERS
#define CALLERS 1
#endif
#ifndef TRIGGERS
#define TRIGGERS 1
#endif
/* Interrupts that look at the id; draws of random bytes; reseeds of the kernel's own. */
#ifndef GUARDS
#define GUARDS 0
#endif
#ifndef DRAWERS
#define DRAWERS 0
#endif
#ifndef RESEEDERS
#define RESEEDERS 0
#endif
/* The hypervisor writes one half after the other, while the machine runs, and only the guard looks. */
#ifndef HALVES
#define HALVES 0
#endif
#ifndef READERS
#define READERS 0
#endif
/* The gate: one that opens it, and one that sends a packet. */
#ifndef GATES
#define GATES 0
#endif
/* SYSGENID_GATE_TRIGGERS_PASS */
#ifndef PASS
#define PASS 0
#endif
#define GENERATIONS (RESUMES + TRIGGERS + 2)

hidden byte no_false_unchanged, no_stale_read, no_late_answer, one_generation_per_resume, reseeded_before_visible, no_torn_id,
	agent_and_hardware_make_one, every_resume_is_published, no_old_draw, no_key_put_back, no_old_generation, no_packet_unopened,
	no_packet_of_old_generation;

/* An id is a byte, and each of its halves half of that. */
byte hardware;		/* the hardware id: id.c */
byte record;		/* sysgenid.record->id */
byte generation;	/* sysgenid.page->generation */
byte published;		/* sysgenid.published */
byte pool, key;		/* the kernel RNG: the id mixed last, and the one that its key was made from */
byte mixed;		/* sysgenid.mixed */
byte count;		/* inflight_mixed of inflight.c */

/* What the gate was opened for: struct sysgenid_opening. Behind one pointer: all of it is replaced at once. */
typedef opening {
	bool there;
	byte id, generation, published
};
opening gate;

/* What only the properties know. */
byte resumes;
byte resume_of[GENERATIONS];	/* the resume that each generation belongs to */
byte published_resume;		/* ... and the newest one published */
byte ids[RESUMES + 1];		/* the hardware id after each */
byte at_reseed;			/* the hardware id when the last reseed ended */

#define LOW(id) (id & 15)
#define HIGH(id) (id & 240)
#define RESUME_OF(id) (LOW(id) > id >> 4 -> LOW(id) : id >> 4)
/* An 8-byte load, and an 8-byte store. */
#define LOAD_LOW(to, from) to = HIGH(to) | LOW(from)
#define LOAD_HIGH(to, from) to = LOW(to) | HIGH(from)

/* What publish() and its callers keep on the stack. */
#define STACK			\
	byte id, now, again, recorded, at_lock, next;	\
	bool moved, reseeded

/* What is dead need not be told apart. */
#define FORGET() d_step { id = 0; now = 0; again = 0; at_lock = 0; next = 0; reseeded = false }

/* id.c: sysgenid_id_read(). */
inline read_hardware_id(id) {
	LOAD_LOW(again, hardware);
	LOAD_HIGH(again, hardware);
	do
	:: id = again;
#if defined(TORN_ID) || defined(ID_READ_ONCE)
	   break;
#endif
	   LOAD_LOW(again, hardware);
	   LOAD_HIGH(again, hardware);
	   if
	   :: id == again -> break
	   :: else
	   fi
	od
}

/* generation.c: sysgenid_moved(). Sets moved. */
inline look() {
	LOAD_LOW(recorded, record);
	LOAD_HIGH(recorded, record);
	moved = LOW(hardware) != LOW(recorded);
	d_step { moved = moved || HIGH(hardware) != HIGH(recorded); recorded = 0 }
}

#if RESEEDERS
#define COUNT() count++
#else
#define COUNT() skip
#endif

/* reseed.c: sysgenid_reseed_mix(), inflight.c: sysgenid_inflight_mixed(). */
inline mix(id) {
#ifdef COUNT_BEFORE_MIX
	COUNT();
#endif
#ifndef NO_MIX
	pool = id;
#endif
#if !defined(COUNT_BEFORE_MIX) && !defined(COUNT_AFTER_RESEED)
	COUNT();
#endif
	skip
}

/* reseed.c: sysgenid_reseed(). */
inline reseed() {
	d_step {
		key = pool;
		at_reseed = hardware;
		reseeded = true
	}
}

/* generation.c: generation_adopt(). */
inline adopt_id() {
	do
	:: mix(id);
#ifdef MIXED_BEFORE_RESEED
	   mixed = id;
#endif
	   reseed();
#ifdef COUNT_AFTER_RESEED
	   COUNT();
#endif
#if defined(NO_READ_AFTER_RESEED) || defined(ID_READ_ONCE)
	   break;
#endif
	   read_hardware_id(now);
	   if
	   :: now == id -> break
	   :: else -> id = now
	   fi
	od;
#if DRAWERS
	LOAD_LOW(mixed, id);
	LOAD_HIGH(mixed, id);
#endif
	skip
}

inline store_generation() {
#if READERS && defined(COUNTED_FIRST)
	published++;
#endif
	d_step {
		PROPERTY(no_torn_id, WHEN(moved, id == ids[RESUME_OF(id)]));
		PROPERTY(reseeded_before_visible, reseeded && WHEN(moved && !RESEEDERS, key == id && id == at_reseed));
		PROPERTY(one_generation_per_resume, WHEN(moved, RESUME_OF(id) > published_resume));
		PROPERTY(agent_and_hardware_make_one, WHEN(!moved, at_lock == published_resume));
		PROPERTY(one_generation_per_resume, next == generation + 1);
		if
		:: moved -> published_resume = RESUME_OF(id)
		:: else
		fi;
		resume_of[next] = published_resume;
		generation = next
	}
#if READERS && !defined(COUNTED_FIRST)
	published++
#endif
}

/* generation.c: generation_store(). The halves of the record have no order between them. */
inline store() {
#ifdef FRESH_RECORD
	read_hardware_id(now);
#else
	now = id;
#endif
#ifdef TRIGGER_RECORDS
	read_hardware_id(now);
#define RECORDS true
#else
#define RECORDS moved
#endif
#if defined(RECORD_FIRST)
	if :: RECORDS -> LOAD_LOW(record, now); LOAD_HIGH(record, now) :: else fi;
	store_generation()
#elif defined(FIRST_HALF_FIRST)
	if :: RECORDS -> LOAD_LOW(record, now) :: else fi;
	store_generation();
	if :: RECORDS -> LOAD_HIGH(record, now) :: else fi
#elif defined(SECOND_HALF_FIRST)
	if :: RECORDS -> LOAD_HIGH(record, now) :: else fi;
	store_generation();
	if :: RECORDS -> LOAD_LOW(record, now) :: else fi
#else
	store_generation();
	if
	:: RECORDS -> LOAD_LOW(record, now); LOAD_HIGH(record, now)
	:: RECORDS -> LOAD_HIGH(record, now); LOAD_LOW(record, now)
	:: else
	fi
#endif
}

/* generation.c: generation_publish(). Caller holds the lock. */
inline publish(software) {
	d_step { at_lock = resumes; reseeded = false };
	next = generation + 1;
	read_hardware_id(id);
#ifdef TRIGGER_IGNORES_ID
	moved = !software && id != record;
#else
	moved = id != record;
#endif
	if
	:: !moved && !software
	:: else ->
#ifdef RESEED_LATE
	   store();
#endif
	   if
	   :: moved -> adopt_id()
	   :: else ->
#ifndef TRIGGER_WITHOUT_RESEED
	      reseed();
#endif
	      skip
	   fi;
#ifndef RESEED_LATE
	   store();
#endif
	   skip
	fi;
	FORGET()
}

/* generation.c: sysgenid_sync(). */
inline sync() {
	look();
	if
	:: moved -> LOCK(); publish(false); UNLOCK()
	:: else
	fi
}

/* generation.c: generation_compare_fn(), generation_slow_fn(). */
proctype work() {
	STACK;
end:
	do
	:: hardware != record -> sync()
	od
}

/* generation.c: sysgenid_moved_whole(). */
#ifdef GUARD_HALF
#define MOVED_WHOLE (hardware != record)
#else
#define MOVED_WHOLE (LOW(hardware) != LOW(record) && HIGH(hardware) != HIGH(record))
#endif

/* generation.c: sysgenid_sync_at_once(). */
inline sync_at_once() {
	LOCK();
	if
	:: MOVED_WHOLE -> publish(false)
	:: else ->
	   if
	   :: DRAWERS && hardware != mixed -> read_hardware_id(id); adopt_id(); FORGET()
	   :: else
	   fi
	fi;
	UNLOCK()
}

/* guard.c: guard_interrupt(). */
proctype guard() {
	STACK;
end:
	do
	:: MOVED_WHOLE -> sync_at_once()
	od
}

/* drivers/char/random.c: crng_make_state(), with guard_generator() of guard.c. */
proctype drawer() {
	STACK;
	byte start;

	start = resumes;
#ifndef NO_GUARD_AT_DRAW
	/* generation.c: sysgenid_unmixed() */
	LOAD_LOW(recorded, mixed);
	LOAD_HIGH(recorded, mixed);
	moved = LOW(hardware) != LOW(recorded);
	d_step { moved = moved || HIGH(hardware) != HIGH(recorded); recorded = 0 }
	if
	:: moved -> sync_at_once()
	:: else
	fi;
#endif
	PROPERTY(no_old_draw, RESUME_OF(key) >= start)
}

/* drivers/char/random.c: crng_reseed(), with inflight_entry() and inflight_return() of inflight.c. */
proctype reseeder() {
	byte at_entry, taken;

	at_entry = count;
	taken = pool;
	key = taken;
#ifndef NO_PROBE
	do
	:: at_entry != count ->
	   at_entry = count;
	   LOCK();
	   key = pool;
	   UNLOCK()
	:: else -> break
	od
#endif
}

/* SYSGENID_GET: chardev.c: chardev_ioctl_get(), watchers.c: sysgenid_file_get(). Sets seen. */
inline truthful_read() {
	start = resumes;
#if !defined(NO_LOOK_AT_ENTRY) && !defined(NO_LOOK)
	sync();
#endif
	do
	:: LOCK();
	   seen = generation;
	   UNLOCK();
	   copied = resumes;	/* put_struct() */
#if defined(NO_LOOK_AFTER_COPY) || defined(NO_LOOK)
	   break;
#endif
	   /* chardev.c: chardev_again(), generation.c: sysgenid_stale() */
	   sync();
	   if
	   :: generation == seen -> break
	   :: else
	   fi
	od;
	PROPERTY(no_stale_read, resume_of[seen] >= start);
#ifndef NO_LOOK
	PROPERTY(no_late_answer, resume_of[seen] >= copied);
#endif
	skip
}

/* include/sysgenid.h: sysgenid_changed(). Sets changed. */
inline check() {
	d_step { start = resumes; visible = generation };
#if defined(GENERATION_LOADED_FIRST)
	loaded = generation;
	look();
#elif defined(GENERATION_BETWEEN_HALVES)
	LOAD_LOW(recorded, record);
	loaded = generation;
	LOAD_HIGH(recorded, record);
	moved = LOW(hardware) != LOW(recorded);
	moved = moved || HIGH(hardware) != HIGH(recorded);
#elif defined(GENERATION_BEFORE_RECORD)
	now = hardware;
	loaded = generation;
	LOAD_LOW(recorded, record);
	LOAD_HIGH(recorded, record);
	moved = now != recorded;
#elif defined(COUNTER_ALONE)
	loaded = generation;
	moved = false;
#elif defined(HARDWARE_LOADED_FIRST)
	LOAD_LOW(now, hardware);
	LOAD_HIGH(now, hardware);
	LOAD_LOW(recorded, record);
	LOAD_HIGH(recorded, record);
	moved = now != recorded;
	loaded = generation;
#else
	look();
	loaded = generation;
#endif
	changed = moved || loaded != seen;
	PROPERTY(no_false_unchanged, changed || (resume_of[seen] >= start && visible == seen));
	PROPERTY(reseeded_before_visible, changed || RESUME_OF(key) >= start)
}

/* A program that reads, acts and checks. */
proctype caller() {
	STACK;
	byte seen, start, copied, visible, loaded;
	bool changed;

	truthful_read();
	check()
}

/*
 * read(2) and poll(2) by an open file that has confirmed the current generation: sysgenid.h: sysgenid_file_outdated().
 * Without the lock, so that a reader may come between any two stores.
 */
proctype reader() {
	byte confirmed, confirmed_at, visible, counted, loaded;
	bool is_outdated;

	atomic { lock == 0 -> confirmed = generation; confirmed_at = published };
	visible = generation;	/* what another thread may have seen by then, in a mapping */
#ifdef LOADED_FIRST
	loaded = generation;
	counted = published;
#else
	counted = published;
	loaded = generation;
#endif
#ifdef COUNT_ALONE
	is_outdated = counted != confirmed_at;
#else
	is_outdated = counted != confirmed_at || loaded != confirmed;
#endif
	PROPERTY(no_old_generation, (is_outdated -> loaded != confirmed : visible == confirmed))
}

/*
 * SYSGENID_TRIGGER_GEN_UPDATE: generation.c: sysgenid_trigger_min().
 * Or SYSGENID_TRIGGER by an agent that knows the generation: sysgenid_trigger_expected().
 */
proctype trigger() {
	STACK;
	byte expected, start;

	if
	:: true -> LOCK(); publish(true); UNLOCK()
	:: true ->
	   expected = generation;
	   start = resumes;
	   sync();
	   LOCK();
	   if
#ifdef TRIGGER_EXPECTS_NOTHING
	   :: true ->
#else
	   :: generation == expected ->
#endif
	      publish(true);
	      /* A resume that it did not know of: the generation that comes of it is the hardware's. */
	      PROPERTY(agent_and_hardware_make_one, moved || resume_of[expected] >= start)
	   :: else
	   fi;
	   UNLOCK()
	fi
}

/*
 * SYSGENID_GATE_OPEN by a program that has adjusted to a generation: gate.c: gate_open(), gate_try_open(). By the time
 * that the program calls, the machine may have been resumed again.
 */
proctype opener() {
	STACK;
	byte expected, opened;

	expected = generation;
	do
	:: sync();
	   LOCK();
	   look();
	   if
	   :: moved -> UNLOCK()
	   :: else -> break
	   fi
	od;
	if
#ifdef OPEN_EXPECTS_NOTHING
	:: true ->
#else
	:: generation == expected ->
#endif
#ifdef OPEN_FOR_FRESH_ID
	   read_hardware_id(opened);
#else
	   opened = record;
#endif
	   skip;
	   d_step { gate.there = true; gate.id = opened; gate.generation = expected; gate.published = published }
	:: else
	fi;
	UNLOCK()
}

/* gate-hooks.c: hooks_open(). */
proctype packet() {
	byte start, visible;
	opening o;
	bool passes;

	d_step { start = resumes; visible = generation };
	d_step { o.there = gate.there; o.id = gate.id; o.generation = gate.generation; o.published = gate.published };
	passes = o.there;
#ifndef GATE_COMPARES_NO_ID
	passes = passes && LOW(hardware) == LOW(o.id);
	passes = passes && HIGH(hardware) == HIGH(o.id);
#endif
#if !PASS && !defined(GATE_COMPARES_NO_GENERATION)
	passes = passes && published == o.published;
	passes = passes && generation == o.generation;
#endif
	PROPERTY(no_packet_unopened, WHEN(passes, resume_of[o.generation] >= start));
	PROPERTY(no_packet_of_old_generation, PASS || WHEN(passes, o.generation >= visible))
}

active proctype hypervisor() {
	do
#if HALVES
	:: resumes < RESUMES ->
	   d_step { resumes++; ids[resumes] = resumes << 4 | resumes; LOAD_LOW(hardware, resumes) }
	   LOAD_HIGH(hardware, resumes << 4)
#else
	:: resumes < RESUMES -> d_step { resumes++; hardware = resumes << 4 | resumes; ids[resumes] = hardware }
	:: resumes < RESUMES -> d_step { resumes++; LOAD_LOW(hardware, resumes); ids[resumes] = hardware }
	:: resumes < RESUMES -> d_step { resumes++; LOAD_HIGH(hardware, resumes << 4); ids[resumes] = hardware }
#endif
	:: resumes == RESUMES -> break
	od;
	timeout ->
	PROPERTY(every_resume_is_published, hardware == record && published_resume == RESUMES);
	PROPERTY(no_key_put_back, WHEN(RESEEDERS, key == hardware))
}

init {
	byte i;

	atomic {
		if :: !HALVES -> run work() :: else fi;
		if :: GUARDS -> run guard() :: else fi;
		if :: DRAWERS -> run drawer() :: else fi;
		if :: RESEEDERS -> run reseeder() :: else fi;
		if :: GATES -> run opener(); run packet() :: else fi;
		do
		:: i < CALLERS -> run caller(); i++
		:: else -> i = 0; break
		od;
		do
		:: i < TRIGGERS -> run trigger(); i++
		:: else -> i = 0; break
		od;
		do
		:: i < READERS -> run reader(); i++
		:: else -> i = 0; break
		od
	}
}
