// SPDX-License-Identifier: GPL-2.0-only
/* Waiting until nobody is outdated. */
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>

#include "sysgenid.h"

/* Whose watchers somebody waits for, and what came of it. */
struct settle_wait {
	struct sysgenid_file *file;
	struct sysgenid_wait_args *named; /* NULL: SYSGENID_WAIT_WATCHERS */
	u32 generation;			  /* that the last check was about */
};

/* Return: 0 when all have confirmed, -EAGAIN to go on waiting, or an error. */
static int settle_check(struct settle_wait *args)
{
	struct sysgenid_wait_args *named = args->named;
	int ret = 0;

	spin_lock_irq(&sysgenid.lock);
	args->generation = sysgenid.page->generation;
	args->file->waited = true;
	if (!named) {
		if (sysgenid_outdated(args->file))
			ret = -EINTR;
		else if (sysgenid.outdated)
			ret = -EAGAIN;
	} else {
		named->current_generation = args->generation;
		named->outdated = sysgenid.outdated;
		if (named->generation != args->generation)
			ret = -ESTALE;
		else if (args->file->tracked && sysgenid_outdated(args->file))
			ret = -EDEADLK;
		else if (sysgenid.outdated)
			ret = -EAGAIN;
	}
	spin_unlock_irq(&sysgenid.lock);
	return ret;
}

/* Is the answer of settle_check() as new as the hardware id? */
static bool settle_is_current(const struct settle_wait *args)
{
	return !sysgenid_moved() && sysgenid_generation() == args->generation;
}

/*
 * Sleeps until settle_check() has an answer, and that answer is not older than
 * the hardware id.
 *
 * @expires: CLOCK_MONOTONIC; NULL: never.
 * @interrupted: what to return on a signal.
 */
static int settle_sleep(struct settle_wait *args, ktime_t *expires, int interrupted)
{
	DECLARE_SWAITQUEUE(wait);
	bool expired = false;
	int ret;

	for (;;) {
		bool signal;

		sysgenid_sync();
		signal = prepare_to_swait_event(&sysgenid.settled, &wait, TASK_INTERRUPTIBLE);
		ret = settle_check(args);
		if (ret == -EAGAIN && !expired && !signal) {
			expired = !schedule_hrtimeout_range(expires, 0, HRTIMER_MODE_ABS);
			continue;
		}
		/* Another processor may have published since the check. */
		if (!settle_is_current(args) && !fatal_signal_pending(current)) {
			__set_current_state(TASK_RUNNING);
			cond_resched();
			continue;
		}
		if (ret == -EAGAIN)
			ret = expired ? -ETIME : interrupted;
		break;
	}
	finish_swait(&sysgenid.settled, &wait);
	return ret;
}

/*
 * SYSGENID_WAIT_WATCHERS. With a timeout a signal that is handled ends it for
 * good: a restarted call begins to count anew. What only stops or freezes the
 * process does not end it.
 */
int sysgenid_settle_watchers(struct sysgenid_file *f, unsigned long timeout_ms)
{
	struct settle_wait args = { .file = f };
	ktime_t expires;
	int ret;

	/* Mostly nobody is outdated: no clock is read for that, and no queue entered. */
	ret = settle_check(&args);
	if (ret != -EAGAIN && settle_is_current(&args))
		return ret;
	if (!timeout_ms)
		return settle_sleep(&args, NULL, -ERESTARTSYS);
	expires = ktime_add_safe(ktime_get(), timeout_ms > KTIME_MAX / NSEC_PER_MSEC ?
						      KTIME_MAX :
						      ms_to_ktime(timeout_ms));
	return settle_sleep(&args, &expires, -ERESTARTNOHAND);
}

/* SYSGENID_WAIT_GENERATION. When it is interrupted, @timeout_ns is what is left. */
int sysgenid_settle_generation(struct sysgenid_file *f, struct sysgenid_wait_args *arg)
{
	struct settle_wait args = { .file = f, .named = arg };
	ktime_t expires;
	int ret;

	if (arg->timeout_ns < 0)
		return settle_sleep(&args, NULL, -ERESTARTNOHAND);
	expires = ktime_add_safe(ktime_get(), arg->timeout_ns);
	ret = settle_sleep(&args, &expires, -ERESTARTNOHAND);
	if (ret == -ERESTARTNOHAND)
		arg->timeout_ns = max_t(s64, ktime_sub(expires, ktime_get()), 0);
	return ret;
}
