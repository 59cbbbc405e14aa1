// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "announce.h"
#include "backend.h"
#include "backoff.h"
#include "connections.h"
#include "environment.h"
#include "freezing.h"
#include "journal.h"
#include "log.h"
#include "machine.h"
#include "metrics.h"
#include "notify.h"
#include "phases.h"
#include "publishing.h"
#include "replace.h"
#include "restore.h"
#include "sessions.h"
#include "steps.h"
#include "waiters.h"
#include "watchers.h"
#include "wiping.h"
#include "work.h"

/* Microseconds between looks at a reseed that nothing tells the end of. */
#define SETTLE_INTERVAL 10000
/* Until everybody is told that the machine adjusts, if it is not ready before. */
#define TELLING_PAUSE 50000
/* From the answer to a host until everybody else is told: both may share one processor. */
#define ANSWERING_PAUSE 2000

static const char *const no_gate[] = {
	[GATE_NONE] = "no memory for the gate",
	[GATE_NFTABLES] =
		"the gate cannot be used: load nf_tables, and give the overseer CAP_NET_ADMIN; the log says more, and gate = none does without one",
	[GATE_KERNEL] =
		"the gate in the kernel cannot be used: it takes the module sysgenid with a gate; the log says more, and gate = nftables does without it",
};

struct machine {
	struct loop *loop;
	const struct backend *backend;
	/* Of the generation, and of the gate; either may be NULL. */
	struct loop_source *source, *gate_source;
	const char *path;
	/* That of @path, or one with no keys while the file is wrong: then @wrong says why. */
	struct config config[1];
	char wrong[512];
	/* NULL while it cannot be used. */
	struct gate *gate;
	/* NULL while there is no generation to read. */
	struct sysgenid *g;
	/* NULL: the module publishes. */
	struct publishing *publishing;
	/* False: what the last overseer left is not known. Held until it is. */
	bool started;
	/* @stored counts, if nothing else is found. */
	bool knows;
	/* What had to be closed is not; while @wrong, as watch_without_config() found it. */
	bool unclosed;
	/* On the way out: nothing leads back any more. */
	bool ending;
	/* What is told, and what the gate is to store: a quiesced machine stays so there while it is held. */
	struct situation now, stored;
	struct work work;
	/* Who asked for the machine to be quiesced. */
	pid_t asks;
	struct target *target;
	struct sessions *sessions;
	struct watchers_wait *waiting;
	struct restarts *restarting;
	/* Of what held the machine and may be over soon. */
	struct backoff *again;
	/* Ends what "quiesce" began, if nobody else does. */
	struct loop_source *lease;
	/* NULL: nobody is told. */
	struct announcer *announcer;
	/* Of ADJUSTING nobody was told yet, and when everybody is. */
	bool untold;
	struct loop_source *telling;
	/* The next signal for laggards; 0: there is none left. */
	int signal;
	unsigned int laggards;
	/* Why it is held, or who was late. */
	char about[768];
	/* Sessions of the kernel that are older than the generation. */
	char kept[512];
	/* Processes of "wipe" that may draw on. */
	char unwiped[512];
	/* Of the last adjustment. */
	struct phases phases;
	/* What the host wants of its generation. */
	struct restore restore;
	/* Of the last generation, and of the last configuration. */
	machine_renewed_fn *renewed;
	void *renewed_user;
	bool unlogged;
	struct metrics metrics;
	/* One line for one trouble with their file. */
	bool unwritten;
	/* For the last reseed: looks again, until when without complaint; and whether it is armed. */
	struct loop_source *settling;
	uint64_t settle_by;
	bool settles;
	struct waiters waiters;
};

static struct request *request_of(struct machine *m);
static void answer_host(struct machine *m, const char *error);
static void adjust(struct machine *m, uint32_t generation);
static void wait_for_watchers(struct machine *m, uint64_t timeout);
static void open_when_settled(struct machine *m);
static bool begin(struct machine *m);
static void on_generation(void *user, uint32_t events);
static void on_lease(void *user);

void machine_forget(struct machine *m, const void *user)
{
	waiters_forget(&m->waiters, user);
	waiters_forget(&m->restore.waiters, user);
}

void machine_on_renewal(struct machine *m, machine_renewed_fn *renewed,
			void *user)
{
	m->renewed = renewed;
	m->renewed_user = user;
}

static void renew(const struct machine *m)
{
	if (m->renewed)
		m->renewed(m->renewed_user, m->config);
}

struct json_object *machine_status(const struct machine *m)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "scope", json_object_new_string("system"));
	json_object_object_add(
		o, "state", json_object_new_string(state_name(m->now.state)));
	json_object_object_add(o, "generation",
			       json_object_new_int64(m->now.generation));
	if (m->now.state == READY && m->phases.began) {
		struct json_object *ms = json_object_new_double(
			phases_ms(phases_total(&m->phases)));

		json_object_set_serializer(ms,
					   json_object_double_to_json_string,
					   (void *)(uintptr_t) "%.1f", NULL);
		json_object_object_add(o, "ms", ms);
	}
	json_object_object_add(o, "laggards",
			       json_object_new_int64(m->laggards));
	if (m->about[0])
		json_object_object_add(o, "about",
				       json_object_new_string(m->about));
	if (m->wrong[0] && m->started)
		json_object_object_add(o, "configuration",
				       json_object_new_string(m->wrong));
	if (m->kept[0])
		json_object_object_add(o, "not-reset",
				       json_object_new_string(m->kept));
	if (m->unwiped[0])
		json_object_object_add(o, "not-wiped",
				       json_object_new_string(m->unwiped));
	return o;
}

