// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "adjusting.h"
#include "answering.h"
#include "backend.h"
#include "backoff.h"
#include "connections.h"
#include "environment.h"
#include "freezing.h"
#include "log.h"
#include "machine-inside.h"
#include "metrics.h"
#include "phases.h"
#include "restore.h"
#include "sessions.h"
#include "standing.h"
#include "steps.h"
#include "waiters.h"
#include "watchers.h"
#include "wiping.h"
#include "work.h"

/* Microseconds between looks at a reseed that nothing tells the end of. */
#define SETTLE_INTERVAL 10000

static void wait_for_watchers(struct machine *m, uint64_t timeout);

void renew(const struct machine *m)
{
	if (m->renewed)
		m->renewed(m->renewed_user, m->config);
}

/* False: it moved, or cannot be read, and the machine goes on from there. */
static bool is_current(struct machine *m)
{
	uint32_t generation;

	if (!read_or_hold(m, &generation))
		return false;
	if (generation == m->now.generation)
		return true;
	adjust(m, generation);
	return false;
}

static void restart_units(struct machine *m, const struct words *units,
			  restarts_done_fn *done)
{
	if (!units->count) {
		done(m, NULL);
		return;
	}
	m->restarting = m->backend->restart(
		m->loop, units, m->config->restart_timeout, done, m);
	if (!m->restarting)
		hold(m, NOT_RESTARTED, "restart: no memory");
}

/* The gate is open: a unit that does not come up closes it again. */
static void on_restarted_after(void *user, const char *failed)
{
	struct machine *m = user;

	m->restarting = NULL;
	if (failed)
		hold(m, NOT_RESTARTED, failed);
}

void forget_frozen(void)
{
	freezing_forget();
	wiping_forget();
}

void open_up(struct machine *m, enum event event)
{
	if (!is_current(m))
		return;
	if (state_with(m, event) != READY) {
		hold(m, NOT_IN_TABLE, "a step came in the wrong state");
		return;
	}
	phases_end(&m->phases, PHASE_WATCHERS);
	m->stored = (struct situation){ READY, m->now.generation, false };
	if (!gate_set(m->gate, &m->stored)) {
		/* There may be a newer one, for which the gate in the kernel is shut. */
		if (is_current(m))
			hold(m, GATE_FAILED, "the gate cannot be opened");
		return;
	}
	phases_end(&m->phases, PHASE_OPENING);
	if (!is_current(m))
		return;
	if (m->phases.began && event == ADJUSTED)
		metrics_count_restore(&m->metrics, &m->phases, m->laggards);
	m->unlogged = true;
	become(m, READY, m->now.generation, false);
	waiters_answer(&m->waiters, ANSWER_DONE, NULL);
	if (event == ADJUSTED && m->phases.began && m->now.state == READY &&
	    !work_is_running(&m->work))
		restart_units(m, &m->config->restart_after, on_restarted_after);
}

bool destroys_connections(const struct config *c)
{
	return c->destroy_connections == DESTROY_ALWAYS ||
	       (c->destroy_connections == DESTROY_WITH_GATE &&
		c->gate != GATE_NONE);
}

/*
 * Both clones hold the same keys and nonces. What comes later is new: the gate is
 * closed. False: the machine is held.
 */
static bool destroy_connections(struct machine *m)
{
	int r = destroys_connections(m->config) ? connections_destroy() : 0;
	char why[160];

	if (r > 0)
		log_notice("destroyed %d TCP connections", r);
	if (r >= 0)
		return true;
	snprintf(
		why, sizeof(why),
		"TCP connections older than the restore are still there: %s; destroy-connections = no leaves them",
		strerror(-r));
	hold(m, CONNECTIONS_LEFT, why);
	return false;
}

