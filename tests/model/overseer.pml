/* SPDX-License-Identifier: MIT */
/*
 * The overseer's state machine, with the gate and what is stored there. Commands, new generations, the lease, kill -9,
 * a flush of the rules, and hooks, watchers, a gate and a reseed that fail: in any order.
 *
 * The event loop is one thread: each label below is a function of machine.c, whose callers have nothing left to do
 * after the call. A hook that hangs is one whose command does not end until anything else has happened. The
 * generation moves between any two steps. kill -9 comes while the loop waits, and between the two places that
 * gate_set() writes. Only these outlive the overseer.
 *
 * When the world is calm, nothing fails any more. Then whoever can go on does, and what is left is asked for its exits.
 */
#include "model.h"

#ifndef RESUMES
#define RESUMES 1
#endif
/* How often each comes: steps that fail, kill -9, flushes of the rules, requests of each kind. */
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef FLUSHES
#define FLUSHES 0
#endif
#ifndef QUIESCES
#define QUIESCES 0
#endif
#ifndef RESUMED
#define RESUMED 0
#endif
#ifndef FORCES
#define FORCES 0
#endif
#ifndef RELOADS
#define RELOADS 0
#endif
#ifndef STATUSES
#define STATUSES 0
#endif
#ifndef STOPS
#define STOPS 0
#endif
/* quiesce-limit; publisher = trigger: nothing but a request tells of a resume. */
#ifndef LEASE
#define LEASE 1
#endif
#ifndef TRIGGER
#define TRIGGER 0
#endif
/* The gate is that of the module: the rules below are what it was set to, and a flush is a disarming. */
#ifndef KERNEL
#define KERNEL 0
#endif
#define GENERATIONS (RESUMES + 3)

hidden byte never_open_unsettled, closed_when_said, ready_is_current, quiesced_stays_closed, nothing_stays_frozen,
	every_request_is_answered, is_tried_again, never_stuck;

/* state.h */
#define READY	  0
#define QUIESCING 1
#define QUIESCED  2
#define ADJUSTING 3
#define HELD	  4

typedef Situation {
	byte state, generation;
	bool until_resume;
};

/* ---- what outlives the overseer ---- */

byte generation;
bool reseed_failed;		/* of this generation */
bool rules_there, file_there;
Situation rules, file;
bool on_top;			/* the tables of gate_close_on_top() */
bool frozen;

#ifdef GATE_COMPARES_NOTHING
#define OPENED_FOR_NOW true
#else
#define OPENED_FOR_NOW (!KERNEL || rules.generation == generation)
#endif
#define OPEN (!on_top && (!rules_there || (rules.state == READY && OPENED_FOR_NOW)))

/* ---- struct machine ---- */

bool started, knows, ending, wrong;
bool gate, gate_has_rules, g, source;
Situation now, stored;
bool again, lease, waiting, asked;
byte commands;
byte confirmed;
bool rules_event;

/* What runs, and whose callback ends it. */
#define NOTHING		0
#define QUIESCE_HOOKS	1	/* on_hooks_of_quiesce() */
#define QUIESCE_REST	6	/* on_quiesced() */
#define ADJUST_HOOKS	2	/* on_adjusted() */
#define THAW		3	/* on_thawed() */
#define THAW_BY_FORCE	4	/* on_thawed_by_force() */
#define THAW_TO_END	5	/* on_released() */

/* Of requests. */
#define RESUME 1
#define FORCE  2
byte request;

/* ---- the world ---- */

bool calm;
byte faults, kills, resumes;
bool behind;			/* TRIGGER: a resume that no generation has told of */
byte quiesces = QUIESCES, resumed = RESUMED, forces = FORCES, reloads = RELOADS, statuses = STATUSES, stops = STOPS;
byte flushes;

#ifdef LEASE_WITH_TRIGGER
#define LEASE_NEEDS_NEWS false
#else
#define LEASE_NEEDS_NEWS true
#endif

#define FAULT_IF(condition) atomic { (condition) && !calm && faults < FAULTS -> faults++ }
#define FAULT		    FAULT_IF(true)