/* ---- what can fail, and what becomes of the machine then ---- */

static void tell(struct machine *m)
{
	struct json_object *line = machine_status(m);

	announcer_say(m->announcer, line);
	json_object_put(line);
}

/* From each time that somebody asks for it, or that an overseer finds it so. */
static void start_lease(struct machine *m)
{
	if (m->now.state == QUIESCED && m->config->quiesce_limit)
		loop_arm(m->lease, m->config->quiesce_limit);
	else
		loop_disarm(m->lease);
}

static const struct metrics *metrics_of(struct machine *m)
{
	m->metrics.now = m->now;
	m->metrics.has_dropped = m->gate &&
				 gate_dropped(m->gate, &m->metrics.dropped_in,
					      &m->metrics.dropped_out);
	return &m->metrics;
}

struct json_object *machine_metrics(struct machine *m)
{
	return metrics_json(metrics_of(m));
}

static void write_metrics(struct machine *m)
{
	char *text;
	int r;

	if (!m->config->metrics)
		return;
	text = metrics_text(metrics_of(m));
	r = text ? replace_file(m->config->metrics, text) : -ENOMEM;
	free(text);
	if (r && !m->unwritten)
		log_error("%s: %s", m->config->metrics, strerror(-r));
	m->unwritten = r;
}

static void log_ready(const struct machine *m)
{
	char took[256];

	if (!m->phases.began) {
		journal_line(LOG_NOTICE, JOURNAL_READY, &m->now, NULL,
			     "ready at generation %" PRIu32, m->now.generation);
		return;
	}
	phases_describe(&m->phases, took, sizeof(took));
	journal_line(LOG_NOTICE, JOURNAL_READY, &m->now, &m->phases,
		     "ready at generation %" PRIu32
		     ", %.1f ms after it was published: %s ms; %u laggards",
		     m->now.generation, phases_ms(phases_total(&m->phases)),
		     took, m->laggards);
}

static void tell_everybody(struct machine *m)
{
	m->untold = false;
	loop_disarm(m->telling);
	if (m->now.state == ADJUSTING)
		log_notice("generation %" PRIu32 ": adjusting",
			   m->now.generation);
	tell(m);
	notify_status("%s at generation %" PRIu32 "%s%s",
		      state_name(m->now.state), m->now.generation,
		      m->about[0] ? ": " : "", m->about);
	m->backend->target_set(m->target, m->now.state == READY);
	write_metrics(m);
	if (m->unlogged)
		log_ready(m);
	m->unlogged = false;
}

static void on_telling(void *user)
{
	tell_everybody(user);
}

/*
 * Everybody is told, in order. That the machine adjusts can wait until it is ready:
 * log, host and systemd take longer than the way there. Whether the gate followed
 * is the matter of enter() and hold().
 */
static void become(struct machine *m, enum state state, uint32_t generation,
		   bool until_resume)
{
	bool answers;

	if (m->untold)
		tell_everybody(m);
	m->now = (struct situation){ state, generation, until_resume };
	if (state == READY)
		backoff_reset(m->again);
	start_lease(m);
	answers = restore_is_of(&m->restore, generation) &&
		  restore_is_under_way(&m->restore) &&
		  (state == READY || state == HELD);
	if (answers)
		answer_host(m, state == HELD ? "held" : NULL);
	m->untold = answers || state == ADJUSTING;
	if (m->untold)
		loop_arm(m->telling, answers ? ANSWERING_PAUSE : TELLING_PAUSE);
	else
		tell_everybody(m);
}

static enum state state_with(const struct machine *m, enum event event)
{
	if (!event_is_possible(m->now.state, event))
		log_error("\"%s\" while %s is not in the table of states",
			  event_name(event), state_name(m->now.state));
	return state_after(m->now.state, event);
}

/* The gate first. False: nothing has changed but what the gate may have done; hold(). */
static bool enter(struct machine *m, enum event event, uint32_t generation,
		  bool until_resume)
{
	const struct situation next = { state_with(m, event), generation,
					until_resume };

	if (next.state == HELD || !gate_set(m->gate, &next))
		return false;
	m->stored = next;
	become(m, next.state, generation, until_resume);
	return true;
}

static void stop_work(struct machine *m)
{
	backoff_disarm(m->again);
	work_stop(&m->work);
	sessions_cancel(m->sessions);
	m->sessions = NULL;
	watchers_cancel(m->waiting);
	m->waiting = NULL;
	if (m->restarting)
		m->backend->restart_cancel(m->restarting);
	m->restarting = NULL;
	loop_disarm(m->settling);
	m->settles = false;
}

/*
 * Truthful. One that cannot be read leads to hold(), which asks again: until then its
 * descriptor would be ready for ever.
 */
