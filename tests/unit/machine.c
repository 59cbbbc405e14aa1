// SPDX-License-Identifier: MIT
/* The overseer's states, with each step around them made to fail. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sysgenid.h>

#include "announce.h"
#include "backend.h"
#include "cgroup.h"
#include "commands.h"
#include "connections.h"
#include "containers.h"
#include "freeze-all.h"
#include "freezing.h"
#include "gate.h"
#include "log.h"
#include "machine.h"
#include "publishing.h"
#include "queues.h"
#include "replace.h"
#include "sessions.h"
#include "steps.h"
#include "watchers.h"
#include "wiping.h"

static char path[] = "/tmp/overseer-machine-XXXXXX";
static struct loop *loop;
static struct machine *machine;

/* ---- what the machine has around it ---- */

static struct world {
	uint32_t generation;
	/* What the calls return. */
	int read_fails, connections_fail, watchers_fail;
	bool cannot_set, cannot_open, cannot_remove, cannot_check;
	bool no_commands, no_thread, no_gate;
	bool no_reseed, pending, no_info, unsafe, cannot_remember,
		nobody_is_outdated;
	bool no_cgroup, no_sessions, contained, kill_fails;
	bool no_entropy, no_clock;
	/* The last signal to laggards, and whether whole containers went. */
	int killed;
	bool killed_containers;
	/* The process that may not be frozen, and what is. */
	pid_t client;
	char frozen[64];
	enum recalled recalled;
	struct situation left;
	int there;
	/* A generation that comes while the gate opens. */
	bool moves_while_opening;
	/* One that comes before: the gate does not open for the older one. */
	bool moves_before_opening;
	bool shuts_down;
	bool page_ends, page_stays;
	bool vmclock_moved;
	/* No restore since the module was loaded; and no hardware id. */
	bool no_source, no_id, cannot_trigger;
	published_fn *published;
	void *published_user;
	unsigned int triggers, mixes, renewals;
	uint16_t entropy;
	char hostname[65], variable[64];
	unsigned int looks;

	/* What it did. */
	struct situation set;
	enum state set_before_freezing;
	unsigned int sets, opens, on_top;
	bool target, removed;
	char line[1024];
	/* Each state that was told, with the number of openings until then. */
	char told[256];
	int fd, events;
	commands_done_fn *done;
	watchers_done_fn *confirmed;
	void *user;
	struct commands *running;
	unsigned int added;
	struct watchers_wait *waiting;
	sessions_done_fn *reset;
	struct sessions *resetting;
	/* What is started anew, if anything is. */
	restarts_done_fn *restarted;
	char restarting[64];
	unsigned int cancelled, destroys, steps, wipes;
	bool lists;
	bool hooks, thaws, freezes, empties, ends_hooks;
	char thawed[64];
	bool drops;
	char metrics[16384];
} world;

/* A generation, and the event that tells of it. */
static void restore(void)
{
	world.generation++;
	eventfd_write(world.fd, 1);
}

void log_line(int priority, const char *format, ...)
{
	(void)priority;
	ck_assert_msg(!strstr(format, "table of states"),
		      "an event came in a state that the table does not have");
}

int sysgenid_open(struct sysgenid **g, unsigned int flags)
{
	(void)flags;
	*g = (struct sysgenid *)&world;
	return 0;
}

void sysgenid_close(struct sysgenid *g)
{
	(void)g;
}

int sysgenid_get_fd(const struct sysgenid *g)
{
	(void)g;
	return world.fd;
}

int sysgenid_read(struct sysgenid *g, uint32_t *generation)
{
	(void)g;
	*generation = world.generation;
	return world.read_fails;
}

int sysgenid_confirm(struct sysgenid *g, uint32_t generation)
{
	eventfd_t unused;

	(void)g;
	(void)generation;
	eventfd_read(world.fd, &unused);
	return 0;
}

int sysgenid_get_info(struct sysgenid *g, struct sysgenid_info *info,
		      size_t size)
{
	(void)g;
	memset(info, 0, size);
	info->flags = (world.no_reseed ? SYSGENID_GET_RESEED_FAILED : 0) |
		      (world.pending ? SYSGENID_GET_RESEED_PENDING : 0);
	info->generation = world.generation;
	info->time = 1;
	info->outdated = !world.nobody_is_outdated;
	info->source = world.no_source ? SYSGENID_SOURCE_NONE :
					 SYSGENID_SOURCE_VMGENID;
	info->sources = world.no_id ? 1u << SYSGENID_SOURCE_SOFTWARE :
				      1u << SYSGENID_SOURCE_VMGENID;
	return world.no_info ? -EIO : 0;
}

static int freezing_is_safe(const struct words *units, pid_t client, char *why,
			    size_t size)
{
	if (client)
		world.client = client;
	if (!units->count || !world.unsafe)
		return 1;
	snprintf(why, size, "freeze: %s cannot be frozen", units->word[0]);
	return 0;
}

static int find_exempt(const struct words *units, struct words *cgroups,
		       char *why, size_t size)
{
	(void)units;
	(void)cgroups;
	snprintf(why, size, "there is no such unit");
	return !world.no_cgroup;
}

bool freezing_remember(const struct words *units)
{
	if (world.cannot_remember)
		return false;
	snprintf(world.frozen, sizeof(world.frozen), "%s", units->word[0]);
	return true;
}

bool freezing_recall(struct words *units)
{
	return !world.frozen[0] || words_add(units, world.frozen);
}

void freezing_forget(void)
{
	world.frozen[0] = 0;
}

const char *publishing_error(const struct publishing *p)
{
	(void)p;
	return NULL;
}

struct gate *gate_new(const struct config *c)
{
	(void)c;
	return world.no_gate ? NULL : (struct gate *)&world;
}

void gate_free(struct gate *gate)
{
	(void)gate;
}

enum recalled gate_recall(struct gate *gate, struct situation *s)
{
	(void)gate;
	*s = world.left;
	return world.recalled;
}

bool gate_set(struct gate *gate, const struct situation *s)
{
	(void)gate;
	if (s->state == READY && world.moves_before_opening) {
		world.moves_before_opening = false;
		restore();
		return false;
	}
	if (world.cannot_set || (world.cannot_open && s->state == READY))
		return false;
	world.set = *s;
	world.sets++;
	world.opens += s->state == READY;
	if (s->state == READY && world.moves_while_opening) {
		world.moves_while_opening = false;
		restore();
	}
	return true;
}

bool gate_dropped(const struct gate *gate, uint64_t *in, uint64_t *out)
{
	(void)gate;
	*in = 3;
	*out = 4;
	return world.drops;
}

int replace_file(const char *file, const char *text)
{
	ck_assert_str_eq(file, "/x/sysgenid.prom");
	snprintf(world.metrics, sizeof(world.metrics), "%s", text);
	return 0;
}

bool gate_close_on_top(struct gate *gate)
{
	(void)gate;
	if (world.cannot_set)
		return false;
	world.on_top++;
	return true;
}

bool gate_remove(struct gate *gate)
{
	(void)gate;
	world.removed = !world.cannot_remove;
	return world.removed;
}

bool gate_is_there(void)
{
	return world.there;
}

enum gate_kind gate_left(void)
{
	return world.there ? GATE_NFTABLES : GATE_NONE;
}

int gate_fd(const struct gate *gate)
{
	(void)gate;
	return world.events;
}

uint32_t gate_events(const struct gate *gate)
{
	(void)gate;
	return EPOLLIN;
}

bool gate_check(struct gate *gate, const struct situation *s)
{
	eventfd_t unused;

	(void)gate;
	(void)s;
	eventfd_read(world.events, &unused);
	return !world.cannot_check;
}

struct commands *commands_new(void)
{
	world.added = 0;
	return world.no_commands ? NULL : malloc(1);
}

static bool add_end_of_hooks(struct commands *cs, uint64_t timeout)
{
	(void)cs;
	(void)timeout;
	world.ends_hooks = true;
	return true;
}

static bool find_cgroups(const struct words *units, struct words *cgroups,
			 char *why, size_t size)
{
	char cgroup[64];

	snprintf(why, size, "%s does not run", units->word[0]);
	if (world.no_cgroup)
		return false;
	snprintf(cgroup, sizeof(cgroup), "/%s", units->word[0]);
	return words_add(cgroups, cgroup);
}

int cgroup_freeze(const char *path)
{
	(void)path;
	return 1;
}

int cgroup_thaw(const char *path)
{
	(void)path;
	return 1;
}

bool commands_add_call(struct commands *cs, uint64_t timeout, const char *name,
		       commands_call_fn *call, const char *const words[])
{
	(void)cs;
	(void)timeout;
	(void)call;
	world.added++;
	if (!strncmp(name, "freeze ", 7)) {
		world.freezes = true;
		world.set_before_freezing = world.set.state;
	} else if (!strcmp(name, "list pages")) {
		ck_assert(world.freezes && !world.empties);
		ck_assert_str_eq(words[0], "/b.service");
		world.lists = true;
	} else if (!strcmp(name, "transmit queues")) {
		world.empties = true;
	} else {
		world.thaws = true;
		snprintf(world.thawed, sizeof(world.thawed), "%s", words[0]);
	}
	return true;
}

int freeze_all(char *const exempt[], char *why, size_t size)
{
	(void)exempt;
	(void)why;
	(void)size;
	return 1;
}

int freeze_all_reaches(pid_t pid, char *const exempt[])
{
	(void)exempt;
	world.client = pid;
	return world.unsafe;
}

int freeze_all_move_back(const char *cgroup)
{
	(void)cgroup;
	return 1;
}

int queues_are_empty(char *const open[], char *why, size_t size)
{
	(void)open;
	(void)why;
	(void)size;
	return 1;
}

bool commands_add_folder(struct commands *cs, const struct backend *backend,
			 uint64_t timeout, const char *folder,
			 const struct situation *s, char *const environment[])
{
	(void)cs;
	(void)backend;
	(void)timeout;
	(void)folder;
	(void)s;
	snprintf(world.variable, sizeof(world.variable), "%s",
		 environment && environment[0] ? environment[0] : "");
	world.added++;
	world.hooks = true;
	return true;
}

bool steps_mix(const struct config *c, struct request *r, struct phases *p,
	       char *why, size_t size)
{
	(void)c;
	(void)p;
	world.mixes++;
	world.entropy = r ? r->entropy_len : 0;
	if (r && !world.no_entropy)
		request_wipe_entropy(r);
	snprintf(why, size, "entropy: no device");
	return !world.no_entropy;
}

bool steps_accept(const struct config *c, const struct request *r, char *why,
		  size_t size)
{
	snprintf(why, size, "\"realtime_ns\" is refused");
	return c->set_clock || !r->realtime_ns;
}

bool steps_run(const struct config *c, const struct request *r, uint64_t age_ns,
	       struct phases *p, char *why, size_t size)
{
	(void)age_ns;
	(void)p;
	snprintf(world.hostname, sizeof(world.hostname), "%s",
		 r ? r->hostname : "");
	ck_assert_int_eq(world.set.state, ADJUSTING);
	ck_assert_ptr_null(world.running);
	world.steps++;
	snprintf(why, size, "clock: no clock");
	return !c->set_clock || !world.no_clock;
}