static void on_confirmed(void *user, int r, uint32_t outdated)
{
	struct machine *m = user;
	char late[sizeof(m->about) - 64], why[sizeof(m->about)];

	m->waiting = NULL;
	m->laggards = 0;
	if (!r) {
		m->about[0] = 0;
		open_when_settled(m);
		return;
	}
	/* There is a newer one. */
	if (r == -ESTALE) {
		look_at_generation(m);
		return;
	}
	if (r != -ETIMEDOUT) {
		snprintf(why, sizeof(why), "cannot wait for watchers: %s",
			 strerror(-r));
		hold(m, WATCHERS_UNKNOWN, why);
		return;
	}
	m->laggards = outdated;
	laggards_describe(m->g, late, sizeof(late));
	snprintf(why, sizeof(why), "not adjusted in time: %s", late);
	if (m->config->laggards == LAGGARDS_REPORT) {
		log_warning("%s", why);
		snprintf(m->about, sizeof(m->about), "%s", why);
		open_when_settled(m);
		return;
	}
	if (m->config->laggards != LAGGARDS_HOLD && m->signal) {
		const int signal = m->signal;

		m->signal = signal == SIGTERM ? SIGKILL : 0;
		if (laggards_kill(m->g, signal,
				  m->config->laggards ==
					  LAGGARDS_KILL_CONTAINER,
				  late, sizeof(late))) {
			wait_for_watchers(m, m->config->kill_timeout);
			return;
		}
		m->signal = 0;
		snprintf(why, sizeof(why), "not adjusted in time, and %s",
			 late);
	}
	if (m->now.state != HELD)
		hold(m, WATCHERS_LATE, why);
	/* A laggard may confirm yet. */
	wait_for_watchers(m, m->config->watcher_timeout);
}

static void wait_for_watchers(struct machine *m, uint64_t timeout)
{
	m->waiting = watchers_wait(m->loop, m->now.generation, timeout,
				   on_confirmed, m);
	if (!m->waiting)
		hold(m, WATCHERS_UNKNOWN, "no memory to wait for watchers");
}

bool is_reseeded(struct machine *m, bool *outdated)
{
	bool unused;
	const char *failure = reseed_failure(m, outdated ? outdated : &unused);

	if (failure && m->config->reseed != RESEED_WARN) {
		hold(m, NOT_RESEEDED, failure);
		return false;
	}
	if (failure)
		log_warning("generation %" PRIu32 ": %s", m->now.generation,
			    failure);
	return true;
}

static void look_later(struct machine *m)
{
	m->settles = true;
	loop_arm(m->settling, SETTLE_INTERVAL);
}

void on_settling(void *user)
{
	struct machine *m = user;
	struct sysgenid_info info;
	int r = sysgenid_get_info(m->g, &info, sizeof(info));
	const bool was_held = m->now.state == HELD;

	m->settles = false;
	if (r || info.flags & SYSGENID_GET_RESEED_PENDING) {
		if (!was_held && loop_now() >= m->settle_by)
			hold(m, NOT_SETTLED,
			     r ? "it is not known whether the last reseed is over" :
				 "the kernel's last reseed is not over within reseed-timeout");
		look_later(m);
		return;
	}
	/* A reseed that failed meanwhile holds it until there is a new generation. */
	if (!was_held && !is_reseeded(m, NULL))
		return;
	if (was_held && info.flags & SYSGENID_GET_RESEED_FAILED)
		return;
	if (was_held)
		m->about[0] = 0;
	open_up(m, ADJUSTED);
}

void open_when_settled(struct machine *m)
{
	if (m->config->reseed != RESEED_SETTLED || m->publishing) {
		open_up(m, ADJUSTED);
		return;
	}
	m->settle_by = loop_now() + m->config->reseed_timeout;
	on_settling(m);
}

static void on_restarted(void *user, const char *failed)
{
	struct machine *m = user;
	bool outdated;

	m->restarting = NULL;
	if (m->config->restart.count)
		phases_end(&m->phases, PHASE_RESTART);
	if (failed) {
		hold(m, NOT_RESTARTED, failed);
		return;
	}
	if (!is_reseeded(m, &outdated))
		return;
	/* A page file has readers, and does not know them. */
	if (m->publishing || !outdated)
		on_confirmed(m, 0, 0);
	else
		wait_for_watchers(m, m->config->watcher_timeout);
}

static void on_adjusted(void *user, const char *failed)
{
	struct machine *m = user;

	phases_end(&m->phases, PHASE_HOOKS);
	if (failed) {
		hold(m, HOOK_FAILED, failed);
		return;
	}
	forget_frozen();
	/* Thawed by now: systemd ends no unit that is frozen. */
	restart_units(m, &m->config->restart, on_restarted);
}