static bool read_generation(struct machine *m, uint32_t *generation)
{
	int r = m->g ? sysgenid_read(m->g, generation) : -ENODEV;

	if (m->source && !loop_enable(m->source, !r && !m->ending))
		r = -errno;
	if (r)
		log_error("the generation cannot be read: %s", strerror(-r));
	return !r;
}

/* What a held machine keeps; one that was quiesced is to be so again. */
static bool close_held(struct machine *m, enum way_out out)
{
	if (!m->started)
		return m->gate && gate_close_on_top(m->gate);
	if (out == BY_RESUME || m->stored.state != QUIESCED)
		m->stored =
			(struct situation){ HELD, m->now.generation, false };
	return gate_set(m->gate, &m->stored);
}

/*
 * Where every step leads that failed. The machine is held even if the gate cannot
 * be closed: that is said, and tried again. @why is not m->about.
 */
static void hold(struct machine *m, enum event event, const char *why)
{
	const enum state state = state_with(m, event);
	enum way_out out = event_way_out(event);
	const bool untouched = !m->started && m->wrong[0];

	stop_work(m);
	snprintf(m->about, sizeof(m->about), "%s", why);
	if (!untouched)
		m->unclosed = !close_held(m, out);
	if (m->unclosed) {
		out = BY_TRYING;
		snprintf(
			m->about, sizeof(m->about),
			"%s; the network may be open: the gate cannot be closed",
			why);
	}
	m->metrics.held += m->now.state != HELD;
	journal_line(LOG_ERR, JOURNAL_HELD,
		     &(struct situation){ state, m->now.generation, false },
		     NULL, "held at generation %" PRIu32 ": %s",
		     m->now.generation, m->about);
	if (out == BY_TRYING)
		backoff_arm(m->again);
	become(m, state, m->now.generation, false);
	waiters_answer(&m->waiters, ANSWER_FAILED, m->about);
}

static bool read_or_hold(struct machine *m, uint32_t *generation)
{
	if (read_generation(m, generation))
		return true;
	hold(m, GENERATION_UNREADABLE, "the generation cannot be read");
	return false;
}

static void quiesce_again(struct machine *m)
{
	m->about[0] = 0;
	if (!enter(m, STILL_QUIESCED, m->stored.generation,
		   m->stored.until_resume))
		hold(m, GATE_FAILED, "it was quiesced");
}