void commands_run(struct commands *cs, struct loop *l, commands_done_fn *done,
		  void *user)
{
	(void)l;
	ck_assert_ptr_null(world.running);
	world.running = cs;
	world.done = done;
	world.user = user;
}

void commands_cancel(struct commands *cs)
{
	if (cs == world.running)
		world.running = NULL;
	free(cs);
}

static void end_commands(const char *failed)
{
	struct commands *cs = world.running;

	ck_assert_ptr_nonnull(cs);
	world.running = NULL;
	free(cs);
	world.done(world.user, failed);
	/* Nothing to do is done at once. */
	if (world.running && !world.added)
		end_commands(NULL);
}

struct watchers_wait *watchers_wait(struct loop *l, uint32_t generation,
				    uint64_t timeout, watchers_done_fn *done,
				    void *user)
{
	(void)l;
	(void)generation;
	(void)timeout;
	if (world.no_thread)
		return NULL;
	world.confirmed = done;
	world.user = user;
	world.waiting = (struct watchers_wait *)&world;
	return world.waiting;
}

void watchers_cancel(struct watchers_wait *w)
{
	(void)w;
	world.waiting = NULL;
}

static void end_waiting(int r)
{
	ck_assert_ptr_nonnull(world.waiting);
	world.waiting = NULL;
	world.confirmed(world.user, r, r ? 1 : 0);
}

void sessions_prepare(void)
{
}

bool sessions_are_possible(void)
{
	return !world.no_sessions;
}

struct sessions *sessions_reset(struct loop *l, sessions_done_fn *done,
				void *user)
{
	(void)l;
	ck_assert_ptr_null(world.resetting);
	if (world.no_thread)
		return NULL;
	world.reset = done;
	world.user = user;
	world.resetting = (struct sessions *)&world;
	return world.resetting;
}

void sessions_cancel(struct sessions *s)
{
	ck_assert_ptr_eq(s, world.resetting);
	world.cancelled += s != NULL;
	world.resetting = NULL;
}

static void end_sessions(const char *failed, const char *kept)
{
	ck_assert_ptr_nonnull(world.resetting);
	ck_assert_ptr_null(world.running);
	world.resetting = NULL;
	world.reset(world.user, failed, kept);
}

unsigned int laggards_describe(struct sysgenid *g, char *text, size_t size)
{
	(void)g;
	snprintf(text, size, "somebody (7)");
	return 1;
}

struct json_object *laggards_list(struct sysgenid *g)
{
	struct json_object *list = json_object_new_array();

	(void)g;
	json_object_array_add(list, json_object_new_string("somebody (7)"));
	return list;
}

bool laggards_kill(struct sysgenid *g, int signal, bool containers, char *why,
		   size_t size)
{
	(void)g;
	world.killed = signal;
	world.killed_containers = containers;
	snprintf(why, size, "container x is half-made");
	return !world.kill_fails;
}

int wiping_list(char *const cgroups[], char *why, size_t size)
{
	(void)cgroups;
	(void)why;
	(void)size;
	return 1;
}

unsigned int wiping_run(char *left, size_t size)
{
	/* Frozen, and the gate is closed. */
	ck_assert_int_eq(world.set.state, ADJUSTING);
	ck_assert(!world.thaws && !world.hooks);
	world.wipes++;
	snprintf(left, size, "agent (7): a thread is drawing");
	return 3;
}

void wiping_forget(void)
{
	world.wipes = 0;
}

int containers_freeze(char *const unused[], char *why, size_t size)
{
	(void)unused;
	(void)why;
	(void)size;
	return 1;
}

int containers_freezing_is_safe(pid_t client, char *why, size_t size)
{
	(void)client;
	snprintf(why, size, "the overseer runs in container \"x\"");
	return !world.contained;
}

int connections_destroy(void)
{
	world.destroys++;
	return world.connections_fail;
}

int connections_prepare(void)
{
	return 0;
}

static struct target *target_new(struct loop *l)
{
	(void)l;
	return (struct target *)&world;
}

static void target_free(struct target *t)
{
	(void)t;
}

static void target_set(struct target *t, bool ready)
{
	(void)t;
	world.target = ready;
}

struct announcer *announcer_new(struct loop *l, const char *where)
{
	(void)l;
	(void)where;
	return (struct announcer *)&world;
}

void announcer_free(struct announcer *a)
{
	(void)a;
}

void announcer_say(struct announcer *a, struct json_object *line)
{
	const size_t len = strlen(world.told);

	if (!a)
		return;
	snprintf(world.line, sizeof(world.line), "%s",
		 json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN));
	snprintf(world.told + len, sizeof(world.told) - len, "%s %u, ",
		 json_object_get_string(json_object_object_get(line, "state")),
		 world.opens);
}

void publishing_look(struct publishing *p)
{
	(void)p;
	world.looks++;
	if (world.vmclock_moved)
		world.generation++;
	world.vmclock_moved = false;
}

struct publishing *publishing_new(struct loop *l, enum publisher_kind kind,
				  published_fn *published, void *user)
{
	(void)l;
	(void)kind;
	world.published = published;
	world.published_user = user;
	return (struct publishing *)&world;
}

void publishing_end(struct publishing *p)
{
	world.page_ends = world.page_ends || p;
}

void publishing_leave(struct publishing *p)
{
	world.page_stays = world.page_stays || p;
}

uint32_t publishing_trigger(struct publishing *p, const void *bytes, size_t len)
{
	(void)p;
	ck_assert(len && *(const unsigned char *)bytes == 'e');
	world.triggers++;
	world.generation++;
	world.published(world.published_user);
	return world.generation;
}

int sysgenid_trigger(struct sysgenid *g, uint32_t expected, const void *entropy,
		     size_t entropy_len, uint32_t *generation)
{
	(void)g;
	ck_assert_uint_eq(expected, world.generation);
	ck_assert(entropy_len && *(const unsigned char *)entropy == 'e');
	if (world.cannot_trigger)
		return -EACCES;
	world.triggers++;
	*generation = ++world.generation;
	return 0;
}

static bool stop_is_requested(char *why, size_t size)
{
	snprintf(why, size, "the machine is shutting down");
	return !world.shuts_down;
}

static struct restarts *restart(struct loop *l, const struct words *units,
				uint64_t limit, restarts_done_fn *done,
				void *user)
{
	(void)l;
	ck_assert_ptr_null(world.restarted);
	ck_assert_uint_eq(limit, 7000000);
	if (world.no_commands)
		return NULL;
	world.restarted = done;
	world.user = user;
	snprintf(world.restarting, sizeof(world.restarting), "%s%s%s",
		 units->word[0], units->count > 1 ? " " : "",
		 units->count > 1 ? units->word[1] : "");
	return (struct restarts *)&world;
}

static void restart_cancel(struct restarts *r)
{
	ck_assert_ptr_nonnull(r);
	world.restarted = NULL;
}

static void end_restarts(const char *failed)
{
	restarts_done_fn *done = world.restarted;

	ck_assert_ptr_nonnull(done);
	world.restarted = NULL;
	done(world.user, failed);
}

static const struct backend backend = {
	.name = "played",
	.add_end_of_hooks = add_end_of_hooks,
	.find_cgroups = find_cgroups,
	.freezing_is_safe = freezing_is_safe,
	.find_exempt = find_exempt,
	.stop_is_requested = stop_is_requested,
	.restart = restart,
	.restart_cancel = restart_cancel,
	.target_new = target_new,
	.target_free = target_free,
	.target_set = target_set,
};

/* ---- questions to the machine ---- */

static void configure(const char *lines)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "[overseer]\nannounce = /dev/null\n%s%s%s",
		strstr(lines, "destroy-connections = ") ?
			"" :
			"destroy-connections = yes\n",
		strstr(lines, "sessions = ") ? "" : "sessions = keep\n", lines);
	fclose(f);
}

static void setup(void)
{
	world = (struct world){ .generation = 5, .recalled = NOTHING_THERE };
	world.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	world.events = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	configure("");
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	machine = machine_new(loop, &backend, path);
	ck_assert_ptr_nonnull(machine);
}

static void teardown(void)
{
	machine_free(machine);
	loop_free(loop);
	close(world.fd);
	close(world.events);
}

static char *member(const char *key)
{
	static char text[1024];
	struct json_object *status = machine_status(machine), *value;

	text[0] = 0;
	if (json_object_object_get_ex(status, key, &value))
		snprintf(text, sizeof(text), "%s",
			 json_object_get_string(value));
	json_object_put(status);
	return text;
}

static bool is_in(enum state state, uint32_t generation)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", generation);
	return !strcmp(member("state"), state_name(state)) &&
	       !strcmp(member("generation"), number);
}

static const char *status(void)
{
	static char text[2048];
	struct json_object *o = machine_status(machine);

	snprintf(text, sizeof(text), "%s", json_object_to_json_string(o));
	json_object_put(o);
	return text;
}

#define assert_in(state, generation) \
	ck_assert_msg(is_in(state, generation), "%s", status())

/* Until nothing is left to do at once. */
static void settle(void)
{
	while (loop_run_once(loop, 0) > 0)
		;
}

/* Until something happens: each wait of these tests is shorter than a second. */
static void wait_for_event(void)
{
	ck_assert_int_gt(loop_run_once(loop, 5000000), 0);
}

static void try_until(enum state state, uint32_t generation)
{
	while (!is_in(state, generation))
		wait_for_event();
}

/* At the end. */
static bool was_told(const char *states)
{
	const size_t len = strlen(world.told), end = strlen(states);

	return len >= end && !strcmp(world.told + len - end, states);
}

static void wait_until_told(const char *states)
{
	while (!was_told(states))
		wait_for_event();
}

static struct {
	unsigned int count;
	enum answer answer;
	char why[1024];
} answered;

static void on_answer(void *user, enum answer answer, const char *why)
{
	(void)user;
	answered.count++;
	answered.answer = answer;
	snprintf(answered.why, sizeof(answered.why), "%s", why ? why : "");
}

static void resume(bool forced)
{
	memset(&answered, 0, sizeof(answered));
	machine_resume(machine, forced, on_answer, NULL);
}

static void quiesce(bool until_resume)
{
	memset(&answered, 0, sizeof(answered));
	machine_quiesce(machine, until_resume, 77, on_answer, NULL);
}

#define assert_answered(what)                            \
	do {                                             \
		ck_assert_uint_eq(answered.count, 1);    \
		ck_assert_int_eq(answered.answer, what); \
	} while (0)

static void start_ready(void)
{
	machine_start(machine);
	assert_in(READY, 5);
	ck_assert(world.target);
}

static void start_quiesced(bool until_resume)
{
	start_ready();
	quiesce(until_resume);
	end_commands(NULL);
	assert_in(QUIESCED, 5);
	assert_answered(ANSWER_DONE);
}