static void run_hooks(struct machine *m)
{
	const struct request *request = request_of(m);
	char **environment = NULL;
	bool ok = true;

	if (request && m->config->pass_environment) {
		environment = environment_new(request);
		ok = environment;
	}
	ok = ok && work_adjust(&m->work, m->config, &m->now, environment,
			       on_adjusted, m);
	environment_free(environment);
	if (!ok)
		hold(m, HOOKS_NOT_RUN, "the hooks cannot be run");
}

/* Nothing can be done for what is left alone but a restart, which is the administrator's to choose. */
static void wipe(struct machine *m)
{
	unsigned int pages;

	if (!m->config->wipe.count)
		return;
	pages = wiping_run(m->unwiped, sizeof(m->unwiped));
	phases_end(&m->phases, PHASE_WIPE);
	if (pages)
		log_notice("wiped %u pages", pages);
	if (m->unwiped[0])
		log_warning("not wiped, and may draw what siblings draw: %s",
			    m->unwiped);
}

static void run_steps(struct machine *m)
{
	const struct request *request = request_of(m);
	char why[sizeof(m->about)];

	if (steps_run(m->config, request,
		      request ? phases_now() - m->restore.since : 0, &m->phases,
		      why, sizeof(why))) {
		wipe(m);
		run_hooks(m);
	} else {
		hold(m, STEP_FAILED, why);
	}
}

static void on_sessions(void *user, const char *failed, const char *kept)
{
	struct machine *m = user;

	m->sessions = NULL;
	phases_end(&m->phases, PHASE_SESSIONS);
	snprintf(m->kept, sizeof(m->kept), "%s", kept);
	if (failed) {
		hold(m, SESSIONS_LEFT, failed);
		return;
	}
	if (kept[0])
		log_warning("not reset: %s", kept);
	run_steps(m);
}

void adjust(struct machine *m, uint32_t generation)
{
	struct sysgenid_info info;
	char why[sizeof(m->about)];
	const bool is_new = generation != m->now.generation;

	stop_work(m);
	if (!restore_is_of(&m->restore, generation))
		restore_forget(&m->restore);
	m->signal = SIGTERM;
	m->laggards = 0;
	m->about[0] = m->kept[0] = m->unwiped[0] = 0;
	m->stored = (struct situation){ ADJUSTING, generation, false };
	if (!enter(m, ADJUSTMENT_BEGUN, generation, false)) {
		m->now.generation = generation;
		hold(m, GATE_FAILED, "there is a generation to adjust to");
		return;
	}
	if (is_new)
		renew(m);
	phases_begin(&m->phases, restore_is_under_way(&m->restore) ?
					 m->restore.since :
				 sysgenid_get_info(m->g, &info, sizeof(info)) ?
					 phases_now() :
					 info.time);
	phases_end(&m->phases, PHASE_GATE);
	if (!destroy_connections(m))
		return;
	phases_end(&m->phases, PHASE_CONNECTIONS);
	if (!steps_mix(m->config, request_of(m), &m->phases, why,
		       sizeof(why))) {
		hold(m, STEP_FAILED, why);
		return;
	}
	/* Hooks and new sessions make keys, and frozen units draw on. */
	if (!is_reseeded(m, NULL))
		return;
	if (!m->config->reset_sessions || !sessions_are_possible()) {
		run_steps(m);
		return;
	}
	m->sessions = sessions_reset(m->loop, on_sessions, m);
	if (!m->sessions)
		hold(m, SESSIONS_LEFT, "no memory to reset sessions");
}

void look_at_generation(struct machine *m)
{
	uint32_t generation;

	if (!read_or_hold(m, &generation))
		return;
	sysgenid_confirm(m->g, generation);
	if (generation == m->now.generation)
		return;
	/* One that is being resumed or forced open is to adjust at once. */
	if (m->stored.state == QUIESCED && m->stored.until_resume &&
	    !work_is_running(&m->work)) {
		log_notice("generation %" PRIu32
			   " while quiesced: adjusting begins at \"resume\"",
			   generation);
		return;
	}
	if (m->now.state == QUIESCING)
		waiters_answer(&m->waiters, ANSWER_FAILED,
			       "there is a new generation already");
	backoff_reset(m->again);
	adjust(m, generation);
}
