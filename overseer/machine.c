// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adjusting.h"
#include "announce.h"
#include "backend.h"
#include "backoff.h"
#include "connections.h"
#include "log.h"
#include "machine-inside.h"
#include "machine.h"
#include "phases.h"
#include "publishing.h"
#include "quiescing.h"
#include "restore.h"
#include "sessions.h"
#include "standing.h"
#include "telling.h"
#include "waiters.h"
#include "work.h"

static const char *const no_gate[] = {
	[GATE_NONE] = "no memory for the gate",
	[GATE_NFTABLES] =
		"the gate cannot be used: load nf_tables, and give the overseer CAP_NET_ADMIN; the log says more, and gate = none does without one",
	[GATE_KERNEL] =
		"the gate in the kernel cannot be used: it takes the module sysgenid with a gate; the log says more, and gate = nftables does without it",
};

struct json_object *machine_status(const struct machine *m)
{
	return telling_status(m);
}

struct json_object *machine_metrics(struct machine *m)
{
	return telling_metrics(m);
}

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
		machine_begin(m);
	else if (!read_or_hold(m, &generation))
		return;
	else if (m->stored.state == QUIESCED &&
		 (generation == m->stored.generation || m->stored.until_resume))
		quiesce_again(m);
	else
		adjust(m, generation);
}

static void on_generation(void *user, uint32_t events)
{
	struct machine *m = user;
	uint32_t generation;

	(void)events;
	if (m->started) {
		look_at_generation(m);
		return;
	}
	if (!read_or_hold(m, &generation))
		return;
	sysgenid_confirm(m->g, generation);
	if (generation == m->now.generation)
		return;
	/* What kept the machine from going on may be over; if not, it is closed. */
	backoff_reset(m->again);
	machine_begin(m);
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
	if (!m->started && !machine_begin(m) && !forced) {
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
bool machine_begin(struct machine *m)
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
	return machine_begin(m);
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
	machine_begin(m);
}