/* ---- what only the properties know ---- */

byte settled;			/* the last generation that was adjusted to, or that somebody forced */
byte hooked;			/* ... that the hooks adjusted to */
bool bad[GENERATIONS];		/* ... whose reseed failed */
byte looked;			/* the last one that this overseer has read */
byte at_event;			/* the generation when the loop woke */
byte at_opening;		/* ... when the rules of READY were set */
bool promised, promised_until_resume;	/* "quiesced" was the answer, and nothing has ended that */
bool cloned;			/* ... and there was a resume since */
bool told;			/* the status or the log says that the network may be open */
bool flushed;			/* nobody has written the rules since */
bool thaw_failed;		/* by force; the status says so */
byte by;			/* whose step it is to end HELD */
byte tries;			/* ... since the world is calm */

#define BY_RESUME 1
#define BY_TRYING 2

#define SET(s, a, b, c) s.state = a; s.generation = b; s.until_resume = c
#define COPY(to, from)	SET(to, from.state, from.generation, from.until_resume)
#define SAME(a, b)	(a.state == b.state && a.generation == b.generation && a.until_resume == b.until_resume)

/* sysgenid_read(): truthful. With ends: the read that a request or the lease begins with, which ends a promise. */
#define READ()								\
	if								\
	:: atomic {							\
		g -> ok = true; looked = generation; source = !ending;	\
		if							\
		:: ends && looked == now.generation ->			\
		   promised = false; promised_until_resume = false	\
		:: else							\
		fi;							\
		ends = false						\
	   }								\
	:: atomic { !g -> ok = false }					\
	:: FAULT; atomic { ok = false; source = false }			\
	fi

#define MAY_FAIL() if :: ok = true :: FAULT; ok = false fi

inline settle(which) {
	settled = which;
	if
	:: which == generation && !behind -> promised = false; promised_until_resume = false; cloned = false
	:: else
	fi
}

/* "quiesced" is the answer. */
inline promise() {
	promised = true; promised_until_resume = now.until_resume; cloned = generation != now.generation || behind
}

/* A resume; with the module a generation comes of it at once. */
inline new_generation(at_once) {
	if :: promised -> cloned = true :: else fi;
	if
	:: at_once -> reseed_failed = false; generation++
	:: else -> behind = true
	fi
}

inline stop_work() {
	again = false; commands = NOTHING; waiting = false
}

/* machine.c: become(), start_lease(). */
inline become(what, which, keeps) {
	SET(now, what, which, keeps);
	if :: what == READY -> again = false; by = 0 :: else fi;
	lease = LEASE && what == QUIESCED
}

/* gate.c: gate_close_on_top(). Sets ok. */
inline close_on_top() {
	if
	:: !gate -> ok = false
	:: gate && !gate_has_rules -> ok = true
	:: atomic {
		gate && gate_has_rules ->
		ok = true; flushed = false;
		if
		:: KERNEL -> rules_there = true; rules.state = HELD
		:: else -> on_top = true
		fi
	   }
	:: FAULT_IF(gate && gate_has_rules); ok = false
	fi
}

/* machine.c: note_first(). */
inline note_first() {
	atomic {
		now.generation = looked;
		if
		:: !knows ->
		   /* Without any memory this look is the first. */
		   if :: !file_there && !rules_there -> settle(looked) :: else fi;
		   SET(stored, READY, looked, false)
		:: else
#ifdef FIRST_LOOK_FORGOTTEN
		   SET(stored, READY, looked, false)
#endif
		fi;
		knows = true
	}
}

/* machine.c: open_source(). A file that was just opened has confirmed. */
inline open_source() {
	if
	:: g
	:: atomic { !g -> g = true; source = true; confirmed = generation }
	:: FAULT_IF(!g)
	fi
}