/* From adjusting: hooks and watchers are content. */
static void adjusts_to_ready(uint32_t generation)
{
	assert_in(ADJUSTING, generation);
	ck_assert_int_eq(world.set.state, ADJUSTING);
	end_commands(NULL);
	end_waiting(0);
	assert_in(READY, generation);
	ck_assert_int_eq(world.set.state, READY);
	ck_assert_uint_eq(world.set.generation, generation);
	/* The host comes before everybody else. */
	while (!world.target)
		wait_for_event();
}

static void assert_held(uint32_t generation, const char *why)
{
	assert_in(HELD, generation);
	ck_assert(!world.target);
	ck_assert_msg(strstr(member("about"), why), "%s", member("about"));
	ck_assert_msg(strstr(world.line, "\"held\""), "%s", world.line);
}

/* ---- the gate ---- */

START_TEST(gate_that_cannot_be_closed_holds_until_it_can)
{
	start_ready();
	world.cannot_set = true;
	restore();
	settle();
	assert_held(6, "the gate cannot be closed");
	ck_assert(!world.hooks);
	/* What was asked for then has its answer. */
	resume(false);
	assert_answered(ANSWER_FAILED);
	world.cannot_set = false;
	try_until(ADJUSTING, 6);
	ck_assert(world.hooks);
	adjusts_to_ready(6);
}
END_TEST

START_TEST(gate_that_cannot_be_opened_holds_until_it_can)
{
	start_ready();
	restore();
	settle();
	world.cannot_open = true;
	resume(false);
	end_commands(NULL);
	end_waiting(0);
	assert_answered(ANSWER_FAILED);
	assert_held(6, "the gate cannot be opened");
	ck_assert_int_eq(world.set.state, HELD);
	world.cannot_open = false;
	try_until(ADJUSTING, 6);
	adjusts_to_ready(6);
}
END_TEST

START_TEST(gate_that_cannot_be_opened_by_force_is_answered)
{
	start_quiesced(false);
	world.cannot_open = true;
	resume(true);
	end_commands(NULL);
	assert_answered(ANSWER_FAILED);
	assert_held(5, "the gate cannot be opened");
}
END_TEST

START_TEST(gate_that_is_lost_holds)
{
	start_ready();
	world.cannot_check = true;
	eventfd_write(world.events, 1);
	settle();
	assert_held(5, "not as it was left");
	world.cannot_check = false;
	try_until(ADJUSTING, 5);
	adjusts_to_ready(5);
}
END_TEST

START_TEST(quiesced_machine_that_loses_its_gate_is_quiesced_again)
{
	start_quiesced(true);
	world.cannot_check = world.cannot_set = true;
	eventfd_write(world.events, 1);
	settle();
	assert_held(5, "the gate cannot be closed");
	/* Its file systems may be frozen: not even a new one begins to adjust. */
	restore();
	settle();
	world.cannot_check = world.cannot_set = false;
	try_until(QUIESCED, 5);
	ck_assert(world.set.until_resume);
	ck_assert_str_eq(member("about"), "");
	resume(false);
	adjusts_to_ready(6);
	assert_answered(ANSWER_DONE);
}
END_TEST

START_TEST(machine_is_not_quiesced_with_an_open_gate)
{
	start_ready();
	quiesce(false);
	world.cannot_set = true;
	end_commands(NULL);
	assert_answered(ANSWER_FAILED);
	assert_held(5, "the gate cannot be");
	world.cannot_set = false;
	try_until(ADJUSTING, 5);
	adjusts_to_ready(5);
}
END_TEST

START_TEST(stop_with_a_gate_that_cannot_be_removed_fails)
{
	start_quiesced(false);
	world.cannot_remove = true;
	machine_release(machine);
	resume(false);
	assert_answered(ANSWER_NOT_READY);
	end_commands(NULL);
	ck_assert_int_eq(loop_run(loop), 1);
}
END_TEST

START_TEST(stop_with_units_that_stay_frozen_fails)
{
	start_quiesced(false);
	machine_release(machine);
	end_commands("systemctl: not done in time");
	ck_assert(world.removed);
	ck_assert_int_eq(loop_run(loop), 1);
}
END_TEST

START_TEST(shutdown_while_units_thaw_leaves_the_gate)
{
	start_quiesced(false);
	machine_release(machine);
	world.shuts_down = true;
	end_commands(NULL);
	ck_assert(!world.removed);
	ck_assert_int_eq(loop_run(loop), 0);
}
END_TEST

/* ---- every other step ---- */

static void fail_read(void)
{
	world.read_fails = -EIO;
}

static void fail_connections(void)
{
	world.connections_fail = -EPERM;
}

static void fail_memory(void)
{
	world.no_commands = true;
}

static void fail_thread(void)
{
	world.no_thread = true;
}

static void fail_watchers(void)
{
	world.watchers_fail = -EMFILE;
}

static void fail_gate(void)
{
	world.cannot_set = true;
}

static void fail_opening(void)
{
	world.cannot_open = true;
}

static const struct step {
	void (*break_it)(void);
	const char *why;
} steps[] = {
	{ fail_gate, "the gate cannot be closed" },
	{ fail_read, "the generation cannot be read" },
	{ fail_connections, "TCP connections" },
	{ fail_memory, "the hooks cannot be run" },
	{ fail_thread, "watchers" },
	{ fail_watchers, "watchers" },
	{ fail_opening, "the gate cannot be opened" },
};

static void go_as_far_as_it_goes(void)
{
	settle();
	if (world.running)
		end_commands(NULL);
	if (world.waiting)
		end_waiting(world.watchers_fail);
}

static void heal(void)
{
	world.read_fails = world.connections_fail = world.watchers_fail = 0;
	world.cannot_set = world.cannot_open = false;
	world.no_commands = world.no_thread = false;
}

START_TEST(step_that_fails_holds_and_resume_is_answered)
{
	const struct step *s = &steps[_i];
	const uint32_t now = s->break_it == fail_read ? 5 : 6;

	start_ready();
	s->break_it();
	restore();
	go_as_far_as_it_goes();
	assert_held(now, s->why);
	resume(false);
	go_as_far_as_it_goes();
	assert_answered(ANSWER_FAILED);
	assert_held(now, s->why);
	heal();
	resume(false);
	adjusts_to_ready(6);
	assert_answered(ANSWER_DONE);
}
END_TEST

START_TEST(step_that_fails_is_tried_again)
{
	start_ready();
	steps[_i].break_it();
	restore();
	go_as_far_as_it_goes();
	heal();
	try_until(ADJUSTING, 6);
	adjusts_to_ready(6);
}
END_TEST

static void restore_with_sessions(void)
{
	machine_free(machine);
	configure("sessions = reset\n");
	machine = machine_new(loop, &backend, path);
	ck_assert_ptr_nonnull(machine);
	start_ready();
	restore();
	settle();
}

START_TEST(sessions_that_are_not_reset_hold_and_are_tried_again)
{
	restore_with_sessions();
	assert_in(ADJUSTING, 6);
	end_sessions("sessions cannot be reset: wg0", "");
	ck_assert_ptr_null(world.running);
	assert_held(6, "wg0");
	try_until(ADJUSTING, 6);
	end_sessions(NULL, "secure (MACsec)");
	adjusts_to_ready(6);
	ck_assert_str_eq(member("not-reset"), "secure (MACsec)");
	restore();
	settle();
	ck_assert_str_eq(member("not-reset"), "");
}
END_TEST

START_TEST(sessions_without_a_thread_hold)
{
	world.no_thread = true;
	restore_with_sessions();
	assert_held(6, "sessions");
	heal();
	try_until(ADJUSTING, 6);
	end_sessions(NULL, "");
	adjusts_to_ready(6);
}
END_TEST

START_TEST(generation_while_sessions_are_reset_begins_again)
{
	restore_with_sessions();
	assert_in(ADJUSTING, 6);
	restore();
	settle();
	ck_assert_uint_eq(world.cancelled, 1);
	end_sessions(NULL, "");
	adjusts_to_ready(7);
}
END_TEST

START_TEST(sessions_that_nothing_keeps_are_not_waited_for)
{
	world.no_sessions = true;
	restore_with_sessions();
	ck_assert_ptr_null(world.resetting);
	adjusts_to_ready(6);
}
END_TEST

START_TEST(everybody_is_told_in_order_after_the_gate_is_open)
{
	start_ready();
	world.told[0] = 0;
	world.opens = 0;
	restore();
	while (!world.running)
		wait_for_event();
	ck_assert_str_eq(world.told, "");
	adjusts_to_ready(6);
	ck_assert_str_eq(world.told, "adjusting 1, ready 1, ");
}
END_TEST

START_TEST(long_adjustment_is_told_meanwhile)
{
	start_ready();
	world.told[0] = 0;
	world.opens = 0;
	restore();
	wait_until_told("adjusting 0, ");
	ck_assert(!world.target);
	adjusts_to_ready(6);
	ck_assert_str_eq(world.told, "adjusting 0, ready 1, ");
}
END_TEST

START_TEST(hook_that_fails_holds_until_resume)
{
	start_ready();
	restore();
	settle();
	end_commands("50-test: exit status 1");
	assert_held(6, "50-test");
	/* Three times as long as until a first try. */
	ck_assert_int_eq(loop_run_once(loop, 300000), 0);
	assert_held(6, "50-test");
	resume(false);
	adjusts_to_ready(6);
	assert_answered(ANSWER_DONE);
}
END_TEST

START_TEST(hook_that_fails_and_a_gate_that_does_hold_until_the_gate_is_closed)
{
	start_ready();
	restore();
	settle();
	world.cannot_set = true;
	end_commands("50-test: exit status 1");
	assert_held(6, "50-test: exit status 1; the network may be open");
	world.cannot_set = false;
	try_until(ADJUSTING, 6);
	end_commands("50-test: exit status 1");
	assert_held(6, "50-test");
	ck_assert_int_eq(world.set.state, HELD);
}
END_TEST

/* ---- a generation that comes at any moment ---- */

START_TEST(generation_during_forced_thaw_is_adjusted_to)
{
	start_quiesced(_i & 1);
	resume(true);
	restore();
	/* Before its event, or after it. */
	if (_i & 2)
		end_commands(NULL);
	settle();
	ck_assert_uint_eq(answered.count, 0);
	adjusts_to_ready(6);
	assert_answered(ANSWER_DONE);
}
END_TEST

START_TEST(generation_during_thaw_is_adjusted_to)
{
	start_quiesced(true);
	resume(false);
	restore();
	settle();
	adjusts_to_ready(6);
	assert_answered(ANSWER_DONE);
}
END_TEST

START_TEST(generation_while_the_gate_opens_is_adjusted_to)
{
	start_ready();
	restore();
	settle();
	world.moves_while_opening = true;
	resume(false);
	end_commands(NULL);
	end_waiting(0);
	ck_assert_uint_eq(answered.count, 0);
	ck_assert(!world.target);
	adjusts_to_ready(7);
	assert_answered(ANSWER_DONE);
}
END_TEST

/* The gate in the kernel compares, and was not opened: that is no failure. */
START_TEST(generation_that_the_gate_sees_first_is_adjusted_to)
{
	start_ready();
	restore();
	settle();
	world.moves_before_opening = true;
	resume(false);
	end_commands(NULL);
	end_waiting(0);
	ck_assert_uint_eq(answered.count, 0);
	ck_assert(!world.target);
	ck_assert_ptr_null(strstr(world.line, "held"));
	adjusts_to_ready(7);
	assert_answered(ANSWER_DONE);
}
END_TEST