/* What held the machine may be over. */
static void on_again(void *user)
{
	struct machine *m = user;
	uint32_t generation;

	if (!m->started)
		begin(m);
	else if (!read_or_hold(m, &generation))
		return;
	else if (m->stored.state == QUIESCED &&
		 (generation == m->stored.generation || m->stored.until_resume))
		quiesce_again(m);
	else
		adjust(m, generation);
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

/* ---- units that are started anew ---- */

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

static void forget_frozen(void)
{
	freezing_forget();
	wiping_forget();
}

/* Two looks at the generation: before the gate is opened, and before anybody is told. */
static void open_up(struct machine *m, enum event event)
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

/* The kernel resets what it destroys; the peer must not get that, as it ends the connection of the sibling. */
static bool destroys_connections(const struct config *c)
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

/* ---- adjusting ---- */

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
		on_generation(m, EPOLLIN);
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

/* NULL, or why clones may draw equal bytes. @outdated: false if nobody is. */
static const char *reseed_failure(const struct machine *m, bool *outdated)
{
	struct sysgenid_info info;

	*outdated = true;
	if (m->publishing)
		return publishing_error(m->publishing);
	if (sysgenid_get_info(m->g, &info, sizeof(info)))
		return "it is not known whether the kernel's random generator was reseeded";
	*outdated = info.outdated || info.generation != m->now.generation;
	return info.flags & SYSGENID_GET_RESEED_FAILED ?
		       "the kernel's random generator could not be reseeded" :
		       NULL;
}

/* False: the machine is held. A new generation, or force, ends that. */
static bool is_reseeded(struct machine *m, bool *outdated)
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

/* What it says of another generation does not matter: open_up() looks at that. */
static void on_settling(void *user)
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

static void open_when_settled(struct machine *m)
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

static void adjust(struct machine *m, uint32_t generation)
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

static void on_generation(void *user, uint32_t events)
{
	struct machine *m = user;
	uint32_t generation;

	(void)events;
	if (!read_or_hold(m, &generation))
		return;
	sysgenid_confirm(m->g, generation);
	if (generation == m->now.generation)
		return;
	/* What kept the machine from going on may be over; if not, it is closed. */
	if (!m->started) {
		backoff_reset(m->again);
		begin(m);
		return;
	}
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

/* ---- the host's restore ---- */

/* NULL: the host wants nothing of this generation. */
static struct request *request_of(struct machine *m)
{
	return restore_is_of(&m->restore, m->now.generation) ?
		       &m->restore.request :
		       NULL;
}

/* What is true of the machine now. @info: also of it. */
static struct restored facts_of(const struct machine *m,
				struct sysgenid_info *info)
{
	struct restored facts = { .state = m->now.state,
				  .generation = m->now.generation };
	bool unused;

	if (!m->g || sysgenid_get_info(m->g, info, sizeof(*info)))
		return facts;
	if (info->flags & SYSGENID_GET_INSTANCE)
		facts.id = info->instance_id;
	facts.reseeded = !reseed_failure(m, &unused);
	return facts;
}

static void answer_host(struct machine *m, const char *error)
{
	struct sysgenid_info info;
	struct restored facts = facts_of(m, &info);

	facts.phases = &m->phases;
	facts.error = error;
	facts.why = m->about;
	if (m->laggards)
		facts.laggards = laggards_list(m->g);
	restore_answer(&m->restore, &facts);
}

static void refuse(const struct machine *m, const struct request *r,
		   const char *error, const char *why, answer_fn *answer,
		   void *user)
{
	struct sysgenid_info info;
	struct restored facts = facts_of(m, &info);

	facts.error = error;
	facts.why = why;
	restore_refuse(r, &facts, answer, user);
}

/*
 * Without an id that differs in each clone: the request is the trigger, and its entropy
 * what differs. 0 or -errno.
 */
static int trigger_for(struct machine *m, const struct request *r,
		       uint32_t *generation)
{
	const uint32_t before = *generation;
	int failed;

	/* Who publishes has the machine adjusted at once. */
	restore_begin(&m->restore, r, before + 1);
	request_wipe_entropy(&m->restore.request);
	if (m->publishing) {
		*generation = publishing_trigger(m->publishing, r->entropy,
						 r->entropy_len);
		return 0;
	}
	failed = sysgenid_trigger(m->g, before, r->entropy, r->entropy_len,
				  generation);
	if (failed)
		restore_forget(&m->restore);
	return failed;
}

/* NULL, or a word for what forbids it now; @why says more. */
static const char *obstacle(const struct machine *m,
			    const struct sysgenid_info *info, bool has_id,
			    const char **why)
{
	const bool is_new = info->generation != m->now.generation;

	if (restore_is_of(&m->restore, info->generation) &&
	    restore_is_under_way(&m->restore)) {
		*why = "another request of this generation is under way";
		return "busy";
	}
	if (!has_id)
		return NULL;
	*why = "the hardware id has not changed: no restore was seen since the last answer, or since the machine started";
	if (info->source == SYSGENID_SOURCE_NONE ||
	    (restore_is_of(&m->restore, info->generation) &&
	     m->restore.was_ready))
		return "not-restored";
	if (!is_new &&
	    (m->now.state == QUIESCING || m->stored.state == QUIESCED)) {
		*why = "the hardware id has not changed since the machine was quiesced; resume opens it";
		return "not-restored";
	}
	return NULL;
}

/* The answer is waited for from here on. */
static void adjust_for_host(struct machine *m, uint32_t generation,
			    answer_fn *answer, void *user)
{
	if (m->restore.answer) {
		answer(user, ANSWER_DONE, m->restore.answer);
		return;
	}
	if (!waiters_add(&m->restore.waiters, answer, user)) {
		restore_forget(&m->restore);
		return;
	}
	if (m->now.state == QUIESCING)
		waiters_answer(&m->waiters, ANSWER_FAILED,
			       "the host restored the machine");
	if (m->now.generation != generation || !m->publishing ||
	    m->now.state != ADJUSTING)
		adjust(m, generation);
}

static void restore_with_entropy(struct machine *m, const struct request *r,
				 uint32_t generation, answer_fn *answer,
				 void *user)
{
	int failed;

	if (!r->entropy_len) {
		hold(m, ENTROPY_MISSING,
		     "there is no hardware id that differs in each clone, and the host sent no entropy");
		refuse(m, r, "entropy-required", m->about, answer, user);
		return;
	}
	failed = trigger_for(m, r, &generation);
	if (failed) {
		hold(m, NOT_RESEEDED,
		     "the entropy of the host could not be mixed");
		refuse(m, r, "held", strerror(-failed), answer, user);
		return;
	}
	adjust_for_host(m, generation, answer, user);
}

void machine_restore(struct machine *m, const struct request *r,
		     answer_fn *answer, void *user)
{
	struct sysgenid_info info = { 0 };
	const char *error, *why = NULL;
	char refused[256];
	bool has_id;

	if (m->ending || (!m->started && !begin(m))) {
		refuse(m, r, "not-ready",
		       m->ending ? "the overseer ends" : m->about, answer,
		       user);
		return;
	}
	if (!steps_accept(m->config, r, refused, sizeof(refused))) {
		refuse(m, r, "not-configured", refused, answer, user);
		return;
	}
	if (m->publishing)
		publishing_look(m->publishing);
	if (!read_or_hold(m, &info.generation) ||
	    sysgenid_get_info(m->g, &info, sizeof(info))) {
		refuse(m, r, "held", "the generation cannot be read", answer,
		       user);
		return;
	}
	if (restore_is_of(&m->restore, info.generation) &&
	    request_has_nonce(&m->restore.request, r->nonce, r->nonce_len)) {
		if (m->restore.answer)
			answer(user, ANSWER_DONE, m->restore.answer);
		else
			waiters_add(&m->restore.waiters, answer, user);
		return;
	}
	has_id = !m->publishing && info.sources & 1u << SYSGENID_SOURCE_VMGENID;
	error = obstacle(m, &info, has_id, &why);
	if (error) {
		refuse(m, r, error, why, answer, user);
		return;
	}
	if (!has_id) {
		restore_with_entropy(m, r, info.generation, answer, user);
		return;
	}
	restore_begin(&m->restore, r, info.generation);
	adjust_for_host(m, info.generation, answer, user);
}

/* ---- quiescing ---- */

static void on_thawed(void *user, const char *failed)
{
	struct machine *m = user;

	if (failed) {
		hold(m, THAW_FAILED, failed);
		return;
	}
	forget_frozen();
	if (is_reseeded(m, NULL))
		open_up(m, REOPENED);
}

/* Forced is what was asked for then: a generation that came since is adjusted to. */
static void on_thawed_by_force(void *user, const char *failed)
{
	struct machine *m = user;

	if (failed) {
		log_error("%s", failed);
		snprintf(m->about, sizeof(m->about),
			 "opened by force, though %s", failed);
	} else {
		forget_frozen();
	}
	open_up(m, FORCED);
}

/* Back, with nothing changed. */
static void reopen(struct machine *m, commands_done_fn *done)
{
	m->phases = (struct phases){ 0 };
	if (!work_thaw(&m->work, m->config, done, m))
		done(m, "no memory to thaw units");
}

static void on_quiesced(void *user, const char *failed)
{
	struct machine *m = user;
	uint32_t generation;

	if (failed) {
		log_error("cannot be quiesced: %s", failed);
		waiters_answer(&m->waiters, ANSWER_FAILED, failed);
		reopen(m, on_thawed);
		return;
	}
	if (!read_or_hold(m, &generation))
		return;
	if (generation != m->now.generation) {
		waiters_answer(&m->waiters, ANSWER_FAILED,
			       "there is a new generation already");
		adjust(m, generation);
		return;
	}
	if (!enter(m, QUIESCE_DONE, generation, m->now.until_resume)) {
		waiters_answer(&m->waiters, ANSWER_FAILED,
			       "the gate cannot be closed");
		reopen(m, on_thawed);
		return;
	}
	log_notice("quiesced at generation %" PRIu32, generation);
	waiters_answer(&m->waiters, ANSWER_DONE, NULL);
}

/* @why: of sizeof(m->about) bytes. */
static bool may_freeze(struct machine *m, char *why)
{
	return work_may_freeze(m->backend, m->config, m->asks, why,
			       sizeof(m->about)) > 0;
}

/*
 * Hooks have run, with the network that they may need. Then the gate, so that nothing
 * comes in that frozen programs would have to answer, and what leaves can end.
 * Processes may have moved to other units since "quiesce" was asked.
 */
static void on_hooks_of_quiesce(void *user, const char *failed)
{
	struct machine *m = user;
	char why[sizeof(m->about)];

	if (failed || !may_freeze(m, why)) {
		on_quiesced(m, failed ? failed : why);
		return;
	}
	if (!gate_set(m->gate, &m->now)) {
		on_quiesced(m, "the gate cannot be closed");
		return;
	}
	m->stored = m->now;
	if (!work_rest(&m->work, m->config, on_quiesced, m))
		on_quiesced(m, "units cannot be frozen");
}

/* The gate may be open still: what was read is not left to its event. */
static void leave_quiescing(struct machine *m, uint32_t generation)
{
	if (m->now.state == QUIESCING && generation != m->now.generation)
		on_generation(m, EPOLLIN);
}

void machine_quiesce(struct machine *m, bool until_resume, pid_t client,
		     answer_fn *answer, void *user)
{
	struct situation quiescing = { .state = QUIESCING };
	char why[sizeof(m->about)];
	struct commands *cs;

	if (!m->started || m->ending) {
		answer(user, ANSWER_NOT_READY,
		       m->ending ? "the overseer ends" : m->about);
		return;
	}
	if (!read_or_hold(m, &quiescing.generation)) {
		answer(user, ANSWER_FAILED, m->about);
		return;
	}
	if (m->now.state == QUIESCED && !work_is_running(&m->work) &&
	    quiescing.generation == m->now.generation) {
		start_lease(m);
		answer(user, ANSWER_DONE, NULL);
		return;
	}
	if (m->now.state != READY || work_is_running(&m->work) ||
	    m->restarting) {
		answer(user, ANSWER_NOT_READY,
		       "the machine is not ready; see \"sysgenidctl status\"");
		leave_quiescing(m, quiescing.generation);
		return;
	}
	if (quiescing.generation != m->now.generation) {
		answer(user, ANSWER_NOT_READY, "there is a new generation");
		adjust(m, quiescing.generation);
		return;
	}
	m->asks = client;
	if (!may_freeze(m, why)) {
		answer(user, ANSWER_FAILED, why);
		return;
	}
	cs = work_quiesce(&m->work, m->config, &quiescing);
	if (!cs) {
		answer(user, ANSWER_FAILED, "the hooks cannot be run");
		return;
	}
	/* A snapshot is to come: nothing in it answers for a clone. */
	restore_forget(&m->restore);
	become(m, state_with(m, QUIESCE_ASKED), quiescing.generation,
	       until_resume);
	if (waiters_add(&m->waiters, answer, user)) {
		work_run(&m->work, cs, on_hooks_of_quiesce, m);
		return;
	}
	commands_cancel(cs);
	reopen(m, on_thawed);
}

/*
 * The clock may have jumped at a resume, before anything has told of it: the
 * generation counts, not the time.
 */
static void on_lease(void *user)
{
	struct machine *m = user;
	uint32_t generation;

	if (m->now.state != QUIESCED || work_is_running(&m->work) || m->ending)
		return;
	if (m->publishing)
		publishing_look(m->publishing);
	if (m->now.state != QUIESCED || !read_or_hold(m, &generation))
		return;
	if (generation != m->now.generation) {
		on_generation(m, EPOLLIN);
		return;
	}
	snprintf(m->about, sizeof(m->about),
		 "quiesced for longer than quiesce-limit, and opened again");
	log_warning("%s", m->about);
	reopen(m, on_thawed);
}

void machine_look(struct machine *m)
{
	uint32_t generation;

	/* That of the snapshot until "resume", or what is tried again anyway. */
	if (!m->g || m->ending ||
	    (m->stored.state == QUIESCED && m->stored.until_resume) ||
	    (m->now.state == HELD && sysgenid_read(m->g, &generation)))
		return;
	on_generation(m, EPOLLIN);
}

/* Whatever there is; but at a generation that nobody can read it cannot be ready. */
static void force(struct machine *m)
{
	uint32_t generation;

	if (!read_or_hold(m, &generation))
		return;
	if (!m->gate) {
		hold(m, GATE_FAILED, no_gate[m->config->gate]);
		return;
	}
	log_warning("opened by force, though %s",
		    m->about[0] ? m->about : state_name(m->now.state));
	stop_work(m);
	m->started = m->knows = true;
	m->about[0] = 0;
	m->now.generation = generation;
	reopen(m, on_thawed_by_force);
}

void machine_resume(struct machine *m, bool forced, answer_fn *answer,
		    void *user)
{
	uint32_t generation = m->now.generation;

	if (m->ending) {
		answer(user, ANSWER_NOT_READY, "the overseer ends");
		return;
	}
	/* What keeps the machine from going on may be over. */
	if (!m->started && !begin(m) && !forced) {
		answer(user, ANSWER_FAILED, m->about);
		return;
	}
	if (m->started && !read_or_hold(m, &generation)) {
		answer(user, ANSWER_FAILED, m->about);
		return;
	}
	if (m->now.state == READY && !work_is_running(&m->work) &&
	    generation == m->now.generation) {
		answer(user, ANSWER_DONE, NULL);
		return;
	}
	if (m->now.state == QUIESCING && !forced) {
		answer(user, ANSWER_NOT_READY, "it is being quiesced");
		leave_quiescing(m, generation);
		return;
	}
	if (m->now.state == QUIESCING)
		waiters_answer(&m->waiters, ANSWER_FAILED, "opened by force");
	if (!waiters_add(&m->waiters, answer, user))
		return;
	backoff_reset(m->again);
	if (forced && m->now.state != READY)
		force(m);
	else if (generation != m->now.generation)
		adjust(m, generation);
	else if (work_is_running(&m->work) ||
		 (m->now.state == ADJUSTING && (m->waiting || m->settles)))
		return;
	else if (m->now.state == QUIESCED)
		reopen(m, on_thawed);
	else
		adjust(m, generation);
}

/* Of "stop": the last word is whether the network is open. */
static void release(struct machine *m, bool thawed)
{
	const bool was_closed = m->now.state != READY;
	bool opened = m->gate ? gate_remove(m->gate) : !gate_is_there();

	if (!opened)
		log_error(
			"stopped, and the network is still closed: \"sysgenid-overseer --open\" opens it");
	else if (was_closed)
		log_warning("stopped while %s: the gate is opened",
			    state_name(m->now.state));
	loop_exit(m->loop, opened && thawed ? 0 : 1);
}

static void on_released(void *user, const char *failed)
{
	struct machine *m = user;
	char why[256];

	if (failed)
		log_error("%s", failed);
	/* A shutdown may have begun while units were thawed. */
	if (m->backend->stop_is_requested(why, sizeof(why))) {
		release(m, !failed);
		return;
	}
	log_notice("%s: the gate stays as it is", why);
	loop_exit(m->loop, 0);
}

void machine_release(struct machine *m)
{
	stop_work(m);
	m->ending = true;
	if (m->source)
		loop_enable(m->source, false);
	/* Not at a restart: the next one goes on with the count. */
	publishing_end(m->publishing);
	m->publishing = NULL;
	if (m->now.state == READY)
		release(m, true);
	else
		reopen(m, on_released);
}

/* ---- start ---- */

static void on_gate_event(void *user, uint32_t events)
{
	struct machine *m = user;

	(void)events;
	if (m->ending)
		loop_enable(m->gate_source, false);
	else if (!gate_check(m->gate, m->started ? &m->stored : NULL) &&
		 !backoff_is_armed(m->again))
		hold(m, GATE_FAILED, "the gate is not as it was left");
}

static void on_published(void *user)
{
	struct machine *m = user;

	on_generation(m, EPOLLIN);
	/* A second reseed that failed comes without a generation. */
	if (m->started && m->now.state == READY)
		is_reseeded(m, NULL);
}

bool machine_trigger(struct machine *m, const void *bytes, size_t len,
		     uint32_t *generation, const char **error)
{
	if (!m->publishing)
		return false;
	*generation = publishing_trigger(m->publishing, bytes, len);
	*error = publishing_error(m->publishing);
	return true;
}

/* NULL, or why there is no generation to read. */
static const char *open_source(struct machine *m)
{
	enum publisher_kind kind = m->config->publisher;
	int r;

	if (kind && !m->publishing) {
		m->publishing = publishing_new(m->loop, kind, on_published, m);
		if (!m->publishing)
			return "there is no publisher";
	}
	r = sysgenid_open(&m->g, kind ? SYSGENID_OPEN_SOFT : 0);
	if (r) {
		m->g = NULL;
		log_error("%s: %s; see \"sysgenidctl doctor\"",
			  kind ? SYSGENID_SOFT_FOLDER : SYSGENID_DEVICE,
			  strerror(-r));
		return "there is no generation to read";
	}
	if (kind)
		return NULL;
	m->source = loop_add_io(m->loop, sysgenid_get_fd(m->g), EPOLLIN,
				on_generation, m);
	if (m->source)
		return NULL;
	sysgenid_close(m->g);
	m->g = NULL;
	return "no memory";
}

static void close_source(struct machine *m)
{
	m->source = loop_remove(m->source);
	publishing_end(m->publishing);
	m->publishing = NULL;
	if (m->g)
		sysgenid_close(m->g);
	m->g = NULL;
}

static const char *open_gate(struct machine *m)
{
	m->gate = gate_new(m->config);
	if (!m->gate)
		return no_gate[m->config->gate];
	if (gate_fd(m->gate) < 0)
		return NULL;
	m->gate_source = loop_add_io(m->loop, gate_fd(m->gate),
				     gate_events(m->gate), on_gate_event, m);
	if (m->gate_source)
		return NULL;
	gate_free(m->gate);
	m->gate = NULL;
	return "no memory";
}

static void close_gate(struct machine *m)
{
	m->gate_source = loop_remove(m->gate_source);
	gate_free(m->gate);
	m->gate = NULL;
}

/* False: @why. */
static bool can_restart(const struct backend *backend, const struct config *c,
			char *why, size_t size)
{
	if (backend->restart || !(c->restart.count + c->restart_after.count))
		return true;
	snprintf(
		why, size,
		"restart: systemd does not run, and nothing else starts units again");
	return false;
}

static bool may_freeze_of(const struct backend *backend, const struct config *c,
			  char *why, size_t size)
{
	int r = work_may_freeze(backend, c, 0, why, size);

	if (r < 0)
		log_warning("%s; it is asked again before they are frozen",
			    why);
	return r;
}

/* The file, whole or not at all. False: the machine has what it had. */
static bool read_config(struct machine *m)
{
	struct config next = { .gate = GATE_NONE };
	char why[sizeof(m->wrong)];

	if (config_read(&next, m->path, why, sizeof(why)) &&
	    can_restart(m->backend, &next, why, sizeof(why)) &&
	    may_freeze_of(m->backend, &next, why, sizeof(why))) {
		config_free(m->config);
		*m->config = next;
		m->wrong[0] = 0;
		return true;
	}
	config_free(&next);
	/* Once: it is read again and again. */
	if (strcmp(m->wrong, why))
		log_error("%s", why);
	memcpy(m->wrong, why, sizeof(why));
	return false;
}

/* What comes after the first look is new, even where no older overseer left anything. */
static void note_first(struct machine *m, uint32_t generation)
{
	m->now.generation = generation;
	if (!m->knows)
		m->stored = (struct situation){ READY, generation, false };
	m->knows = true;
}

/*
 * Without a configuration nothing is opened, and nothing is closed that was left
 * open for this generation. At another one what the last overseer had a gate for
 * is closed.
 */
static void watch_without_config(struct machine *m)
{
	enum recalled recalled;
	struct situation before;
	uint32_t generation;

	m->unclosed = false;
	if (!m->gate) {
		m->config->gate = gate_left();
		m->unclosed = open_gate(m);
		if (m->unclosed)
			return;
	}
	if ((!m->g && open_source(m)) || !read_generation(m, &generation))
		return;
	note_first(m, generation);
	recalled = gate_recall(m->gate, &before);
	if (recalled == CANNOT_LOOK ||
	    (recalled == RECALLED && before.generation != generation))
		m->unclosed = !gate_close_on_top(m->gate);
}

/*
 * Who asked for it got no answer, so there is no snapshot. Somebody may have flushed
 * the rules: closed first, as units are thawed.
 */
static void stop_quiescing(struct machine *m)
{
	if (enter(m, QUIESCE_GIVEN_UP, m->now.generation, false))
		reopen(m, on_thawed);
	else
		hold(m, GATE_FAILED, "it was being quiesced");
}

/*
 * No overseer has looked at the last reseed: this may be a clone in which the first
 * one starts late. Hooks are for what was there before.
 */
static void open_first(struct machine *m)
{
	if (!is_reseeded(m, NULL))
		return;
	if (m->config->reseed != RESEED_SETTLED || m->publishing)
		open_up(m, STILL_READY);
	else if (enter(m, ADJUSTMENT_BEGUN, m->now.generation, false))
		open_when_settled(m);
	else
		hold(m, GATE_FAILED, "the last reseed may not be over");
}

/*
 * From what the last one to run here left, or this one had before it was reloaded.
 * @judged: an overseer said so, or whoever forced it.
 */
static void go_on(struct machine *m, const struct situation *before,
		  bool judged, uint32_t generation)
{
	m->now = m->stored = *before;
	/* None but this one makes them, so that none was missed; the page began a new count for its readers. */
	if (m->config->publisher == PUBLISHER_TRIGGER)
		m->now.generation = m->stored.generation = generation;
	if (m->now.state == QUIESCED &&
	    (generation == m->now.generation || m->now.until_resume))
		quiesce_again(m);
	else if (generation != m->now.generation)
		adjust(m, generation);
	else if (m->now.state == READY && !judged)
		open_first(m);
	else if (m->now.state == READY)
		open_up(m, STILL_READY);
	else if (m->now.state == QUIESCING)
		stop_quiescing(m);
	else
		adjust(m, generation);
}

/* The configuration, whole or not at all, with all that depends on it. */
static bool load(struct machine *m)
{
	const enum publisher_kind kind = m->config->publisher;

	if (!read_config(m))
		return false;
	close_gate(m);
	if (kind != m->config->publisher)
		close_source(m);
	announcer_free(m->announcer);
	m->announcer = m->config->announce ?
			       announcer_new(m->loop, m->config->announce) :
			       NULL;
	if (m->config->announce && !m->announcer)
		log_error("announce = %s: no memory", m->config->announce);
	renew(m);
	return true;
}

/* NULL, or why it cannot go on. */
static const char *start(struct machine *m)
{
	struct situation before;
	const char *why = NULL, *no_source = NULL;
	enum recalled recalled;
	uint32_t generation;

	if (m->wrong[0] && !load(m)) {
		watch_without_config(m);
		return m->wrong;
	}
	if (!m->gate)
		why = open_gate(m);
	/* Even without a gate: no generation is to pass unseen. */
	if (!m->g)
		no_source = open_source(m);
	if (!no_source && !read_generation(m, &generation))
		no_source = "the generation cannot be read";
	if (!no_source)
		note_first(m, generation);
	if (why || no_source)
		return why ? why : no_source;
	recalled = gate_recall(m->gate, &before);
	if (recalled == CANNOT_LOOK)
		return "what the last overseer left cannot be read";
	m->phases = (struct phases){ 0 };
	m->about[0] = 0;
	m->started = true;
	if (destroys_connections(m->config) && connections_prepare() < 0)
		log_warning(
			"this kernel does not list TCP connections: a new generation will hold the machine, unless destroy-connections = no");
	if (m->config->reset_sessions)
		sessions_prepare();
	if (recalled == RECALLED)
		log_notice("found %s at generation %" PRIu32,
			   state_name(before.state), before.generation);
	go_on(m, recalled == RECALLED ? &before : &m->stored,
	      recalled == RECALLED, generation);
	return NULL;
}

/* False: held until it is tried again. */
static bool begin(struct machine *m)
{
	const char *why = start(m);

	if (why)
		hold(m, START_FAILED, why);
	return !why;
}

bool machine_reload(struct machine *m)
{
	if (m->ending)
		return false;
	if (!load(m)) {
		if (m->started)
			become(m, m->now.state, m->now.generation,
			       m->now.until_resume);
		else
			hold(m, START_FAILED, m->wrong);
		return false;
	}
	log_notice("%s was read", m->path);
	stop_work(m);
	waiters_answer(&m->waiters, ANSWER_NOT_READY,
		       "the configuration was read again; ask once more");
	m->started = false;
	return begin(m);
}

struct machine *machine_new(struct loop *loop, const struct backend *backend,
			    const char *path)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->loop = loop;
	m->backend = backend;
	m->work.loop = loop;
	m->work.backend = backend;
	m->path = path;
	m->now.state = HELD;
	snprintf(m->wrong, sizeof(m->wrong), "%s was not read", path);
	m->target = backend->target_new(loop);
	m->again = backoff_new(loop, on_again, m);
	m->lease = loop_add_timer(loop, on_lease, m);
	m->settling = loop_add_timer(loop, on_settling, m);
	m->telling = loop_add_timer(loop, on_telling, m);
	if (m->again && m->lease && m->settling && m->telling)
		return m;
	machine_free(m);
	return NULL;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	if (m->again && m->settling)
		stop_work(m);
	waiters_answer(&m->waiters, ANSWER_NOT_READY, "the overseer ends");
	publishing_leave(m->publishing);
	m->publishing = NULL;
	close_source(m);
	close_gate(m);
	m->backend->target_free(m->target);
	backoff_free(m->again);
	loop_remove(m->lease);
	loop_remove(m->settling);
	loop_remove(m->telling);
	announcer_free(m->announcer);
	restore_forget(&m->restore);
	config_free(m->config);
	free(m);
}

void machine_start(struct machine *m)
{
	begin(m);
}