/* gate.c: gate_recall(). True: before is what there was. */
inline recall() {
	d_step {
		SET(before, READY, 0, false);
		recalled = file_there || (rules_there && (!KERNEL || !OPEN));
		if
		/* gate_kernel_recall() tells no more than this, and only where there is no file. */
		:: KERNEL && file_there -> COPY(before, file)
		:: KERNEL && !file_there ->
		   if
		   :: recalled ->
		      before.generation = rules.generation;
		      if :: rules.state != READY -> before.state = HELD :: else fi
		   :: else
		   fi
#ifdef READY_COUNTS
		:: !KERNEL && rules_there && (!file_there || rules.state == READY || file.state != READY) -> COPY(before, rules)
#else
		:: !KERNEL && rules_there && (!file_there || rules.state != READY || file.state == READY) -> COPY(before, rules)
#endif
		:: else ->
		   if :: file_there -> COPY(before, file) :: else fi
		fi;
#ifdef UNTIL_RESUME_IS_NOT_STORED
		before.until_resume = false;
#endif
		skip
	}
}

/* Where gate_set() returns to. */
#define TO_ADJUST	1
#define TO_HOLD		2
#define TO_OPEN		3
#define TO_QUIESCE	4
#define TO_QUIESCED	5
#define TO_QUIESCED_AGAIN 6
#define TO_CHECK	7
#define TO_REOPEN	8

#define FORGET() SET(want, 0, 0, false); SET(before, 0, 0, false); out = 0; back = 0; ok = false; closed = false; \
	recalled = false; forced = false; then_wait = false; until = false; ends = false

/* A callback of the loop. */
#define WAKE(event) !request && (event) -> at_event = generation