START_TEST(generation_before_the_gate_opens_keeps_it_closed)
{
	start_ready();
	restore();
	settle();
	end_commands(NULL);
	world.opens = 0;
	/* Nobody has told of it yet. */
	world.generation++;
	end_waiting(0);
	ck_assert_uint_eq(world.opens, 0);
	adjusts_to_ready(7);
}
END_TEST

START_TEST(resume_when_ready_reads_the_generation)
{
	start_ready();
	restore();
	resume(_i);
	ck_assert_uint_eq(answered.count, 0);
	adjusts_to_ready(6);
	assert_answered(ANSWER_DONE);
}
END_TEST

START_TEST(stale_wait_for_watchers_adjusts_again)
{
	start_ready();
	restore();
	settle();
	end_commands(NULL);
	world.generation++;
	end_waiting(-ESTALE);
	adjusts_to_ready(7);
}
END_TEST

START_TEST(nobody_is_waited_for_where_nobody_is_outdated)
{
	start_ready();
	restore();
	settle();
	world.nobody_is_outdated = true;
	end_commands(NULL);
	ck_assert_ptr_null(world.waiting);
	assert_in(READY, 6);
	ck_assert_int_eq(world.set.state, READY);
}
END_TEST

START_TEST(quiesced_is_not_said_of_an_old_generation)
{
	start_quiesced(false);
	restore();
	quiesce(false);
	assert_answered(ANSWER_NOT_READY);
}
END_TEST

START_TEST(force_while_quiescing_fails_who_asked_for_that)
{
	start_ready();
	quiesce(false);
	machine_resume(machine, true, on_answer, NULL);
	ck_assert_uint_eq(answered.count, 1);
	ck_assert_int_eq(answered.answer, ANSWER_FAILED);
	end_commands(NULL);
	ck_assert_uint_eq(answered.count, 2);
	ck_assert_int_eq(answered.answer, ANSWER_DONE);
	assert_in(READY, 5);
}
END_TEST

START_TEST(forced_with_frozen_units_says_so)
{
	start_quiesced(false);
	resume(true);
	end_commands("systemctl: not done in time");
	assert_answered(ANSWER_DONE);
	assert_in(READY, 5);
	ck_assert_msg(strstr(member("about"), "not done in time"), "%s",
		      member("about"));
}
END_TEST

/* ---- starting ---- */

START_TEST(what_cannot_be_read_is_kept_and_closed)
{
	world.recalled = CANNOT_LOOK;
	world.left = (struct situation){ QUIESCED, 5, true };
	machine_start(machine);
	assert_held(5, "cannot be read");
	ck_assert_uint_eq(world.sets, 0);
	ck_assert_uint_ge(world.on_top, 1);
	resume(false);
	assert_answered(ANSWER_FAILED);
	ck_assert_uint_eq(world.sets, 0);
	world.recalled = RECALLED;
	try_until(QUIESCED, 5);
	ck_assert(world.set.until_resume);
}
END_TEST

START_TEST(what_cannot_be_read_is_opened_by_force)
{
	world.recalled = CANNOT_LOOK;
	machine_start(machine);
	resume(true);
	end_commands(NULL);
	assert_answered(ANSWER_DONE);
	assert_in(READY, 5);
	ck_assert_int_eq(world.set.state, READY);
}
END_TEST

START_TEST(generation_before_the_start_is_closed_for)
{
	world.recalled = CANNOT_LOOK;
	machine_start(machine);
	world.on_top = 0;
	restore();
	settle();
	assert_held(6, "cannot be read");
	ck_assert_uint_ge(world.on_top, 1);
	world.recalled = RECALLED;
	world.left = (struct situation){ READY, 5, false };
	try_until(ADJUSTING, 6);
	adjusts_to_ready(6);
}
END_TEST

START_TEST(gate_that_cannot_be_used_holds)
{
	static const struct {
		const char *gate, *why;
	} kinds[] = {
		{ "gate = nftables\n", "load nf_tables" },
		{ "gate = kernel\n", "gate = nftables does without it" },
	};

	configure(kinds[_i].gate);
	world.no_gate = true;
	machine_start(machine);
	assert_held(5, kinds[_i].why);
	ck_assert_ptr_nonnull(
		strstr(member("about"), "the network may be open"));
	resume(true);
	assert_answered(ANSWER_FAILED);
	world.no_gate = false;
	try_until(READY, 5);
}
END_TEST

START_TEST(wrong_configuration_keeps_the_gate)
{
	world.there = 1;
	world.recalled = RECALLED;
	world.left = (struct situation){ QUIESCED, 5, false };
	configure("gait = none\n");
	machine_start(machine);
	assert_in(HELD, 5);
	ck_assert_msg(strstr(member("about"), "line 5: gait"), "%s",
		      member("about"));
	ck_assert_uint_eq(world.sets + world.on_top, 0);
	ck_assert(!world.target);
	resume(false);
	assert_answered(ANSWER_FAILED);
	ck_assert_ptr_nonnull(strstr(answered.why, "line 5"));
	configure("");
	try_until(QUIESCED, 5);
	ck_assert_str_eq(member("configuration"), "");
}
END_TEST

START_TEST(wrong_configuration_and_a_new_generation_closes)
{
	world.there = 1;
	world.recalled = RECALLED;
	world.left = (struct situation){ READY, _i ? 5 : 4, false };
	configure("gait = none\n");
	machine_start(machine);
	if (_i) {
		ck_assert_uint_eq(world.on_top, 0);
		restore();
		settle();
	}
	assert_in(HELD, world.generation);
	ck_assert_uint_ge(world.on_top, 1);
	configure("");
	try_until(ADJUSTING, world.generation);
	adjusts_to_ready(world.generation);
}
END_TEST

START_TEST(wrong_configuration_and_an_open_gate_says_so_and_tries_again)
{
	world.there = 1;
	world.recalled = RECALLED;
	world.left = (struct situation){ READY, _i ? 5 : 4, false };
	configure("gait = none\n");
	world.cannot_set = true;
	machine_start(machine);
	if (_i) {
		ck_assert_ptr_null(strstr(status(), "the network may be open"));
		restore();
		settle();
	}
	assert_in(HELD, world.generation);
	ck_assert_ptr_nonnull(strstr(status(), "the network may be open"));
	world.cannot_set = false;
	while (strstr(status(), "the network may be open"))
		wait_for_event();
	ck_assert_uint_ge(world.on_top, 1);
	assert_in(HELD, world.generation);
	ck_assert_ptr_nonnull(strstr(status(), "line 5: gait"));
}
END_TEST

START_TEST(wrong_configuration_and_a_gate_that_cannot_be_used_says_so)
{
	world.there = 1;
	world.no_gate = true;
	configure("gait = none\n");
	machine_start(machine);
	ck_assert_ptr_nonnull(strstr(status(), "the network may be open"));
	world.no_gate = false;
	while (strstr(status(), "the network may be open"))
		wait_for_event();
	assert_in(HELD, 5);
	ck_assert_ptr_nonnull(strstr(status(), "line 5: gait"));
}
END_TEST

/* Nobody ran before, so that nothing is stored: what this overseer saw counts. */
START_TEST(generation_before_a_first_start_is_adjusted_to)
{
	if (_i)
		configure("gait = none\n");
	else
		world.no_gate = true;
	machine_start(machine);
	restore();
	settle();
	assert_in(HELD, 6);
	configure("");
	world.no_gate = false;
	try_until(ADJUSTING, 6);
	adjusts_to_ready(6);
}
END_TEST

START_TEST(wrong_configuration_is_no_reason_to_give_up)
{
	configure("gait = none\n");
	machine_start(machine);
	/* Each wait is longer: 100, 200, 400 ms. */
	for (int i = 0; i < 3; i++)
		wait_for_event();
	ck_assert_int_eq(loop_run_once(loop, 100000), 0);
	assert_in(HELD, 5);
}
END_TEST

START_TEST(reload_of_a_wrong_configuration_changes_nothing)
{
	start_quiesced(false);
	world.sets = 0;
	configure("gait = none\n");
	ck_assert(!machine_reload(machine));
	assert_in(QUIESCED, 5);
	ck_assert_uint_eq(world.sets, 0);
	ck_assert_msg(strstr(member("configuration"), "line 5: gait"), "%s",
		      member("configuration"));
	configure("laggards = report\n");
	world.recalled = RECALLED;
	world.left = world.set;
	ck_assert(machine_reload(machine));
	assert_in(QUIESCED, 5);
	ck_assert_str_eq(member("configuration"), "");
	/* The file counts: who is late is reported now. */
	resume(false);
	end_commands(NULL);
	assert_in(READY, 5);
	restore();
	settle();
	end_commands(NULL);
	end_waiting(-ETIMEDOUT);
	assert_in(READY, 6);
}
END_TEST

/* Somebody flushed the rules right before. */
/* The rules may have been flushed since the last overseer was killed. */
START_TEST(restart_while_quiescing_closes_before_units_thaw)
{
	world.recalled = RECALLED;
	world.left = (struct situation){ QUIESCING, 5, false };
	machine_start(machine);
	assert_in(QUIESCING, 5);
	ck_assert_uint_eq(world.sets, 1);
	ck_assert_int_eq(world.set.state, QUIESCING);
	ck_assert(!world.hooks);
	end_commands(NULL);
	assert_in(READY, 5);
}
END_TEST

START_TEST(restart_while_quiescing_with_an_open_gate_holds)
{
	world.recalled = RECALLED;
	world.left = (struct situation){ QUIESCING, 5, false };
	world.cannot_set = true;
	machine_start(machine);
	assert_held(5, "the gate cannot be closed");
	ck_assert_ptr_null(world.running);
	world.cannot_set = false;
	try_until(ADJUSTING, 5);
	adjusts_to_ready(5);
}
END_TEST

START_TEST(reload_without_rules_goes_on_with_what_was_stored)
{
	start_quiesced(false);
	world.opens = 0;
	world.recalled = NOTHING_THERE;
	machine_reload(machine);
	assert_in(QUIESCED, 5);
	ck_assert_int_eq(world.set.state, QUIESCED);
	ck_assert_uint_eq(world.opens, 0);
}
END_TEST

START_TEST(reload_while_it_stops_is_too_late)
{
	start_quiesced(false);
	machine_release(machine);
	ck_assert(!machine_reload(machine));
	end_commands(NULL);
	ck_assert(world.removed);
}
END_TEST

START_TEST(reload_goes_on_with_what_is_under_way)
{
	start_ready();
	restore();
	settle();
	resume(false);
	world.recalled = RECALLED;
	world.left = world.set;
	ck_assert(machine_reload(machine));
	assert_answered(ANSWER_NOT_READY);
	adjusts_to_ready(6);
}
END_TEST

/* ---- a generator that was not reseeded ---- */

