/* SPDX-License-Identifier: MIT */
/*
 * What the models share.
 *
 * PROPERTY(name, condition): pan prints the text of an assertion that fails, and so the name. The names are
 * variables that are never set and not part of the state.
 *
 * M(x): is this run's mutation x? At most one is defined, as a macro with the value 1.
 */
#define PROPERTY(name, ...) assert(name || (__VA_ARGS__))
#define WHEN(a, b)	    (!(a) || (b))

/* sysgenid.lock, a spinlock. */
bit lock;

#ifdef DROP_LOCK
#define LOCK()	 skip
#define UNLOCK() skip
#else
#define LOCK()                      \
	atomic                      \
	{                           \
		lock == 0->lock = 1 \
	}
#define UNLOCK() lock = 0
#endif