active proctype overseer() {
	Situation want, before;
	byte out, back;
	bool ok, closed, recalled, forced, then_wait, until, ends;

born:
	atomic {
		/* machine.c: machine_new() */
		wrong = true; started = false; knows = false; ending = false;
		gate = false; gate_has_rules = false; g = false; source = false; rules_event = false;
		SET(now, HELD, 0, false);
		SET(stored, READY, 0, false);
		stop_work(); lease = false; asked = false; request = 0; confirmed = 0; by = 0; told = false;
		looked = settled; at_opening = 0;
		FORGET();
	}
	at_event = generation;
	goto begin;

idle:
	skip;
	d_step {
		FORGET();
		PROPERTY(never_open_unsettled,
			 WHEN(OPEN && gate_has_rules && started && !rules_event && !ending, settled == looked || told));
		PROPERTY(never_open_unsettled,
			 WHEN(OPEN && !started && gate && gate_has_rules && !flushed, settled == looked || told));
		PROPERTY(never_open_unsettled, WHEN(KERNEL && rules_there && OPEN, settled == generation));
		PROPERTY(closed_when_said,
			 WHEN(gate_has_rules && started && !rules_event && !ending && now.state != READY &&
			      (now.state != QUIESCING || commands == QUIESCE_REST || (frozen && !thaw_failed)), !OPEN || told));
	}
endidle:
	atomic {
		if
		/* The rest of a request, for which machine_resume() has called begin(). */
		:: request && !ending -> at_event = generation; goto resume_begun
		:: WAKE(source && !ending && confirmed != generation); goto on_generation
		:: WAKE(again);
		   again = false;
		   if :: calm -> tries++; PROPERTY(never_stuck, tries < 5) :: else fi;
		   goto on_again
		:: WAKE(lease); lease = false; goto on_lease
		:: WAKE(commands == QUIESCE_HOOKS); commands = NOTHING; goto on_hooks_of_quiesce
		:: WAKE(commands == QUIESCE_REST); commands = NOTHING; goto on_quiesced
		:: WAKE(commands == ADJUST_HOOKS); commands = NOTHING; goto on_adjusted
		:: WAKE(commands == THAW); commands = NOTHING; goto on_thawed
		:: WAKE(commands == THAW_BY_FORCE); commands = NOTHING; goto on_thawed_by_force
		:: WAKE(commands == THAW_TO_END); commands = NOTHING; goto on_released
		:: WAKE(waiting); waiting = false; goto on_confirmed
		:: WAKE(rules_event); rules_event = false; goto on_gate_event
		:: !calm && kills < KILLS -> kills++; goto born
		/* Requests, and signals. */
		:: WAKE(quiesces); quiesces--; goto machine_quiesce
		:: WAKE(resumed); resumed--; request = RESUME; goto machine_resume
		:: WAKE(forces); forces--; request = FORCE; goto machine_resume
		:: WAKE(reloads); reloads--; goto machine_reload
		:: WAKE(statuses); statuses--; goto machine_look
		:: WAKE(stops); stops--; goto machine_release
#if TRIGGER
		:: !request && behind && g && !ending -> behind = false; generation++; at_event = generation; goto on_generation
#endif
		fi
	}

	/* ---- gate.c: gate_set(). Sets ok. ---- */
set:
	if
	:: want.state == READY ->
#ifdef NO_FILE_BEFORE_OPENING
	   ok = true;
#else
	   if
	   :: atomic { file_there = true; COPY(file, want); ok = true }
	   :: FAULT; ok = false; goto set_done
	   fi;
#endif
	   if :: atomic { !calm && kills < KILLS -> kills++; goto born } :: true fi;
	   if
	   /* ESTALE */
	   :: atomic { KERNEL && gate_has_rules && want.generation != generation -> ok = false }
	   :: atomic {
		!KERNEL || !gate_has_rules || want.generation == generation ->
		/* What comes after the second look of is_current() is noticed, and closed, by the next event. */
		PROPERTY(never_open_unsettled, looked == settled);
		if
		:: back == TO_OPEN ->
		   PROPERTY(never_open_unsettled, at_event <= settled);
		   PROPERTY(quiesced_stays_closed, !promised);
		   at_opening = generation
		:: else
		fi;
		if
		:: gate_has_rules -> rules_there = true; COPY(rules, want); on_top = false; flushed = false
		:: else
		fi
	      }
	   :: FAULT; ok = false
	   fi
	:: else ->
	   if
	   :: atomic { !gate_has_rules -> closed = true }
	   :: atomic { gate_has_rules -> rules_there = true; COPY(rules, want); on_top = false; flushed = false; closed = true }
	   :: FAULT; closed = false
	   fi;
	   if :: atomic { !calm && kills < KILLS -> kills++; goto born } :: true fi;
#ifdef NO_FILE_AFTER_CLOSING
	   ok = closed; goto set_done;
#endif
	   if
	   :: atomic { file_there = true; COPY(file, want); ok = closed }
	   :: FAULT; ok = false
	   fi
	fi;
set_done:
	if
	:: back == TO_ADJUST -> goto adjust_closed
	:: back == TO_HOLD -> goto hold_closed
	:: back == TO_OPEN -> goto open_opened
	:: back == TO_QUIESCE -> goto quiesce_closed
	:: back == TO_QUIESCED -> goto quiesced_closed
	:: back == TO_QUIESCED_AGAIN -> goto quiesced_again_closed
	:: back == TO_CHECK -> goto check_set
	:: back == TO_REOPEN -> goto go_on_closed
	fi;

	/* ---- what can fail, and what becomes of the machine then ---- */
hold:
	atomic {
		stop_work();
		if
		:: !started && wrong -> ok = !told; goto hold_closed
		:: else -> told = false
		fi;
		if
		:: started ->
#ifdef HOLD_FORGETS_QUIESCED
		   SET(stored, HELD, now.generation, false);
#else
		   if
		   :: out == BY_RESUME || stored.state != QUIESCED -> SET(stored, HELD, now.generation, false)
		   :: else
		   fi;
#endif
#ifdef HOLD_DOES_NOT_CLOSE
		   ok = true; goto hold_closed
#endif
		   COPY(want, stored); back = TO_HOLD; goto set
		:: else
		fi
	}
	close_on_top();
hold_closed:
	atomic {
		if :: !ok -> out = BY_TRYING; told = true :: else fi;
#ifdef HOLD_IS_NOT_TRIED_AGAIN
		again = false;
#else
		again = out == BY_TRYING;
#endif
		become(HELD, now.generation, false);
		by = out;
#ifndef HOLD_ANSWERS_NOBODY
		asked = false;
#endif
		if :: then_wait -> waiting = true :: else fi;
		goto idle
	}

on_again:
	if :: !started -> goto begin :: else fi;
	READ();
	atomic {
		if
		:: !ok -> out = BY_TRYING; goto hold
		:: ok && stored.state == QUIESCED && (looked == stored.generation || stored.until_resume) -> goto quiesce_again
		:: else -> goto adjust
		fi
	}

quiesce_again:
	atomic { COPY(want, stored); back = TO_QUIESCED_AGAIN; goto set }
quiesced_again_closed:
	atomic {
		if
		:: ok -> told = false; become(QUIESCED, stored.generation, stored.until_resume); goto idle
		:: else -> out = BY_TRYING; goto hold
		fi
	}

	/* is_current(), twice. */
open_up:
#ifndef NO_LOOK_BEFORE_OPENING
	READ();
	if
	:: !ok -> out = BY_TRYING; goto hold
	:: ok && looked != now.generation -> goto adjust
	:: else
	fi;
#endif
	atomic { SET(stored, READY, now.generation, false); COPY(want, stored); back = TO_OPEN; goto set }
open_opened:
	if :: !ok -> out = BY_TRYING; goto hold :: else fi;
#ifndef NO_LOOK_AFTER_OPENING
	READ();
	if
	:: !ok -> out = BY_TRYING; goto hold
	:: ok && looked != now.generation -> goto adjust
	:: else
	fi;
#endif
	atomic {
		PROPERTY(ready_is_current, at_opening <= settled);
		PROPERTY(nothing_stays_frozen, !frozen || thaw_failed);
		told = false;
		become(READY, now.generation, false);
		asked = false;
		goto idle
	}

	/* ---- adjusting, to what was looked at ---- */
adjust:
	atomic {
		PROPERTY(quiesced_stays_closed, !promised_until_resume);
		stop_work();
		SET(stored, ADJUSTING, looked, false);
		COPY(want, stored); back = TO_ADJUST; goto set
	}
adjust_closed:
	atomic {
		if :: !ok -> now.generation = looked; out = BY_TRYING; goto hold :: else fi;
		told = false;
		become(ADJUSTING, looked, false)
	}
	/* destroy_connections(), sessions_reset(), run_hooks() */
	MAY_FAIL();
	atomic {
		if :: !ok -> out = BY_TRYING; goto hold :: else fi;
#ifndef RESEED_IS_NOT_ASKED
		if :: reseed_failed -> out = BY_RESUME; goto hold :: else fi;
#endif
		commands = ADJUST_HOOKS;
		goto idle
	}

on_adjusted:
	MAY_FAIL();
	atomic {
#ifdef HOOK_MAY_FAIL
		ok = true;
#else
		if :: !ok -> out = BY_RESUME; goto hold :: else hooked = now.generation fi;
#endif
#ifndef NOTHING_IS_THAWED
		frozen = false; thaw_failed = false;
#endif
#if !defined(RESEED_IS_NOT_ASKED) && !defined(RESEED_IS_ASKED_ONCE)
		if :: reseed_failed -> out = BY_RESUME; goto hold :: else fi;
#endif
		waiting = true;
		goto idle
	}

	/* laggards = hold. */
on_confirmed:
	if
	/* ESTALE */
	:: atomic { generation != now.generation -> goto on_generation }
	:: atomic {
		generation == now.generation ->
		if :: hooked == now.generation && !bad[now.generation] -> settle(now.generation) :: else fi;
		goto open_up
	   }
	/* ETIMEDOUT: laggards = hold */
	:: FAULT; atomic {
		if
		:: now.state != HELD -> out = BY_RESUME; then_wait = true; goto hold
		:: else -> waiting = true; goto idle
		fi
	   }
	:: FAULT; atomic { out = BY_TRYING; goto hold }
	fi;

on_generation:
	READ();
	atomic {
		if :: !ok -> out = BY_TRYING; goto hold :: else fi;
		confirmed = looked;
		if
		:: looked == now.generation -> goto idle
		:: else -> skip
		fi;
		if
		:: !started -> again = false; goto begin
#ifndef GENERATION_ENDS_UNTIL_RESUME
		:: started && stored.state == QUIESCED && stored.until_resume && !commands -> goto idle
#endif
		:: else -> skip
		fi;
		if :: now.state == QUIESCING -> asked = false :: else fi;
		goto adjust
	}

	/* ---- quiescing ---- */
machine_quiesce:
	if :: !started || ending -> goto idle :: else fi;
	READ();
	atomic {
		if
		:: !ok -> out = BY_TRYING; goto hold
		:: ok && now.state == QUIESCED && !commands && looked == now.generation ->
		   lease = LEASE;
		   promise();
		   goto idle
		:: ok && now.state == READY && !commands && looked != now.generation -> goto adjust
		:: ok && now.state == READY && !commands && looked == now.generation -> skip
		:: ok && now.state == QUIESCING && looked != now.generation -> goto on_generation
		:: else -> goto idle
		fi;
		if :: until = false :: until = true fi;
		become(QUIESCING, looked, until);
		asked = true;
		commands = QUIESCE_HOOKS;
		goto idle
	}

	/* The gate is open until the hooks have run, and what is stored is READY. */
on_hooks_of_quiesce:
	MAY_FAIL();
	atomic {
		if :: !ok -> asked = false; goto reopen :: else fi;
		COPY(want, now); back = TO_QUIESCE;
		goto set
	}
quiesce_closed:
	atomic {
		/* Some of it may be closed. */
		if :: !ok -> asked = false; goto reopen :: else fi;
		COPY(stored, want);
		told = false;
		frozen = true;
		commands = QUIESCE_REST;
		goto idle
	}

on_quiesced:
	MAY_FAIL();
	if
	:: !ok -> atomic { asked = false; goto reopen }
	:: else
	fi;
	READ();
	atomic {
		if
		:: !ok -> out = BY_TRYING; goto hold
		:: ok && looked != now.generation -> asked = false; goto adjust
		:: else -> skip
		fi;
		SET(want, QUIESCED, looked, now.until_resume); back = TO_QUIESCED; goto set
	}
quiesced_closed:
	atomic {
		if :: !ok -> asked = false; goto reopen :: else fi;
		COPY(stored, want);
		told = false;
		become(QUIESCED, want.generation, want.until_resume);
		asked = false;
		promise();
		goto idle
	}

reopen:
	atomic { commands = THAW; goto idle }

on_thawed:
	MAY_FAIL();
	atomic {
		if :: !ok -> out = BY_RESUME; goto hold :: else fi;
		frozen = false; thaw_failed = false;
		if :: reseed_failed -> out = BY_RESUME; goto hold :: else -> goto open_up fi
	}

on_thawed_by_force:
	MAY_FAIL();
	atomic {
		if :: ok -> frozen = false; thaw_failed = false :: else -> thaw_failed = true fi;
		goto open_up
	}

on_lease:
	if :: now.state != QUIESCED || commands || ending || (TRIGGER && LEASE_NEEDS_NEWS) -> goto idle :: else fi;
#ifdef LEASE_DOES_NOT_LOOK
	if :: true -> PROPERTY(quiesced_stays_closed, !cloned); promised = false; promised_until_resume = false; goto reopen fi;
#endif
	ends = true;
	READ();
	atomic {
		if
		:: !ok -> out = BY_TRYING; goto hold
		:: ok && looked != now.generation -> goto on_generation
		:: else ->
		   PROPERTY(quiesced_stays_closed, !behind);
		   goto reopen
		fi
	}

machine_look:
	if
	:: !g || ending || (stored.state == QUIESCED && stored.until_resume) -> goto idle
	:: else
	fi;
	if :: now.state == HELD -> if :: FAULT; goto idle :: true fi :: else fi;
	goto on_generation;

	/* ---- resume ---- */
machine_resume:
	atomic {
		if
		:: ending -> request = 0; goto idle
		:: !ending && !started -> goto begin
		:: else -> skip
		fi
	}
resume_begun:
	atomic {
		forced = request == FORCE;
		request = 0;
		if
		:: started -> skip
		:: !started && !forced -> goto idle
		:: !started && forced -> goto resume_asked
		fi;
		ends = true
	}
	READ();
	if :: !ok -> out = BY_TRYING; goto hold :: else fi;
resume_asked:
	atomic {
		if
		:: now.state == READY && !commands && looked == now.generation -> goto idle
		:: now.state == QUIESCING && !forced && looked == now.generation -> goto idle
		:: now.state == QUIESCING && !forced && looked != now.generation -> goto on_generation
		:: else -> skip
		fi;
		/* What comes now is what was asked for. */
		promised_until_resume = false;
		asked = true;
		again = false;
		if
		:: forced && now.state != READY -> goto force
		:: else -> skip
		fi;
		if
		:: looked != now.generation -> goto adjust
		:: looked == now.generation && (commands || (now.state == ADJUSTING && waiting)) -> goto idle
		:: looked == now.generation && !commands && now.state == QUIESCED -> goto reopen
		:: else -> goto adjust
		fi
	}

force:
	READ();
	atomic {
		if :: !ok || !gate -> out = BY_TRYING; goto hold :: else fi;
		stop_work();
		started = true; knows = true;
		now.generation = looked;
		/* The user answers for this generation, and for no later one. */
		settled = looked;
		promised = false; promised_until_resume = false; cloned = false;
		commands = THAW_BY_FORCE;
		goto idle
	}

	/* ---- the end: whoever asks for "stop" asks for an open network ---- */
machine_release:
	atomic {
		stop_work();
		ending = true;
		source = false;
		if
		:: now.state == READY -> skip
		:: else -> commands = THAW_TO_END; goto idle
		fi
	}
	goto release;
on_released:
	MAY_FAIL();
	if :: ok -> frozen = false :: else fi;
	/* A shutdown has begun. */
	if :: FAULT; goto born :: true fi;
release:
	if
	:: atomic { rules_there = false; on_top = false; flushed = false }
	:: FAULT
	fi;
	if
	:: atomic { file_there = false }
	:: FAULT
	fi;
	atomic {
		promised = false; promised_until_resume = false; cloned = false;
		goto born
	}

	/* ---- start ---- */
on_gate_event:
#ifdef FLUSH_IS_NOT_SEEN
	goto idle;
#endif
	if
	:: ending || !started || !gate_has_rules -> goto idle
	:: else
	fi;
	if
	:: rules_there && (KERNEL || SAME(rules, stored)) -> goto idle
	/* A new generation is adjusted to in a moment. */
	:: KERNEL && !rules_there && stored.state == READY && stored.generation != generation -> goto idle
	:: else
	fi;
	atomic { COPY(want, stored); back = TO_CHECK; goto set }
check_set:
	/* is_in_place(), once more. */
	if
	:: ok -> if :: true :: FAULT; ok = false fi
	:: else
	fi;
	atomic {
		if
		:: ok -> goto idle
		:: !ok && again -> told = true; goto idle
		:: else -> out = BY_TRYING; goto hold
		fi
	}

machine_reload:
	atomic {
		if :: ending -> goto idle :: else fi;
	}
	/* load() */
	MAY_FAIL();
	atomic {
		if
		:: ok -> wrong = false; gate = false; rules_event = false; stop_work(); asked = false; started = false; goto begin
		:: !ok && started -> wrong = true; become(now.state, now.generation, now.until_resume); goto idle
		:: else -> wrong = true; out = BY_TRYING; goto hold
		fi
	}

	/* start() */
begin:
	if
	:: wrong ->
	   MAY_FAIL();
	   if :: ok -> atomic { wrong = false; gate = false } :: else -> goto watch_without_config fi
	:: else
	fi;
	if
	:: gate
	:: atomic { !gate -> gate = true; gate_has_rules = true }
	:: FAULT_IF(!gate)
	fi;
	open_source();
	READ();
	if
	:: ok -> note_first()
	:: else
	fi;
	if :: !ok || !gate -> out = BY_TRYING; goto hold :: else fi;
	MAY_FAIL();
	if :: !ok -> out = BY_TRYING; goto hold :: else fi;
	recall();
	atomic { started = true; if :: recalled -> skip :: else -> COPY(before, stored) fi }

go_on:
	atomic {
		COPY(now, before); COPY(stored, before);
		told = false;
		if
		:: now.state == QUIESCED && (looked == now.generation || now.until_resume) -> goto quiesce_again
#ifdef HELD_IS_READY
		:: looked == now.generation && now.state != QUIESCED -> goto open_up
#endif
		:: looked != now.generation && !(now.state == QUIESCED && now.until_resume) -> goto adjust
		:: looked == now.generation && now.state == READY -> goto open_up
#ifdef QUIESCING_IS_NOT_CLOSED
		:: looked == now.generation && now.state == QUIESCING -> goto reopen
#else
		:: looked == now.generation && now.state == QUIESCING ->
		   SET(want, QUIESCING, now.generation, false); back = TO_REOPEN; goto set
#endif
		:: looked == now.generation && (now.state == ADJUSTING || now.state == HELD) -> goto adjust
		fi
	}

	/* stop_quiescing() */
go_on_closed:
	atomic {
		if :: !ok -> out = BY_TRYING; goto hold :: else fi;
		COPY(stored, want);
		become(QUIESCING, want.generation, false);
		goto reopen
	}

watch_without_config:
	told = false;
	if
	:: gate
	:: atomic { !gate -> gate = true; gate_has_rules = rules_there || on_top }
	:: FAULT_IF(!gate); told = true; out = BY_TRYING; goto hold
	fi;
	open_source();
	READ();
	if :: !ok -> out = BY_TRYING; goto hold :: else fi;
	note_first();
	if
	:: recall()
	:: FAULT; recalled = true; before.generation = GENERATIONS
	fi;
	if
	:: recalled && before.generation != looked ->
#ifdef UNSTARTED_DOES_NOT_CLOSE
	   ok = true;
#else
	   close_on_top();
#endif
	   told = !ok
	:: else
	fi;
	out = BY_TRYING;
	goto hold
}