START_TEST(failed_reseed_holds_before_hooks_until_a_new_generation)
{
	start_ready();
	world.no_reseed = true;
	restore();
	settle();
	assert_held(6, "the kernel's random generator could not be reseeded");
	ck_assert(!world.hooks);
	resume(false);
	assert_answered(ANSWER_FAILED);
	assert_held(6, "could not be reseeded");
	world.no_reseed = false;
	restore();
	settle();
	adjusts_to_ready(7);
}
END_TEST

START_TEST(reseed_that_fails_later_holds)
{
	start_ready();
	restore();
	settle();
	world.no_reseed = true;
	end_commands(NULL);
	assert_held(6, "could not be reseeded");
	resume(true);
	end_commands(NULL);
	assert_answered(ANSWER_DONE);
	assert_in(READY, 6);
}
END_TEST

START_TEST(reseed_that_fails_while_quiesced_holds)
{
	start_quiesced(false);
	world.no_reseed = true;
	resume(false);
	end_commands(NULL);
	assert_answered(ANSWER_FAILED);
	assert_held(5, "could not be reseeded");
}
END_TEST

/* The first overseer starts in a clone, or before there is any. */
START_TEST(failed_reseed_before_a_first_start_holds)
{
	world.no_reseed = true;
	machine_start(machine);
	assert_held(5, "could not be reseeded");
	ck_assert_uint_eq(world.opens, 0);
	world.no_reseed = false;
	restore();
	settle();
	adjusts_to_ready(6);
}
END_TEST

START_TEST(machine_that_was_opened_in_spite_of_a_failed_reseed_stays_so)
{
	world.recalled = RECALLED;
	world.left = (struct situation){ READY, 5, false };
	world.no_reseed = true;
	start_ready();
}
END_TEST

START_TEST(failed_reseed_is_a_warning_if_so_configured)
{
	configure("reseed = warn\n");
	start_ready();
	world.no_reseed = true;
	restore();
	settle();
	adjusts_to_ready(6);
}
END_TEST

/* ---- the last reseed ---- */

/* All but that has been done. */
static void adjust_while_pending(const char *lines)
{
	configure(lines);
	start_ready();
	world.opens = 0;
	world.pending = true;
	restore();
	settle();
	end_commands(NULL);
	end_waiting(0);
}

START_TEST(gate_opens_after_the_last_reseed)
{
	adjust_while_pending("reseed = settled\n");
	for (int i = 0; i < 3; i++)
		wait_for_event();
	assert_in(ADJUSTING, 6);
	/* Hooks do not run again for who asks. */
	world.hooks = false;
	resume(false);
	ck_assert(!world.hooks);
	ck_assert_uint_eq(world.opens, 0);
	world.pending = false;
	try_until(READY, 6);
	ck_assert_uint_eq(world.opens, 1);
	assert_answered(ANSWER_DONE);
}
END_TEST

START_TEST(gate_opens_before_the_last_reseed_unless_configured)
{
	adjust_while_pending(_i ? "reseed = warn\n" : "");
	assert_in(READY, 6);
}
END_TEST

START_TEST(first_start_waits_for_the_last_reseed)
{
	configure("reseed = settled\n");
	world.pending = true;
	machine_start(machine);
	for (int i = 0; i < 3; i++)
		wait_for_event();
	assert_in(ADJUSTING, 5);
	ck_assert_uint_eq(world.opens, 0);
	ck_assert(!world.target && !world.hooks);
	world.pending = false;
	try_until(READY, 5);
	ck_assert_uint_eq(world.opens, 1);
}
END_TEST

START_TEST(last_reseed_that_takes_too_long_holds_until_it_is_over)
{
	adjust_while_pending("reseed = settled\nreseed-timeout = 1\n");
	world.no_info = _i;
	world.pending = !_i;
	try_until(HELD, 6);
	assert_held(6, _i ? "not known" : "reseed-timeout");
	ck_assert_uint_eq(world.opens, 0);
	/* Meanwhile it waits on. */
	for (int i = 0; i < 3; i++)
		wait_for_event();
	assert_held(6, _i ? "not known" : "reseed-timeout");
	world.pending = world.no_info = false;
	try_until(READY, 6);
	ck_assert_str_eq(member("about"), "");
}
END_TEST

START_TEST(reseed_that_fails_while_the_last_one_is_awaited_holds)
{
	const bool held = _i;

	adjust_while_pending("reseed = settled\nreseed-timeout = 1\n");
	if (held)
		try_until(HELD, 6);
	world.no_reseed = true;
	world.pending = false;
	if (held) {
		wait_for_event();
		settle();
		assert_in(HELD, 6);
	} else {
		try_until(HELD, 6);
		assert_held(6, "could not be reseeded");
	}
	ck_assert_uint_eq(world.opens, 0);
	world.no_reseed = false;
	restore();
	settle();
	adjusts_to_ready(7);
}
END_TEST

START_TEST(generation_while_the_last_reseed_is_awaited_is_adjusted_to)
{
	adjust_while_pending("reseed = settled\n");
	world.pending = false;
	world.told[0] = 0;
	restore();
	settle();
	wait_until_told("adjusting 0, adjusting 0, ");
	/* Nobody looks any more: hooks run. */
	ck_assert_int_eq(loop_run_once(loop, 50000), 0);
	ck_assert_uint_eq(world.opens, 0);
	adjusts_to_ready(7);
}
END_TEST

/* ---- freezing ---- */

START_TEST(unit_that_may_not_be_frozen_is_refused_with_the_configuration)
{
	start_ready();
	configure("freeze = a\n");
	world.unsafe = true;
	ck_assert(!machine_reload(machine));
	assert_in(READY, 5);
	ck_assert_msg(strstr(member("configuration"), "a.service cannot"), "%s",
		      member("configuration"));
	quiesce(false);
	end_commands(NULL);
	assert_answered(ANSWER_DONE);
	ck_assert(!world.freezes);
}
END_TEST

START_TEST(unit_that_may_not_be_frozen_any_more_is_refused_by_quiesce)
{
	configure("freeze = a\n");
	start_ready();
	if (!_i)
		world.unsafe = true;
	quiesce(false);
	if (_i) {
		/* A process moves while the hooks run. */
		world.unsafe = true;
		end_commands(NULL);
	}
	assert_answered(ANSWER_FAILED);
	ck_assert_msg(strstr(answered.why, "a.service cannot be frozen"), "%s",
		      answered.why);
	ck_assert_int_eq(world.client, 77);
	ck_assert(!world.freezes);
	assert_in(READY, 5);
}
END_TEST

START_TEST(units_that_cannot_be_remembered_are_not_frozen)
{
	configure("freeze = a\n");
	start_ready();
	world.cannot_remember = true;
	quiesce(false);
	end_commands(NULL);
	assert_answered(ANSWER_FAILED);
	ck_assert(!world.freezes);
	assert_in(READY, 5);
}
END_TEST

START_TEST(containers_are_frozen_unless_one_holds_the_overseer)
{
	configure("freeze = containers\n");
	start_ready();
	world.contained = _i;
	quiesce(false);
	if (_i) {
		assert_answered(ANSWER_FAILED);
		ck_assert(!world.freezes);
		ck_assert_ptr_nonnull(strstr(answered.why, "container \"x\""));
		return;
	}
	end_commands(NULL);
	ck_assert(world.freezes);
	end_commands(NULL);
	assert_in(QUIESCED, 5);
	assert_answered(ANSWER_DONE);
}
END_TEST

static void be_late(void)
{
	restore();
	settle();
	end_commands(NULL);
	end_waiting(-ETIMEDOUT);
}

START_TEST(containers_of_laggards_are_killed)
{
	configure("laggards = kill-container\n");
	start_ready();
	be_late();
	assert_in(ADJUSTING, 6);
	ck_assert_int_eq(world.killed, SIGTERM);
	ck_assert(world.killed_containers);
	end_waiting(-ETIMEDOUT);
	assert_in(ADJUSTING, 6);
	ck_assert_int_eq(world.killed, SIGKILL);
	end_waiting(0);
	assert_in(READY, 6);
}
END_TEST

START_TEST(laggard_that_cannot_be_killed_for_sure_holds)
{
	configure("laggards = kill-container\n");
	start_ready();
	world.kill_fails = true;
	be_late();
	assert_in(HELD, 6);
	ck_assert_msg(strstr(status(), "container x is half-made"), "%s",
		      status());
}
END_TEST

START_TEST(unit_that_does_not_run_is_refused_by_quiesce)
{
	configure("freeze = a\n");
	start_ready();
	world.no_cgroup = true;
	quiesce(false);
	end_commands(NULL);
	assert_answered(ANSWER_FAILED);
	ck_assert(!world.freezes);
	assert_in(READY, 5);
}
END_TEST

/* What the hooks need is there, and what is frozen does not have to answer. */
START_TEST(quiesce_is_hooks_gate_units_queues)
{
	configure("freeze = a\ngate = nftables\n");
	start_ready();
	quiesce(false);
	assert_in(QUIESCING, 5);
	ck_assert(!world.target);
	ck_assert(world.hooks && !world.freezes && !world.empties);
	ck_assert_int_eq(world.set.state, READY);
	end_commands(NULL);
	assert_in(QUIESCING, 5);
	ck_assert_int_eq(world.set.state, QUIESCING);
	ck_assert_int_eq(world.set_before_freezing, QUIESCING);
	ck_assert(world.freezes && world.empties);
	ck_assert_uint_eq(answered.count, 0);
	end_commands(NULL);
	assert_in(QUIESCED, 5);
	assert_answered(ANSWER_DONE);
}
END_TEST

/* 0: without a gate; 1: a queue that does not become empty. */
START_TEST(queues_are_waited_for_with_a_gate)
{
	configure(_i ? "gate = nftables\n" : "");
	start_ready();
	quiesce(false);
	end_commands(NULL);
	ck_assert_int_eq(world.empties, _i);
	if (!_i) {
		assert_in(QUIESCED, 5);
		return;
	}
	end_commands("transmit queues: not done in time: 3 packets wait");
	assert_answered(ANSWER_FAILED);
	ck_assert_ptr_nonnull(strstr(answered.why, "3 packets wait"));
	assert_in(READY, 5);
	ck_assert_int_eq(world.set.state, READY);
}
END_TEST

/* Hooks that fail leave what is open open, and nothing is written. */
START_TEST(quiesce_whose_hooks_fail_never_closes)
{
	unsigned int sets;

	start_ready();
	sets = world.sets;
	quiesce(false);
	ck_assert_uint_eq(world.sets, sets);
	end_commands("50-no: exit status 1");
	assert_answered(ANSWER_FAILED);
	assert_in(READY, 5);
	ck_assert_int_eq(world.set.state, READY);
}
END_TEST

/* 0: who asks would be frozen; 1: such a unit cannot be named here. */
START_TEST(freezing_of_all_is_refused_where_nobody_would_see_the_answer)
{
	configure("freeze = all\nfreeze-except = b\n");
	start_ready();
	world.unsafe = !_i;
	world.no_cgroup = _i;
	quiesce(false);
	assert_answered(ANSWER_FAILED);
	ck_assert_msg(strstr(answered.why, _i ? "no such unit" :
						"process 77, would be frozen"),
		      "%s", answered.why);
	ck_assert(!world.freezes && !world.hooks);
	assert_in(READY, 5);
	world.unsafe = world.no_cgroup = false;
	quiesce(false);
	end_commands(NULL);
	ck_assert(world.freezes);
	end_commands(NULL);
	assert_in(QUIESCED, 5);
}
END_TEST

