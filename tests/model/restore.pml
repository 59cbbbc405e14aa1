/* SPDX-License-Identifier: MIT */
/*
 * Programs that CRIU restores from one image, on any machine, any number of times: the plugin and SYSGENID_TRIGGER.
 *
 * A generation, and the number by which the vDSO's getrandom(3) compares, have MODULUS values. What the image says of them is
 * anything. A restored program may draw at any time, and others trigger meanwhile.
 */
#include "model.h"

#ifndef RESTORES
#define RESTORES 2
#endif
#ifndef TRIGGERS
#define TRIGGERS 1
#endif
#define MODULUS 12
#define HALF	6
#define NONE	255
#define NEXT(n) (((n) + 1) % MODULUS)
#define AHEAD(n, now) (((n) + MODULUS - (now)) % MODULUS)

hidden byte no_old_draw_by_page, no_old_draw_by_vdso;

byte generation;
byte reseeds;			/* the kernel RNG's own number: include/vdso/datapage.h */
byte saved, saved_reseeds;	/* in the image, in the memory of the program */
bool ready;

/* generation.c: generation_ahead_of_image(). Sets ahead; 0: refused. */
inline measure(least) {
	d_step {
		ahead = AHEAD(least, generation);
		if
		:: least == 0 -> ahead = 1
#ifndef IMAGE_IS_TRUSTED
		:: least == MODULUS - 1 || (least > generation && ahead >= HALF) -> ahead = 0
#endif
#ifdef LEAST_IS_NOT_COUNTED_AROUND
		:: else -> ahead = (least > generation + 1 -> ahead : 1)
#else
		:: else -> ahead = (ahead > 0 && ahead < HALF -> ahead : 1)
#endif
		fi
	}
}

/* generation.c: sysgenid_trigger_expected(), under the lock. */
inline trigger(least) {
	do
	:: expected = generation;
	   atomic {
	      if
	      :: generation == expected ->
	         measure(least);
	         if
	         :: ahead == 0
	         :: else -> reseeds = NEXT(reseeds); generation = (generation + ahead) % MODULUS
	         fi;
	         break
	      :: else
	      fi
	   }
	od;
	expected = 0
}

/* What the program has in its memory is from the image. */
inline run_program() {
	do
	:: seen != NONE ->
	   PROPERTY(no_old_draw_by_page, generation != seen);
	   seen = NONE
	:: vdso != NONE ->
	   PROPERTY(no_old_draw_by_vdso, reseeds != vdso);
	   vdso = NONE
	:: seen == NONE && vdso == NONE -> break
	od
}

/* criu/: plugin_init(), plugin_resume(). */
proctype restore() {
	byte seen, vdso, expected, ahead, least;
	bool refused;

	ready;
	seen = saved;
	vdso = saved_reseeds;
	least = NEXT(saved);
#ifdef NO_LEAST
	least = 0;
#endif
	ahead = 1;
#ifndef TRIGGER_AFTER_RESUME
	refused = saved == MODULUS - 1;
#ifdef IMAGE_IS_TRUSTED
	refused = false;
#endif
	if
	:: refused -> ahead = 0
	:: else -> trigger(least)
	fi;
#endif
#ifndef VDSO_IS_KEPT
	vdso = NONE;
#endif
	if
	:: ahead == 0	/* the restore has failed */
	:: else -> run_program()
	fi;
#ifdef TRIGGER_AFTER_RESUME
	trigger(least)
#endif
}

/* Another restore, or an agent. */
proctype other() {
	byte expected, ahead;

	ready;
	trigger(0)
}

init {
	byte i;

	select(generation : 0 .. MODULUS - 1);
	select(saved : 0 .. MODULUS - 1);
	/* Only the distance counts here. */
	select(saved_reseeds : 0 .. RESTORES + TRIGGERS);
	atomic {
		do
		:: i < RESTORES -> run restore(); i++
		:: else -> i = 0; break
		od;
		do
		:: i < TRIGGERS -> run other(); i++
		:: else -> i = 0; break
		od;
		ready = true
	}
}
