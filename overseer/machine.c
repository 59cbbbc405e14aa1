// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "announce.h"
#include "commands.h"
#include "connections.h"
#include "log.h"
#include "machine.h"
#include "publishing.h"
#include "target.h"
#include "watchers.h"

#ifndef HOOKS
#define HOOKS "/etc/sysgenid"
#endif

struct waiter {
	answer_fn *answer;
	void *user;
	struct waiter *next;
};

struct machine {
	sd_event *event;
	sd_event_source *source;
	const struct config *config;
	struct gate *gate;
	struct sysgenid *g;
	/* NULL: the module publishes. */
	struct publishing *publishing;
	struct situation now;
	struct commands *commands;
	struct target *target;
	struct watchers_wait *waiting;
	/* The next signal for laggards; 0: there is none left. */
	int signal;
	unsigned int laggards;
	/* Why it is held, or who was late. */
	char about[768];
	/* CLOCK_BOOTTIME, of the steps of adjusting. */
	uint64_t published, closed, destroyed, hooked, confirmed;
	struct waiter *waiters;
};

static void adjust(struct machine *m, uint32_t generation);
static void wait_for_watchers(struct machine *m, uint64_t timeout);

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static double ms_between(uint64_t from, uint64_t to)
{
	return to > from ? (double)((to - from) / 1000) / 1000 : 0;
}

/* Each request that waits is answered once, whatever comes first. */
static void answer_all(struct machine *m, enum answer answer, const char *why)
{
	struct waiter *w = m->waiters;

	m->waiters = NULL;
	while (w) {
		struct waiter *next = w->next;

		w->answer(w->user, answer, why);
		free(w);
		w = next;
	}
}

static void answer_later(struct machine *m, answer_fn *answer, void *user)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w) {
		answer(user, ANSWER_NOT_READY, "no memory");
		return;
	}
	*w = (struct waiter){ answer, user, m->waiters };
	m->waiters = w;
}

void machine_forget(struct machine *m, void *user)
{
	struct waiter **w = &m->waiters;

	while (*w) {
		struct waiter *next = (*w)->next;

		if ((*w)->user == user) {
			free(*w);
			*w = next;
		} else {
			w = &(*w)->next;
		}
	}
}

struct json_object *machine_status(const struct machine *m)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "scope", json_object_new_string("system"));
	json_object_object_add(
		o, "state", json_object_new_string(state_name(m->now.state)));
	json_object_object_add(o, "generation",
			       json_object_new_int64(m->now.generation));
	if (m->now.state == READY && m->published) {
		struct json_object *ms = json_object_new_double(
			ms_between(m->published, m->confirmed));

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
	return o;
}

/*
 * The one place where the state changes: the gate first. If it cannot be moved
 * the state does not change, and it stays as closed as it is.
 */
static bool enter(struct machine *m, enum state state, uint32_t generation,
		  bool until_resume)
{
	const struct situation next = { state, generation, until_resume };
	struct json_object *line;

	if (!gate_set(m->gate, &next))
		return false;
	m->now = next;
	if (m->config->announce) {
		line = machine_status(m);
		announce(m->config->announce, line);
		json_object_put(line);
	}
	sd_notifyf(0, "STATUS=%s at generation %" PRIu32, state_name(state),
		   generation);
	target_set(m->target, state == READY);
	return true;
}

static void stop_work(struct machine *m)
{
	commands_cancel(m->commands);
	m->commands = NULL;
	watchers_cancel(m->waiting);
	m->waiting = NULL;
}

/* Truthful; what cannot be read cannot be trusted, and the gate stays. */
static bool read_generation(struct machine *m, uint32_t *generation)
{
	int r = sysgenid_read(m->g, generation);

	if (r)
		log_error("the generation cannot be read: %s", strerror(-r));
	return !r;
}

static void hold(struct machine *m, const char *why)
{
	snprintf(m->about, sizeof(m->about), "%s", why);
	log_error("held at generation %" PRIu32 ": %s", m->now.generation, why);
	enter(m, HELD, m->now.generation, false);
	answer_all(m, ANSWER_FAILED, m->about);
}