START_TEST(frozen_units_are_thawed_by_another_configuration)
{
	configure("freeze = a\n");
	start_ready();
	quiesce(false);
	end_commands(NULL);
	ck_assert(world.freezes);
	end_commands(NULL);
	assert_in(QUIESCED, 5);
	configure("");
	world.recalled = RECALLED;
	world.left = world.set;
	ck_assert(machine_reload(machine));
	resume(false);
	ck_assert_str_eq(world.thawed, "/a.service");
	end_commands(NULL);
	assert_answered(ANSWER_DONE);
	ck_assert_str_eq(world.frozen, "");
}
END_TEST

START_TEST(page_of_a_publisher_outlives_a_restart_and_no_stop)
{
	configure("publisher = trigger\n");
	start_ready();
	if (_i) {
		machine_release(machine);
		ck_assert_int_eq(loop_run(loop), 0);
	}
	machine_free(machine);
	machine = NULL;
	ck_assert_int_eq(world.page_stays, !_i);
	ck_assert_int_eq(world.page_ends, _i);
}
END_TEST

/* ---- the end of what "quiesce" began ---- */

static void set_up_again(const char *lines)
{
	machine_free(machine);
	configure(lines);
	machine = machine_new(loop, &backend, path);
	ck_assert_ptr_nonnull(machine);
}

/* Nobody restores it, and nobody says "resume". */
START_TEST(quiesced_machine_opens_at_the_limit)
{
	set_up_again("quiesce-limit = 1\n");
	start_quiesced(_i);
	while (!world.running)
		wait_for_event();
	assert_in(QUIESCED, 5);
	end_commands(NULL);
	assert_in(READY, 5);
	ck_assert_msg(strstr(member("about"), "quiesce-limit"), "%s", status());
	/* The next one begins anew. */
	quiesce(false);
	end_commands(NULL);
	assert_in(QUIESCED, 5);
	ck_assert_int_eq(loop_run_once(loop, 300000), 0);
}
END_TEST

/* The clock of a clone jumped, and no event has come yet. */
START_TEST(clone_does_not_open_at_the_limit)
{
	set_up_again("quiesce-limit = 1\n");
	start_quiesced(_i);
	world.generation++;
	ck_assert_int_eq(loop_run_once(loop, 5000000), 1);
	ck_assert_uint_eq(world.opens, 1);
	if (_i) {
		assert_in(QUIESCED, 5);
		ck_assert_ptr_null(world.running);
	} else {
		adjusts_to_ready(6);
	}
}
END_TEST

/* Between the look at the generation and the opening of the gate. */
START_TEST(clone_does_not_open_while_units_thaw_at_the_limit)
{
	set_up_again("quiesce-limit = 1\n");
	start_quiesced(false);
	ck_assert_int_eq(loop_run_once(loop, 5000000), 1);
	world.generation++;
	end_commands(NULL);
	ck_assert_uint_eq(world.opens, 1);
	adjusts_to_ready(6);
}
END_TEST

START_TEST(clone_of_which_only_vmclock_tells_does_not_open_at_the_limit)
{
	set_up_again("quiesce-limit = 1\npublisher = vmclock\n");
	start_quiesced(false);
	world.vmclock_moved = true;
	ck_assert_int_eq(loop_run_once(loop, 5000000), 1);
	ck_assert_uint_eq(world.looks, 1);
	ck_assert_uint_eq(world.opens, 1);
	assert_in(ADJUSTING, 6);
}
END_TEST

START_TEST(without_a_limit_a_quiesced_machine_stays_so)
{
	set_up_again("quiesce-limit = none\n");
	start_quiesced(false);
	ck_assert_int_eq(loop_run_once(loop, 1500000), 0);
	assert_in(QUIESCED, 5);
}
END_TEST

START_TEST(quiesce_of_a_quiesced_machine_begins_the_limit_anew)
{
	set_up_again("quiesce-limit = 1\n");
	start_quiesced(false);
	ck_assert_int_eq(loop_run_once(loop, 700000), 0);
	quiesce(false);
	assert_answered(ANSWER_DONE);
	ck_assert_int_eq(loop_run_once(loop, 700000), 0);
	assert_in(QUIESCED, 5);
}
END_TEST

/* ---- what is said of it ---- */

START_TEST(look_finds_a_generation_without_its_event)
{
	start_ready();
	world.generation++;
	machine_look(machine);
	assert_in(ADJUSTING, 6);
	adjusts_to_ready(6);
	/* Frozen file systems wait for "resume". */
	quiesce(true);
	end_commands(NULL);
	world.generation++;
	machine_look(machine);
	assert_in(QUIESCED, 6);
}
END_TEST

START_TEST(look_at_a_generation_that_cannot_be_read_holds)
{
	start_ready();
	world.read_fails = -EIO;
	machine_look(machine);
	assert_held(5, "cannot be read");
	/* Once: who looks often does not put off the next try. */
	for (int i = 0; i < 100; i++)
		machine_look(machine);
	world.read_fails = 0;
	ck_assert_int_eq(loop_run_once(loop, 300000), 1);
	assert_in(ADJUSTING, 5);
}
END_TEST

/* Without a gate the peer would get the resets, and end the sibling's connections. */
START_TEST(connections_are_destroyed_behind_a_gate_or_when_asked_for)
{
	static const struct {
		const char *lines;
		unsigned int destroys;
	} cases[] = {
		{ "destroy-connections = with-gate\n", 0 },
		{ "destroy-connections = with-gate\ngate = nftables\n", 1 },
		{ "destroy-connections = yes\n", 1 },
		{ "destroy-connections = no\ngate = nftables\n", 0 },
	};

	set_up_again(cases[_i].lines);
	start_ready();
	restore();
	settle();
	assert_in(ADJUSTING, 6);
	ck_assert_uint_eq(world.destroys, cases[_i].destroys);
}
END_TEST

START_TEST(step_that_fails_holds_before_hooks_until_resume)
{
	set_up_again("clock = set\n");
	start_ready();
	world.no_entropy = !_i;
	world.no_clock = _i;
	restore();
	settle();
	assert_held(6, _i ? "clock: no clock" : "entropy: no device");
	ck_assert(!world.hooks);
	ck_assert_int_eq(world.set.state, HELD);
	ck_assert_uint_eq(world.steps, (unsigned int)_i);
	world.no_entropy = world.no_clock = false;
	resume(false);
	adjusts_to_ready(6);
	assert_answered(ANSWER_DONE);
	ck_assert_uint_eq(world.steps, (unsigned int)_i + 1);
}
END_TEST

START_TEST(pages_are_listed_when_frozen_and_wiped_before_the_thaw)
{
	set_up_again("freeze = a b\nwipe = b\n");
	start_ready();
	quiesce(false);
	end_commands(NULL);
	ck_assert(world.lists);
	end_commands(NULL);
	assert_in(QUIESCED, 5);
	world.hooks = false;
	restore();
	settle();
	assert_in(ADJUSTING, 6);
	ck_assert_uint_eq(world.wipes, 1);
	adjusts_to_ready(6);
	ck_assert_uint_eq(world.wipes, 0);
	ck_assert_str_eq(member("not-wiped"), "agent (7): a thread is drawing");
	/* Of the last generation only. */
	world.thaws = world.hooks = false;
	restore();
	settle();
	ck_assert_str_eq(member("not-wiped"), "agent (7): a thread is drawing");
	adjusts_to_ready(7);
}
END_TEST

static void assert_counts(const char *line)
{
	ck_assert_msg(strstr(world.metrics, line), "%s in:\n%s", line,
		      world.metrics);
}

START_TEST(metrics_follow_each_change_of_state)
{
	set_up_again("metrics = /x/sysgenid.prom\nlaggards = report\n");
	start_ready();
	assert_counts("state{state=\"ready\"} 1");
	assert_counts("restores_total 0");
	ck_assert_ptr_null(strstr(world.metrics, "dropped"));
	world.drops = true;
	restore();
	settle();
	end_commands("a hook failed");
	assert_counts("state{state=\"held\"} 1");
	assert_counts("held_total 1");
	assert_counts("generation 6");
	assert_counts("direction=\"out\"} 4");
	resume(false);
	end_commands(NULL);
	end_waiting(-ETIMEDOUT);
	assert_in(READY, 6);
	assert_counts("state{state=\"ready\"} 1");
	assert_counts("restores_total 1");
	assert_counts("laggards_total 1");
	assert_counts("held_total 1");
	assert_counts("restore_seconds_count 1");
	/* Not a restore. */
	quiesce(false);
	end_commands(NULL);
	assert_counts("state{state=\"quiesced\"} 1");
	resume(false);
	end_commands(NULL);
	assert_counts("restores_total 1");
}
END_TEST

#define RESTARTS                                                               \
	"restart = a b.socket\nrestart-after = c.timer\nrestart-timeout = 7\n" \
	"freeze = x\n"

static void start_with_restarts(void)
{
	set_up_again(RESTARTS);
	start_ready();
	quiesce(false);
	end_commands(NULL);
	end_commands(NULL);
	assert_in(QUIESCED, 5);
	restore();
	settle();
	ck_assert_ptr_null(world.restarted);
	end_commands(NULL);
	ck_assert_str_eq(world.restarting, "a.service b.socket");
	ck_assert(world.thaws);
}

START_TEST(units_are_started_anew_around_the_opening)
{
	start_with_restarts();
	assert_in(ADJUSTING, 6);
	ck_assert_ptr_null(world.waiting);
	end_restarts(NULL);
	end_waiting(0);
	assert_in(READY, 6);
	ck_assert_int_eq(world.set.state, READY);
	ck_assert_str_eq(world.restarting, "c.timer");
	/* A snapshot would have half of a start in it. */
	quiesce(false);
	assert_answered(ANSWER_NOT_READY);
	resume(false);
	assert_answered(ANSWER_DONE);
	end_restarts(NULL);
	assert_in(READY, 6);
	quiesce(false);
	end_commands(NULL);
	end_commands(NULL);
	assert_in(QUIESCED, 6);
	/* Nothing but a generation has them started anew. */
	resume(false);
	end_commands(NULL);
	assert_in(READY, 6);
	ck_assert_ptr_null(world.restarted);
}
END_TEST

START_TEST(unit_that_does_not_come_up_holds_by_its_name)
{
	start_with_restarts();
	if (_i) {
		end_restarts(NULL);
		end_waiting(0);
		assert_in(READY, 6);
	}
	end_restarts("restart: a.service does not come up: failed");
	assert_held(6, "a.service does not come up");
	ck_assert_int_eq(world.set.state, HELD);
	resume(false);
	end_commands(NULL);
	ck_assert_str_eq(world.restarting, "a.service b.socket");
	end_restarts(NULL);
	end_waiting(0);
	assert_in(READY, 6);
	assert_answered(ANSWER_DONE);
	end_restarts(NULL);
	assert_in(READY, 6);
}
END_TEST