active proctype world() {
	byte wanted;

	do
	:: atomic {
		!calm && resumes < RESUMES ->
		resumes++;
		new_generation(!TRIGGER);
		if
		:: true
		:: !calm && !TRIGGER && faults < FAULTS -> faults++; reseed_failed = true; bad[generation] = true
		fi
	   }
	:: atomic {
		!calm && flushes < FLUSHES && file_there && (rules_there || on_top) ->
		flushes++;
		rules_there = false; on_top = false; flushed = true;
		SET(rules, 0, 0, false);
		rules_event = gate && gate_has_rules
	   }
	:: calm = true; break
	od;
	timeout ->
	d_step {
		PROPERTY(never_stuck, started);
		PROPERTY(every_request_is_answered, !asked);
		PROPERTY(is_tried_again, now.state == READY || now.state == QUIESCED || (now.state == HELD && by == BY_RESUME));
		PROPERTY(closed_when_said, WHEN(gate_has_rules, (now.state == READY) == OPEN));
		PROPERTY(never_open_unsettled, WHEN(OPEN && gate_has_rules, settled == generation))
	}
	/* Each exit. */
	if
	:: atomic { wanted = RESUME; resumed++ }
	   timeout ->
	   PROPERTY(never_stuck, now.state == READY || (now.state == HELD && reseed_failed));
	   PROPERTY(every_request_is_answered, !asked)
	:: atomic { wanted = FORCE; forces++ }
	   timeout ->
	   PROPERTY(never_stuck, now.state == READY);
	   PROPERTY(every_request_is_answered, !asked)
	:: atomic { !TRIGGER -> new_generation(true) }
	   timeout ->
	   PROPERTY(never_stuck, now.state == READY || (now.state == QUIESCED && now.until_resume))
	fi;
	if
	:: now.state == QUIESCED -> resumed++
	:: atomic { now.state == HELD -> new_generation(true) }
	:: else
	fi;
	timeout ->
	PROPERTY(never_stuck, now.state == READY);
	PROPERTY(closed_when_said, OPEN);
	PROPERTY(never_open_unsettled, settled == generation)
}