static void log_ready(const struct machine *m)
{
	if (!m->published) {
		log_notice("ready at generation %" PRIu32, m->now.generation);
		return;
	}
	log_notice(
		"ready at generation %" PRIu32
		", %.1f ms after it was published: gate %.1f, connections %.1f, hooks %.1f, watchers %.1f ms; %u laggards",
		m->now.generation, ms_between(m->published, m->confirmed),
		ms_between(m->published, m->closed),
		ms_between(m->closed, m->destroyed),
		ms_between(m->destroyed, m->hooked),
		ms_between(m->hooked, m->confirmed), m->laggards);
}

/* The last look at the generation, right before the gate opens. */
static void open_up(struct machine *m)
{
	uint32_t generation;

	if (!read_generation(m, &generation)) {
		hold(m, "the generation cannot be read");
		return;
	}
	if (generation != m->now.generation) {
		adjust(m, generation);
		return;
	}
	m->confirmed = now_ns();
	if (!enter(m, READY, generation, false)) {
		hold(m, "the gate cannot be opened");
		return;
	}
	log_ready(m);
	answer_all(m, ANSWER_DONE, NULL);
}

/* A script for the units that are to be frozen; all is well if there are none. */
static bool add_units(struct machine *m, struct commands *cs,
		      const char *const script[], size_t words)
{
	const struct words *units = &m->config->freeze;
	const char **argv = calloc(units->count + words + 1, sizeof(*argv));
	bool ok = argv;

	if (ok && units->count) {
		for (size_t i = 0; i < words; i++)
			argv[i] = script[i];
		for (size_t i = 0; i < units->count; i++)
			argv[i + words] = units->word[i];
		ok = commands_add(cs, m->config->hook_timeout, argv);
	}
	free(argv);
	return ok;
}

static bool add_freeze(struct machine *m, struct commands *cs)
{
	static const char *const script[] = { "systemctl", "freeze" };

	return add_units(m, cs, script, 2);
}

/*
 * systemd refuses to thaw a unit that it is still freezing, and one that has
 * ended; what counts is that none stays frozen.
 */
static bool add_thaw(struct machine *m, struct commands *cs)
{
	static const char *const script[] = {
		"sh",
		"-c",
		"for unit; do\n"
		"	while state=$(systemctl show --value -p FreezerState -- \"$unit\") && [ \"$state\" != running ]; do\n"
		"		systemctl thaw -- \"$unit\" || sleep 0.1\n"
		"	done\n"
		"done",
		"thaw",
	};

	return add_units(m, cs, script, 4);
}

/* Those of work that was cut short: the next ones are not to meet them. */
static bool add_end_of_hooks(struct machine *m, struct commands *cs)
{
	static const char *const argv[] = { "systemctl", "stop",
					    COMMANDS_HOOK "*.service", NULL };

	return commands_add(cs, m->config->hook_timeout, argv);
}

/* Both clones hold the same keys and nonces. What comes later is new: the gate is closed. */
static void destroy_connections(struct machine *m)
{
	int r = m->config->destroy_connections ? connections_destroy() : 0;

	if (r < 0)
		log_error(
			"TCP connections older than the restore are still there: %s",
			strerror(-r));
	else if (r)
		log_notice("destroyed %d TCP connections", r);
}

static void run_commands(struct machine *m, struct commands *cs,
			 commands_done_fn *done)
{
	m->commands = cs;
	commands_run(cs, m->event, done, m);
}