START_TEST(generation_while_units_start_begins_again)
{
	start_with_restarts();
	if (_i) {
		end_restarts(NULL);
		end_waiting(0);
	}
	restore();
	settle();
	ck_assert_ptr_null(world.restarted);
	assert_in(ADJUSTING, 7);
	end_commands(NULL);
	ck_assert_str_eq(world.restarting, "a.service b.socket");
}
END_TEST

START_TEST(units_that_cannot_be_asked_for_hold)
{
	set_up_again(RESTARTS);
	start_ready();
	restore();
	settle();
	world.no_commands = true;
	end_commands(NULL);
	assert_held(6, "restart: no memory");
}
END_TEST

START_TEST(units_without_anybody_who_starts_them_are_refused)
{
	static struct backend without;

	without = backend;
	without.restart = NULL;
	configure(RESTARTS);
	machine_free(machine);
	machine = machine_new(loop, &without, path);
	machine_start(machine);
	assert_in(HELD, 5);
	ck_assert_msg(strstr(member("about"),
			     "nothing else starts units again"),
		      "%s", member("about"));
}
END_TEST

START_TEST(table_has_a_way_out_of_each_state)
{
	const enum state state = (enum state)_i;
	bool leaves = false;

	ck_assert(event_is_possible(state, ADJUSTMENT_BEGUN));
	ck_assert_int_eq(state_after(state, ADJUSTMENT_BEGUN), ADJUSTING);
	for (int i = 0; i < EVENTS; i++) {
		const enum event event = (enum event)i;

		if (event_is_possible(state, event) &&
		    state_after(state, event) == READY)
			leaves = true;
	}
	ck_assert_msg(leaves, "%s is never left", state_name(state));
}
END_TEST

START_TEST(table_leads_each_failure_to_held)
{
	for (int i = GENERATION_UNREADABLE; i < EVENTS; i++) {
		const enum event event = (enum event)i;

		ck_assert_int_eq(state_after((enum state)_i, event), HELD);
	}
}
END_TEST

START_TEST(table_opens_for_no_other_event)
{
	for (int i = 0; i < EVENTS; i++) {
		const enum event event = (enum event)i;
		const bool opens = event == ADJUSTED || event == REOPENED ||
				   event == FORCED || event == STILL_READY;

		ck_assert(opens || state_after((enum state)_i, event) != READY);
	}
	/* What clones have in common is adjusted before the gate opens. */
	ck_assert(_i != ADJUSTING || !event_is_possible(ADJUSTING, REOPENED));
	ck_assert(_i != HELD || !event_is_possible(HELD, REOPENED));
}
END_TEST

/* ---- the host's restore ---- */

static struct request asked(char nonce, bool entropy)
{
	struct request r = { .nonce_len = 16, .hostname = "clone" };

	memset(r.nonce, nonce, 16);
	if (entropy)
		memset(r.entropy, 'e', r.entropy_len = 32);
	memcpy(r.environment, "A=b", r.environment_len = 4);
	return r;
}

static void host_asks(char nonce, bool entropy)
{
	const struct request r = asked(nonce, entropy);

	memset(&answered, 0, sizeof(answered));
	machine_restore(machine, &r, on_answer, NULL);
}

/* @what: a member of the answer with its value. */
#define assert_told_host(what)                                          \
	do {                                                            \
		assert_answered(ANSWER_DONE);                           \
		ck_assert_msg(strstr(answered.why, what) != NULL, "%s", \
			      answered.why);                            \
	} while (0)

START_TEST(host_gets_one_answer_when_the_machine_is_ready)
{
	char first[1024];

	set_up_again("environment = pass\n");
	start_ready();
	restore();
	/* Before the event: the request looks itself. */
	if (_i)
		settle();
	host_asks('a', true);
	ck_assert_uint_eq(answered.count, 0);
	ck_assert_uint_eq(world.entropy, 32);
	ck_assert_str_eq(world.hostname, "clone");
	ck_assert_str_eq(world.variable, "SYSGENID_HOST_A=b");
	adjusts_to_ready(6);
	assert_told_host("\"state\":\"ready\"");
	ck_assert_ptr_nonnull(strstr(answered.why, "\"generation\":6"));
	ck_assert_ptr_nonnull(strstr(answered.why, "\"reseeded\":true"));
	ck_assert_ptr_nonnull(strstr(answered.why, "\"error\":null"));
	ck_assert_uint_eq(world.triggers, 0);
	memcpy(first, answered.why, sizeof(first));
	host_asks('a', true);
	assert_answered(ANSWER_DONE);
	ck_assert_str_eq(answered.why, first);
	assert_in(READY, 6);
	/* One restore has one request. */
	host_asks('b', true);
	assert_told_host("\"error\":\"not-restored\"");
	assert_in(READY, 6);
}
END_TEST

/* Both clones of a snapshot that was taken after the answer. */
START_TEST(nonce_is_forgotten_with_the_next_generation)
{
	start_ready();
	restore();
	host_asks('a', true);
	adjusts_to_ready(6);
	assert_told_host("\"generation\":6");
	world.generation++;
	host_asks('a', true);
	ck_assert_uint_eq(answered.count, 0);
	ck_assert_uint_eq(world.entropy, 32);
	adjusts_to_ready(7);
	assert_told_host("\"generation\":7");
}
END_TEST

START_TEST(request_that_is_sent_twice_is_done_once)
{
	start_ready();
	restore();
	host_asks('a', true);
	ck_assert_uint_eq(world.mixes, 1);
	host_asks('a', true);
	ck_assert_uint_eq(answered.count, 0);
	ck_assert_uint_eq(world.mixes, 1);
	host_asks('b', true);
	assert_told_host("\"error\":\"busy\"");
	memset(&answered, 0, sizeof(answered));
	adjusts_to_ready(6);
	ck_assert_uint_eq(answered.count, 2);
}
END_TEST

START_TEST(host_is_told_that_nothing_was_restored)
{
	world.no_source = true;
	start_ready();
	host_asks('a', true);
	assert_told_host("\"error\":\"not-restored\"");
	assert_in(READY, 5);
	ck_assert_uint_eq(world.mixes, 0);
	world.no_source = false;
	quiesce(false);
	host_asks('a', true);
	assert_told_host("\"error\":\"not-restored\"");
	end_commands(NULL);
	assert_in(QUIESCED, 5);
	host_asks('a', true);
	assert_told_host("\"error\":\"not-restored\"");
	assert_in(QUIESCED, 5);
}
END_TEST

START_TEST(restore_of_a_quiesced_machine_needs_no_resume)
{
	start_quiesced(_i);
	world.generation++;
	host_asks('a', false);
	adjusts_to_ready(6);
	assert_told_host("\"state\":\"ready\"");
}
END_TEST

START_TEST(restore_during_quiesce_ends_it)
{
	start_ready();
	quiesce(false);
	world.generation++;
	{
		const struct request r = asked('a', true);

		machine_restore(machine, &r, on_answer, NULL);
	}
	assert_answered(ANSWER_FAILED);
	memset(&answered, 0, sizeof(answered));
	adjusts_to_ready(6);
	assert_told_host("\"state\":\"ready\"");
}
END_TEST

START_TEST(held_machine_says_so_and_takes_another_request)
{
	start_ready();
	world.no_entropy = true;
	restore();
	host_asks('a', true);
	assert_told_host("\"state\":\"held\"");
	ck_assert_ptr_nonnull(strstr(answered.why, "\"error\":\"held\""));
	ck_assert_ptr_nonnull(strstr(answered.why, "entropy: no device"));
	host_asks('a', true);
	assert_told_host("\"state\":\"held\"");
	world.no_entropy = false;
	host_asks('b', true);
	adjusts_to_ready(6);
	assert_told_host("\"state\":\"ready\"");
}
END_TEST

START_TEST(laggards_are_named_to_the_host)
{
	set_up_again("laggards = report\n");
	start_ready();
	restore();
	host_asks('a', false);
	end_commands(NULL);
	end_waiting(-ETIMEDOUT);
	assert_told_host("\"laggards\":[\"somebody (7)\"]");
	assert_in(READY, 6);
}
END_TEST

START_TEST(generation_that_comes_meanwhile_ends_the_request)
{
	start_ready();
	restore();
	host_asks('a', true);
	restore();
	settle();
	assert_answered(ANSWER_NOT_READY);
	adjusts_to_ready(7);
	ck_assert_uint_eq(answered.count, 1);
}
END_TEST

START_TEST(member_that_the_configuration_does_not_take_is_refused)
{
	struct request r = asked('a', true);

	start_ready();
	restore();
	r.realtime_ns = REQUEST_REALTIME_MIN;
	memset(&answered, 0, sizeof(answered));
	machine_restore(machine, &r, on_answer, NULL);
	assert_told_host("\"error\":\"not-configured\"");
	assert_in(READY, 5);
}
END_TEST

/* A counter is the same in all clones, and software has nothing. */
static const char *const without_id[] = { "", "publisher = trigger\n",
					  "publisher = vmclock\n" };

START_TEST(without_a_hardware_id_the_request_is_the_trigger)
{
	set_up_again(without_id[_i]);
	world.no_id = true;
	start_ready();
	host_asks('a', false);
	assert_told_host("\"error\":\"entropy-required\"");
	ck_assert_ptr_nonnull(strstr(answered.why, "\"state\":\"held\""));
	assert_held(5, "entropy");
	ck_assert_uint_eq(world.triggers, 0);
	host_asks('a', true);
	ck_assert_uint_eq(world.triggers, 1);
	/* Mixed before the generation was published. */
	ck_assert_uint_eq(world.entropy, 0);
	assert_in(ADJUSTING, 6);
	end_commands(NULL);
	if (world.confirmed)
		end_waiting(0);
	assert_told_host("\"generation\":6");
	host_asks('a', true);
	assert_told_host("\"generation\":6");
	ck_assert_uint_eq(world.triggers, 1);
	host_asks('b', true);
	ck_assert_uint_eq(world.triggers, 2);
	assert_in(ADJUSTING, 7);
}
END_TEST

START_TEST(quiesce_forgets_the_nonce_where_nothing_tells_clones_apart)
{
	set_up_again("publisher = trigger\n");
	start_ready();
	host_asks('a', true);
	end_commands(NULL);
	assert_told_host("\"generation\":6");
	quiesce(false);
	end_commands(NULL);
	assert_in(QUIESCED, 6);
	host_asks('a', true);
	ck_assert_uint_eq(world.triggers, 2);
	end_commands(NULL);
	assert_told_host("\"generation\":7");
}
END_TEST

START_TEST(entropy_that_cannot_be_mixed_holds)
{
	world.no_id = world.cannot_trigger = true;
	start_ready();
	host_asks('a', true);
	assert_told_host("\"state\":\"held\"");
	assert_held(5, "entropy");
	world.cannot_trigger = false;
	host_asks('a', true);
	adjusts_to_ready(6);
	assert_told_host("\"state\":\"ready\"");
}
END_TEST