static void drop(struct commands *cs)
{
	commands_cancel(cs);
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
		open_up(m);
		return;
	}
	/* There is a newer one, of which the descriptor tells. */
	if (r == -ESTALE)
		return;
	if (r != -ETIMEDOUT) {
		snprintf(why, sizeof(why), "cannot wait for watchers: %s",
			 strerror(-r));
		hold(m, why);
		return;
	}
	m->laggards = outdated;
	laggards_describe(m->g, late, sizeof(late));
	snprintf(why, sizeof(why), "not adjusted in time: %s", late);
	if (m->config->laggards == LAGGARDS_REPORT) {
		log_warning("%s", why);
		snprintf(m->about, sizeof(m->about), "%s", why);
		open_up(m);
		return;
	}
	if (m->config->laggards == LAGGARDS_KILL && m->signal) {
		laggards_kill(m->g, m->signal);
		m->signal = m->signal == SIGTERM ? SIGKILL : 0;
		wait_for_watchers(m, m->config->kill_timeout);
		return;
	}
	if (m->now.state != HELD)
		hold(m, why);
	/* They may come round. */
	wait_for_watchers(m, m->config->watcher_timeout);
}

static void wait_for_watchers(struct machine *m, uint64_t timeout)
{
	m->waiting = watchers_wait(m->event, m->now.generation, timeout,
				   on_confirmed, m);
	if (!m->waiting)
		hold(m, "no memory to wait for watchers");
}

static void on_adjusted(void *user, const char *failed)
{
	struct machine *m = user;

	m->commands = NULL;
	m->hooked = now_ns();
	if (failed) {
		hold(m, failed);
		return;
	}
	/* A page file has readers, and does not know them. */
	if (m->publishing)
		on_confirmed(m, 0, 0);
	else
		wait_for_watchers(m, m->config->watcher_timeout);
}

static void adjust(struct machine *m, uint32_t generation)
{
	struct sysgenid_info info;
	struct commands *cs;
	bool interrupted = m->commands;

	stop_work(m);
	m->signal = SIGTERM;
	m->laggards = 0;
	m->about[0] = 0;
	if (!enter(m, ADJUSTING, generation, false)) {
		/* Adjusting with an open gate is better than not adjusting. */
		log_error("the gate cannot be closed");
		m->now = (struct situation){ ADJUSTING, generation, false };
	}
	m->closed = now_ns();
	m->published = sysgenid_get_info(m->g, &info, sizeof(info)) ?
			       m->closed :
			       info.time;
	log_notice("generation %" PRIu32 ": adjusting", generation);
	destroy_connections(m);
	m->destroyed = now_ns();
	cs = commands_new();
	if (!cs || (interrupted && !add_end_of_hooks(m, cs)) ||
	    !commands_add_folder(cs, m->config->hook_timeout, HOOKS "/adjust.d",
				 &m->now) ||
	    !add_thaw(m, cs)) {
		drop(cs);
		hold(m, "the hooks cannot be run");
		return;
	}
	run_commands(m, cs, on_adjusted);
}

static int on_generation(sd_event_source *source, int fd, uint32_t events,
			 void *user)
{
	struct machine *m = user;
	uint32_t generation;

	(void)source;
	(void)fd;
	(void)events;
	if (!read_generation(m, &generation))
		return -EIO;
	sysgenid_confirm(m->g, generation);
	if (generation == m->now.generation)
		return 0;
	if (m->now.state == QUIESCED && m->now.until_resume) {
		log_notice("generation %" PRIu32
			   " while quiesced: adjusting begins at \"resume\"",
			   generation);
		return 0;
	}
	if (m->now.state == QUIESCING)
		answer_all(m, ANSWER_FAILED,
			   "there is a new generation already");
	adjust(m, generation);
	return 0;
}

/* ---- quiescing ---- */

static void on_thawed(void *user, const char *failed)
{
	struct machine *m = user;

	m->commands = NULL;
	if (failed)
		hold(m, failed);
	else
		open_up(m);
}

static void on_thawed_by_force(void *user, const char *failed)
{
	struct machine *m = user;

	m->commands = NULL;
	if (failed)
		log_error("%s", failed);
	if (enter(m, READY, m->now.generation, false))
		answer_all(m, ANSWER_DONE, NULL);
	else
		answer_all(m, ANSWER_FAILED, "the gate cannot be opened");
}