static void on_renewal(void *user, const struct config *c)
{
	(void)user;
	(void)c;
	world.renewals++;
}

/* The listening socket of a snapshot may be dead. */
START_TEST(ports_of_the_host_are_renewed_with_each_generation)
{
	machine_on_renewal(machine, on_renewal, NULL);
	start_ready();
	ck_assert_uint_eq(world.renewals, 1);
	restore();
	settle();
	ck_assert_uint_eq(world.renewals, 2);
	adjusts_to_ready(6);
	host_asks('a', true);
	ck_assert_uint_eq(world.renewals, 2);
	adjusts_to_ready(6);
	ck_assert(machine_reload(machine));
	ck_assert_uint_eq(world.renewals, 3);
}
END_TEST

static Suite *states(void)
{
	Suite *suite = suite_create("machine");
	TCase *tcase = tcase_create("states");
	const int count = (int)(sizeof(steps) / sizeof(steps[0]));

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 20);
	tcase_add_loop_test(tcase, quiesced_machine_opens_at_the_limit, 0, 2);
	tcase_add_loop_test(tcase, clone_does_not_open_at_the_limit, 0, 2);
	tcase_add_test(tcase,
		       clone_does_not_open_while_units_thaw_at_the_limit);
	tcase_add_test(
		tcase,
		clone_of_which_only_vmclock_tells_does_not_open_at_the_limit);
	tcase_add_test(tcase, without_a_limit_a_quiesced_machine_stays_so);
	tcase_add_test(tcase,
		       quiesce_of_a_quiesced_machine_begins_the_limit_anew);
	tcase_add_test(tcase, look_finds_a_generation_without_its_event);
	tcase_add_test(tcase, look_at_a_generation_that_cannot_be_read_holds);
	tcase_add_loop_test(
		tcase,
		connections_are_destroyed_behind_a_gate_or_when_asked_for, 0,
		4);
	tcase_add_test(tcase, gate_that_cannot_be_closed_holds_until_it_can);
	tcase_add_test(tcase, gate_that_cannot_be_opened_holds_until_it_can);
	tcase_add_test(tcase, gate_that_cannot_be_opened_by_force_is_answered);
	tcase_add_test(tcase, gate_that_is_lost_holds);
	tcase_add_test(tcase,
		       quiesced_machine_that_loses_its_gate_is_quiesced_again);
	tcase_add_test(tcase, machine_is_not_quiesced_with_an_open_gate);
	tcase_add_test(tcase, stop_with_a_gate_that_cannot_be_removed_fails);
	tcase_add_test(tcase, stop_with_units_that_stay_frozen_fails);
	tcase_add_test(tcase, shutdown_while_units_thaw_leaves_the_gate);
	tcase_add_loop_test(tcase, step_that_fails_holds_and_resume_is_answered,
			    0, count);
	tcase_add_loop_test(tcase, step_that_fails_is_tried_again, 0, count);
	tcase_add_test(tcase,
		       sessions_that_are_not_reset_hold_and_are_tried_again);
	tcase_add_test(tcase, sessions_without_a_thread_hold);
	tcase_add_test(tcase, generation_while_sessions_are_reset_begins_again);
	tcase_add_test(tcase, hook_that_fails_holds_until_resume);
	tcase_add_test(
		tcase,
		hook_that_fails_and_a_gate_that_does_hold_until_the_gate_is_closed);
	tcase_add_loop_test(tcase, generation_during_forced_thaw_is_adjusted_to,
			    0, 4);
	tcase_add_test(tcase, generation_during_thaw_is_adjusted_to);
	tcase_add_test(tcase, generation_while_the_gate_opens_is_adjusted_to);
	tcase_add_test(tcase, generation_before_the_gate_opens_keeps_it_closed);
	tcase_add_test(tcase,
		       generation_that_the_gate_sees_first_is_adjusted_to);
	tcase_add_loop_test(tcase, resume_when_ready_reads_the_generation, 0,
			    2);
	tcase_add_test(tcase, stale_wait_for_watchers_adjusts_again);
	tcase_add_test(tcase, nobody_is_waited_for_where_nobody_is_outdated);
	tcase_add_test(tcase, sessions_that_nothing_keeps_are_not_waited_for);
	tcase_add_test(tcase,
		       everybody_is_told_in_order_after_the_gate_is_open);
	tcase_add_test(tcase, long_adjustment_is_told_meanwhile);
	tcase_add_test(tcase, quiesced_is_not_said_of_an_old_generation);
	tcase_add_test(tcase, force_while_quiescing_fails_who_asked_for_that);
	tcase_add_test(tcase, forced_with_frozen_units_says_so);
	tcase_add_test(tcase, what_cannot_be_read_is_kept_and_closed);
	tcase_add_test(tcase, what_cannot_be_read_is_opened_by_force);
	tcase_add_test(tcase, generation_before_the_start_is_closed_for);
	tcase_add_loop_test(tcase, gate_that_cannot_be_used_holds, 0, 2);
	tcase_add_test(tcase, wrong_configuration_keeps_the_gate);
	tcase_add_loop_test(
		tcase, wrong_configuration_and_a_new_generation_closes, 0, 2);
	tcase_add_loop_test(
		tcase, generation_before_a_first_start_is_adjusted_to, 0, 2);
	tcase_add_loop_test(
		tcase,
		wrong_configuration_and_an_open_gate_says_so_and_tries_again, 0,
		2);
	tcase_add_test(
		tcase,
		wrong_configuration_and_a_gate_that_cannot_be_used_says_so);
	tcase_add_test(tcase, restart_while_quiescing_closes_before_units_thaw);
	tcase_add_test(tcase, restart_while_quiescing_with_an_open_gate_holds);
	tcase_add_test(tcase,
		       reload_without_rules_goes_on_with_what_was_stored);
	tcase_add_test(tcase, reload_while_it_stops_is_too_late);
	tcase_add_test(tcase, wrong_configuration_is_no_reason_to_give_up);
	tcase_add_test(tcase, reload_of_a_wrong_configuration_changes_nothing);
	tcase_add_test(tcase, reload_goes_on_with_what_is_under_way);
	tcase_add_test(tcase,
		       failed_reseed_holds_before_hooks_until_a_new_generation);
	tcase_add_loop_test(tcase,
			    containers_are_frozen_unless_one_holds_the_overseer,
			    0, 2);
	tcase_add_test(tcase, containers_of_laggards_are_killed);
	tcase_add_test(tcase, laggard_that_cannot_be_killed_for_sure_holds);
	tcase_add_test(tcase, reseed_that_fails_later_holds);
	tcase_add_test(tcase, reseed_that_fails_while_quiesced_holds);
	tcase_add_test(tcase, failed_reseed_is_a_warning_if_so_configured);
	tcase_add_test(tcase, gate_opens_after_the_last_reseed);
	tcase_add_loop_test(tcase,
			    gate_opens_before_the_last_reseed_unless_configured,
			    0, 2);
	tcase_add_test(tcase, failed_reseed_before_a_first_start_holds);
	tcase_add_test(
		tcase,
		machine_that_was_opened_in_spite_of_a_failed_reseed_stays_so);
	tcase_add_test(tcase, first_start_waits_for_the_last_reseed);
	tcase_add_loop_test(
		tcase, last_reseed_that_takes_too_long_holds_until_it_is_over,
		0, 2);
	tcase_add_loop_test(
		tcase, reseed_that_fails_while_the_last_one_is_awaited_holds, 0,
		2);
	tcase_add_test(
		tcase,
		generation_while_the_last_reseed_is_awaited_is_adjusted_to);
	tcase_add_test(
		tcase,
		unit_that_may_not_be_frozen_is_refused_with_the_configuration);
	tcase_add_loop_test(
		tcase,
		unit_that_may_not_be_frozen_any_more_is_refused_by_quiesce, 0,
		2);
	tcase_add_test(tcase, units_that_cannot_be_remembered_are_not_frozen);
	tcase_add_test(tcase, unit_that_does_not_run_is_refused_by_quiesce);
	tcase_add_test(tcase, quiesce_is_hooks_gate_units_queues);
	tcase_add_loop_test(tcase, queues_are_waited_for_with_a_gate, 0, 2);
	tcase_add_test(tcase, quiesce_whose_hooks_fail_never_closes);
	tcase_add_loop_test(
		tcase,
		freezing_of_all_is_refused_where_nobody_would_see_the_answer, 0,
		2);
	tcase_add_test(tcase, frozen_units_are_thawed_by_another_configuration);
	tcase_add_loop_test(tcase,
			    page_of_a_publisher_outlives_a_restart_and_no_stop,
			    0, 2);
	tcase_add_loop_test(
		tcase, step_that_fails_holds_before_hooks_until_resume, 0, 2);
	tcase_add_test(tcase,
		       pages_are_listed_when_frozen_and_wiped_before_the_thaw);
	tcase_add_test(tcase, metrics_follow_each_change_of_state);
	tcase_add_test(tcase, units_are_started_anew_around_the_opening);
	tcase_add_loop_test(tcase, unit_that_does_not_come_up_holds_by_its_name,
			    0, 2);
	tcase_add_loop_test(tcase, generation_while_units_start_begins_again, 0,
			    2);
	tcase_add_test(tcase, units_that_cannot_be_asked_for_hold);
	tcase_add_test(tcase,
		       units_without_anybody_who_starts_them_are_refused);
	tcase_add_loop_test(tcase, table_has_a_way_out_of_each_state, 0,
			    STATES);
	tcase_add_loop_test(tcase, table_leads_each_failure_to_held, 0, STATES);
	tcase_add_loop_test(tcase, table_opens_for_no_other_event, 0, STATES);
	tcase_add_loop_test(
		tcase, host_gets_one_answer_when_the_machine_is_ready, 0, 2);
	tcase_add_test(tcase, nonce_is_forgotten_with_the_next_generation);
	tcase_add_test(tcase, request_that_is_sent_twice_is_done_once);
	tcase_add_test(tcase, host_is_told_that_nothing_was_restored);
	tcase_add_loop_test(
		tcase, restore_of_a_quiesced_machine_needs_no_resume, 0, 2);
	tcase_add_test(tcase, restore_during_quiesce_ends_it);
	tcase_add_test(tcase, held_machine_says_so_and_takes_another_request);
	tcase_add_test(tcase, laggards_are_named_to_the_host);
	tcase_add_test(tcase, generation_that_comes_meanwhile_ends_the_request);
	tcase_add_test(tcase,
		       member_that_the_configuration_does_not_take_is_refused);
	tcase_add_loop_test(
		tcase, without_a_hardware_id_the_request_is_the_trigger, 0, 3);
	tcase_add_test(
		tcase,
		quiesce_forgets_the_nonce_where_nothing_tells_clones_apart);
	tcase_add_test(tcase, entropy_that_cannot_be_mixed_holds);
	tcase_add_test(tcase,
		       ports_of_the_host_are_renewed_with_each_generation);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	int failed, fd = mkstemp(path);
	SRunner *runner;

	if (fd < 0)
		return 2;
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	runner = srunner_create(states());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	return failed ? 1 : 0;
}