/* Back, with nothing changed. */
static void reopen(struct machine *m, commands_done_fn *done)
{
	struct commands *cs = commands_new();

	m->published = 0;
	if (!cs || !add_thaw(m, cs)) {
		drop(cs);
		hold(m, "no memory to thaw units");
		return;
	}
	run_commands(m, cs, done);
}

static void on_quiesced(void *user, const char *failed)
{
	struct machine *m = user;
	uint32_t generation;

	m->commands = NULL;
	if (failed) {
		log_error("cannot be quiesced: %s", failed);
		answer_all(m, ANSWER_FAILED, failed);
		reopen(m, on_thawed);
		return;
	}
	if (!read_generation(m, &generation)) {
		hold(m, "the generation cannot be read");
		return;
	}
	if (generation != m->now.generation) {
		answer_all(m, ANSWER_FAILED,
			   "there is a new generation already");
		adjust(m, generation);
		return;
	}
	if (!enter(m, QUIESCED, generation, m->now.until_resume)) {
		answer_all(m, ANSWER_FAILED, "the gate cannot be closed");
		reopen(m, on_thawed);
		return;
	}
	log_notice("quiesced at generation %" PRIu32, generation);
	answer_all(m, ANSWER_DONE, NULL);
}

void machine_quiesce(struct machine *m, bool until_resume, answer_fn *answer,
		     void *user)
{
	struct situation quiescing = { .state = QUIESCING };
	struct commands *cs;

	if (m->now.state == QUIESCED) {
		answer(user, ANSWER_DONE, NULL);
		return;
	}
	if (m->now.state != READY || m->commands) {
		answer(user, ANSWER_NOT_READY,
		       "the machine is not ready; see \"sysgenidctl status\"");
		return;
	}
	if (!read_generation(m, &quiescing.generation) ||
	    quiescing.generation != m->now.generation) {
		answer(user, ANSWER_NOT_READY, "there is a new generation");
		return;
	}
	cs = commands_new();
	if (!cs ||
	    !commands_add_folder(cs, m->config->hook_timeout,
				 HOOKS "/quiesce.d", &quiescing) ||
	    !add_freeze(m, cs)) {
		drop(cs);
		answer(user, ANSWER_FAILED, "the hooks cannot be run");
		return;
	}
	if (!enter(m, QUIESCING, quiescing.generation, until_resume)) {
		drop(cs);
		answer(user, ANSWER_FAILED, "the gate cannot be closed");
		return;
	}
	answer_later(m, answer, user);
	run_commands(m, cs, on_quiesced);
}

static void force(struct machine *m)
{
	uint32_t generation = m->now.generation;

	log_warning("opened by force, though %s",
		    m->about[0] ? m->about : state_name(m->now.state));
	stop_work(m);
	m->about[0] = 0;
	read_generation(m, &generation);
	m->now.generation = generation;
	reopen(m, on_thawed_by_force);
}

void machine_resume(struct machine *m, bool forced, answer_fn *answer,
		    void *user)
{
	uint32_t generation;

	if (m->now.state == READY && !m->commands) {
		answer(user, ANSWER_DONE, NULL);
		return;
	}
	if (forced) {
		answer_later(m, answer, user);
		force(m);
		return;
	}
	if (m->now.state == QUIESCING) {
		answer(user, ANSWER_NOT_READY, "it is being quiesced");
		return;
	}
	answer_later(m, answer, user);
	if (m->now.state == ADJUSTING || m->commands)
		return;
	if (!read_generation(m, &generation))
		hold(m, "the generation cannot be read");
	else if (m->now.state == QUIESCED && generation == m->now.generation)
		reopen(m, on_thawed);
	else
		adjust(m, generation);
}

static void on_released(void *user, const char *failed)
{
	struct machine *m = user;

	m->commands = NULL;
	if (failed)
		log_error("%s", failed);
	if (gate_remove(m->gate))
		log_warning("stopped while %s: the gate is opened",
			    state_name(m->now.state));
	sd_event_exit(m->event, 0);
}

void machine_release(struct machine *m)
{
	stop_work(m);
	if (m->source)
		sd_event_source_set_enabled(m->source, SD_EVENT_OFF);
	/* Not at a restart: the next one goes on with the count. */
	publishing_end(m->publishing);
	m->publishing = NULL;
	if (m->now.state != READY) {
		reopen(m, on_released);
		return;
	}
	gate_remove(m->gate);
	sd_event_exit(m->event, 0);
}

/* ---- start ---- */

static int on_gate_event(sd_event_source *source, int fd, uint32_t events,
			 void *user)
{
	struct machine *m = user;

	(void)source;
	(void)fd;
	(void)events;
	gate_check(m->gate, &m->now);
	return 0;
}

static void on_published(void *user)
{
	on_generation(NULL, -1, EPOLLIN, user);
}

bool machine_trigger(struct machine *m, const void *bytes, size_t len,
		     uint32_t *generation)
{
	if (!m->publishing)
		return false;
	*generation = publishing_trigger(m->publishing, bytes, len);
	return true;
}

static bool open_source(struct machine *m)
{
	enum publisher_kind kind = m->config->publisher;
	int r;

	if (kind) {
		m->publishing = publishing_new(m->event, kind, on_published, m);
		if (!m->publishing)
			return false;
	}
	r = sysgenid_open(&m->g, kind ? SYSGENID_OPEN_SOFT : 0);
	if (r) {
		log_error("%s: %s; see \"sysgenidctl doctor\"",
			  kind ? SYSGENID_SOFT_FOLDER : SYSGENID_DEVICE,
			  strerror(-r));
		return false;
	}
	if (!kind)
		sd_event_add_io(m->event, &m->source, sysgenid_get_fd(m->g),
				EPOLLIN, on_generation, m);
	return true;
}

struct machine *machine_new(sd_event *event, const struct config *c,
			    struct gate *gate)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->event = event;
	m->config = c;
	m->gate = gate;
	m->target = target_new(event);
	if (!m->target) {
		free(m);
		return NULL;
	}
	if (!open_source(m)) {
		target_free(m->target);
		free(m);
		return NULL;
	}
	if (gate_fd(gate) >= 0)
		sd_event_add_io(event, NULL, gate_fd(gate), EPOLLIN,
				on_gate_event, m);
	return m;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	stop_work(m);
	answer_all(m, ANSWER_NOT_READY, "the overseer ends");
	sd_event_source_disable_unref(m->source);
	target_free(m->target);
	sysgenid_close(m->g);
	free(m);
}

bool machine_start(struct machine *m)
{
	struct situation before;
	uint32_t generation;

	if (!read_generation(m, &generation))
		return false;
	if (m->config->destroy_connections && connections_prepare() < 0)
		log_warning(
			"this kernel does not list TCP connections: they will not be destroyed");
	if (!gate_recall(m->gate, &before)) {
		if (!enter(m, READY, generation, false))
			return false;
		log_ready(m);
		return true;
	}
	/* None but this one makes them, so that none was missed; the page began a new count for its readers. */
	if (m->config->publisher == PUBLISHER_TRIGGER)
		before.generation = generation;
	m->now = before;
	log_notice("found %s at generation %" PRIu32, state_name(before.state),
		   before.generation);
	switch (before.state) {
	case READY:
		if (generation != before.generation)
			adjust(m, generation);
		else
			enter(m, READY, generation, false);
		break;
	case QUIESCED:
		if (generation != before.generation && !before.until_resume)
			adjust(m, generation);
		else
			enter(m, QUIESCED, before.generation,
			      before.until_resume);
		break;
	case QUIESCING:
		/* Who asked for it got no answer, so there is no snapshot. */
		if (generation != before.generation)
			adjust(m, generation);
		else
			reopen(m, on_thawed);
		break;
	default:
		adjust(m, generation);
	}
	return true;
}
