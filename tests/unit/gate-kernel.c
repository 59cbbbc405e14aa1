// SPDX-License-Identifier: MIT
/* The overseer's gate with a kernel that is played, and rules that are played, too. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "fake.h"
#include "gate-nftables.h"
#include "gate.h"
#include "log.h"

#define NOTED_RULES ARMED_FILE ".nftables"

static struct config config;
static const struct situation ready = { READY, 5, false };
static const struct situation adjusting = { ADJUSTING, 5, false };
static const struct situation quiesced = { QUIESCED, 5, true };

/* The last three lines. */
static char said[3][512];

static bool was_said(const char *what)
{
	return strstr(said[0], what) || strstr(said[1], what) ||
	       strstr(said[2], what);
}

void log_line(int priority, const char *format, ...)
{
	va_list values;

	(void)priority;
	memmove(said[1], said[0], sizeof(said[0]) * 2);
	va_start(values, format);
	vsnprintf(said[0], sizeof(said[0]), format, values);
	va_end(values);
}

/* ---- rules ---- */

static struct {
	bool there, closed, fail;
	/* Of a look for them. */
	int error;
	struct situation s;
	/* What the kernel's gate was when the rules last changed. */
	uint32_t gate;
} rules;

struct gate_nftables *gate_nftables_new(const struct config *c, bool watches)
{
	(void)c;
	(void)watches;
	return (struct gate_nftables *)&rules;
}

void gate_nftables_free(struct gate_nftables *gate)
{
	(void)gate;
}

int gate_nftables_is_there(void)
{
	return rules.error ? rules.error : rules.there;
}

enum recalled gate_nftables_recall(struct gate_nftables *gate,
				   struct situation *s)
{
	(void)gate;
	*s = rules.s;
	return rules.there ? RECALLED : NOTHING_THERE;
}

bool gate_nftables_set(struct gate_nftables *gate, const struct situation *s)
{
	(void)gate;
	if (rules.fail)
		return false;
	rules.gate = fake.gate_state;
	rules.there = s;
	rules.closed = s && s->state != READY;
	if (s)
		rules.s = *s;
	return true;
}

bool gate_nftables_close_on_top(struct gate_nftables *gate)
{
	return gate_nftables_set(gate, &adjusting);
}

int gate_nftables_fd(const struct gate_nftables *gate)
{
	(void)gate;
	return -1;
}

bool gate_nftables_changed(struct gate_nftables *gate, bool *changed)
{
	(void)gate;
	*changed = false;
	return false;
}

bool gate_nftables_is_in_place(struct gate_nftables *gate,
			       const struct situation *s)
{
	(void)gate;
	(void)s;
	return true;
}

/* ---- tests ---- */

static void setup(void)
{
	rmdir(STATE_FILE);
	remove(STATE_FILE);
	rmdir(ARMED_FILE);
	remove(ARMED_FILE);
	remove(NOTED_RULES);
	fclose(fopen(GATE_ATTRIBUTE, "w"));
	memset(&rules, 0, sizeof(rules));
	memset(said, 0, sizeof(said));
	fake_start();
	fake.about.features |= SYSGENID_FEATURE_GATE;
	config = (struct config){ .gate = GATE_KERNEL };
	ck_assert(exceptions_add_device(&config.except, "eth1"));
	ck_assert(exceptions_add_mark(&config.except, "7"));
}

static void teardown(void)
{
	fake_end();
	exceptions_free(&config.except);
}

static uint32_t state(void)
{
	/* As the packet sees it, and without a call. */
	return fake.gate_state == SYSGENID_GATE_IS_OPEN &&
			       fake.gate_opened != fake.page->generation ?
		       SYSGENID_GATE_IS_SHUT :
		       fake.gate_state;
}

static struct gate *new_gate(void)
{
	struct gate *gate = gate_new(&config);

	ck_assert_ptr_nonnull(gate);
	return gate;
}

/* One that was armed, and is open or shut. */
static struct gate *gate_in(const struct situation *s)
{
	struct gate *gate = new_gate();

	ck_assert(gate_set(gate, &ready));
	ck_assert(gate_set(gate, s));
	return gate;
}

START_TEST(first_ready_arms_and_opens_in_one_step)
{
	struct gate *gate = new_gate();

	ck_assert_uint_eq(state(), SYSGENID_GATE_DISARMED);
	ck_assert(gate_set(gate, &ready));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_OPEN);
	ck_assert_uint_eq(fake.gate_changes, 1);
	gate_free(gate);
	ck_assert(fake_is_clean());
}
END_TEST

/* What came with it is looked at while it is there. */
static char except_device[16];
static uint32_t except_mark, except_filter;

static void look_at_exceptions(enum fake_call call, void *answer, size_t size)
{
	(void)answer;
	(void)size;
	if (call != FAKE_IOCTL || fake.gate.operation != SYSGENID_GATE_ARM)
		return;
	memcpy(except_device, (void *)(uintptr_t)fake.gate.devices,
	       sizeof(except_device));
	memcpy(&except_mark, (void *)(uintptr_t)fake.gate.marks,
	       sizeof(except_mark));
	except_filter = fake.gate.filter_len;
}

START_TEST(exceptions_of_the_configuration_come_with_arming)
{
	struct gate *gate;

	fake.spoil = look_at_exceptions;
	gate = new_gate();
	ck_assert(gate_set(gate, _i ? &ready : &adjusting));
	ck_assert_str_eq(except_device, "eth1");
	ck_assert_uint_eq(except_mark, 7);
	ck_assert_uint_eq(except_filter, 0);
	gate_free(gate);
}
END_TEST

START_TEST(first_one_that_is_not_ready_arms_shut)
{
	struct gate *gate = new_gate();

	ck_assert(gate_set(gate, &adjusting));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	ck_assert_uint_eq(fake.gate_changes, 1);
	gate_free(gate);
}
END_TEST

START_TEST(what_is_so_already_is_not_done_again)
{
	struct gate *gate = gate_in(_i ? &ready : &quiesced);
	const unsigned int changes = fake.gate_changes;

	ck_assert(gate_set(gate, _i ? &ready : &adjusting));
	ck_assert_uint_eq(fake.gate_changes, changes);
	gate_free(gate);
}
END_TEST

START_TEST(file_is_not_written_again_for_what_is_in_it)
{
	struct gate *gate = gate_in(&quiesced);

	ck_assert(!remove(STATE_FILE));
	ck_assert(gate_set(gate, &quiesced));
	ck_assert(access(STATE_FILE, F_OK));
	ck_assert(gate_set(gate, &adjusting));
	ck_assert(!access(STATE_FILE, F_OK));
	ck_assert(gate_remove(gate));
	ck_assert(gate_set(gate, &adjusting));
	ck_assert(!access(STATE_FILE, F_OK));
	gate_free(gate);
}
END_TEST

START_TEST(gate_that_shut_by_itself_is_not_shut_again)
{
	const struct situation next = { ADJUSTING, 6, false };
	struct gate *gate = gate_in(&ready);
	const unsigned int changes = fake.gate_changes;

	fake_publish();
	ck_assert(gate_set(gate, &next));
	ck_assert_uint_eq(fake.gate_changes, changes);
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	gate_free(gate);
}
END_TEST

/* 0: armed before; 1: at the first setting. */
START_TEST(gate_does_not_open_for_an_older_generation)
{
	struct gate *gate = _i ? new_gate() : gate_in(&adjusting);

	fake_publish();
	ck_assert(!gate_set(gate, &ready));
	ck_assert_uint_ne(state(), SYSGENID_GATE_IS_OPEN);
	ck_assert(was_said("generation 5 is not the current one"));
	gate_free(gate);
}
END_TEST

START_TEST(gate_that_somebody_opened_is_not_ready_for_an_older_generation)
{
	struct gate *gate = gate_in(&adjusting);

	fake_publish();
	fake.gate_state = SYSGENID_GATE_IS_OPEN;
	fake.gate_opened = 6;
	ck_assert(!gate_set(gate, &ready));
	gate_free(gate);
}
END_TEST

static void publish_once(enum fake_call call)
{
	if (call == FAKE_IOCTL && fake.gate.operation == SYSGENID_GATE_GET) {
		fake.before = NULL;
		fake_publish();
	}
}

/* After the look at what it is. */
START_TEST(generation_while_it_opens_is_not_opened_for)
{
	struct gate *gate = gate_in(&adjusting);

	fake.before = publish_once;
	ck_assert(!gate_set(gate, &ready));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	gate_free(gate);
}
END_TEST

START_TEST(kernel_without_a_gate_is_refused_with_the_way_out)
{
	fake.about.features &= ~(uint64_t)SYSGENID_FEATURE_GATE;
	ck_assert_ptr_null(gate_new(&config));
	ck_assert(was_said("set gate = nftables"));
	ck_assert(fake_is_clean());
}
END_TEST

START_TEST(machine_without_the_module_is_refused_with_the_way_out)
{
	fake.open_errno = ENOENT;
	ck_assert_ptr_null(gate_new(&config));
	ck_assert(was_said("load the module sysgenid"));
	ck_assert(fake_is_clean());
}
END_TEST

START_TEST(gate_that_is_switched_off_is_never_ready)
{
	struct gate *gate;

	fake.gate_off = true;
	gate = new_gate();
	ck_assert(!gate_set(gate, _i ? &ready : &adjusting));
	ck_assert(was_said("sysgenid.gate=off"));
	gate_free(gate);
}
END_TEST

START_TEST(overseer_without_the_rights_is_never_ready)
{
	struct gate *gate;

	fake.capable_errno = EACCES;
	gate = new_gate();
	ck_assert(!gate_set(gate, _i ? &ready : &adjusting));
	ck_assert(was_said("CAP_NET_ADMIN"));
	gate_free(gate);
}
END_TEST

START_TEST(without_a_hardware_id_it_obeys_triggers_and_says_so)
{
	struct gate *gate;

	fake.gate_without_id = true;
	gate = new_gate();
	ck_assert(gate_set(gate, &ready));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_OPEN);
	ck_assert(was_said("no hardware id"));
	gate_free(gate);
}
END_TEST

START_TEST(gate_that_somebody_disarmed_is_armed_again)
{
	struct gate *gate = gate_in(_i ? &ready : &quiesced);

	fake.gate_state = SYSGENID_GATE_DISARMED;
	ck_assert(gate_set(gate, _i ? &ready : &adjusting));
	ck_assert_uint_eq(state(),
			  _i ? SYSGENID_GATE_IS_OPEN : SYSGENID_GATE_IS_SHUT);
	ck_assert(was_said("somebody disarmed"));
	gate_free(gate);
}
END_TEST

/* The overseer ends in each state, as kill -9 does: what the kernel has stays, and the next one finds the state. */
START_TEST(next_overseer_finds_state_and_gate)
{
	const struct situation before = { (enum state)_i, 5, _i == QUIESCED };
	struct gate *gate = gate_in(&before);
	const uint32_t was = state();
	struct situation s;

	gate_free(gate);
	ck_assert_uint_eq(state(), was);
	gate = new_gate();
	ck_assert_uint_eq(state(), was);
	ck_assert_int_eq(gate_recall(gate, &s), RECALLED);
	ck_assert_int_eq(s.state, before.state);
	ck_assert_uint_eq(s.generation, 5);
	ck_assert_int_eq(s.until_resume, before.until_resume);
	ck_assert(gate_set(gate, &s));
	ck_assert_uint_eq(state(), was);
	gate_free(gate);
}
END_TEST

/* /run was emptied: what is known is what the kernel has. */
START_TEST(without_the_file_the_kernel_tells)
{
	struct gate *gate = gate_in(_i == 0 ? &quiesced : &ready);
	struct situation s;

	remove(STATE_FILE);
	if (_i == 1)
		fake_publish();
	ck_assert_int_eq(gate_recall(gate, &s),
			 _i == 2 ? NOTHING_THERE : RECALLED);
	ck_assert(_i || s.state == HELD);
	ck_assert(_i != 1 || (s.state == READY && s.generation == 5));
	gate_free(gate);
}
END_TEST

/* As "sysgenidctl gate arm" in the initramfs leaves it. */
START_TEST(gate_that_was_armed_early_has_nothing_to_tell)
{
	struct gate *gate = new_gate();
	struct situation s;

	fake.gate_state = SYSGENID_GATE_IS_SHUT;
	ck_assert_int_eq(gate_recall(gate, &s), NOTHING_THERE);
	ck_assert(gate_set(gate, &ready));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_OPEN);
	gate_free(gate);
}
END_TEST

static bool refuse_gate(enum fake_call call, int *error)
{
	*error = EIO;
	return call == FAKE_IOCTL;
}

START_TEST(gate_that_cannot_be_looked_at_is_not_none)
{
	struct gate *gate = gate_in(&ready);
	struct situation s;

	fake.refuse = refuse_gate;
	ck_assert_int_eq(gate_recall(gate, &s), CANNOT_LOOK);
	ck_assert(!gate_set(gate, &quiesced));
	ck_assert(!gate_close_on_top(gate));
	ck_assert(!gate_remove(gate));
	gate_free(gate);
}
END_TEST

/* Each call in turn: what is said to be so is so, and nothing opens by a failure. */
START_TEST(each_failing_call_is_told)
{
	const bool opens = _i & 1, armed = _i & 2;
	unsigned int at = 1;
	bool failed = true;

	while (failed) {
		struct gate *gate =
			armed ? gate_in(opens ? &quiesced : &ready) :
				new_gate();
		bool ok;

		fake.fail_errno = EIO;
		fake.fail_at = fake.calls + at;
		fake.failed = false;
		ok = gate_set(gate, opens ? &ready : &quiesced);
		failed = fake.failed;
		ck_assert_int_eq(ok, !failed);
		ck_assert(!ok || state() == (opens ? SYSGENID_GATE_IS_OPEN :
						     SYSGENID_GATE_IS_SHUT));
		ck_assert(!failed || !opens ||
			  state() != SYSGENID_GATE_IS_OPEN);
		fake.fail_at = 0;
		ck_assert(gate_remove(gate));
		gate_free(gate);
		at++;
	}
	ck_assert_uint_gt(at, 2);
}
END_TEST

START_TEST(file_that_cannot_be_written_keeps_it_shut)
{
	struct gate *gate = gate_in(&quiesced);

	remove(STATE_FILE);
	ck_assert_int_eq(mkdir(STATE_FILE, 0700), 0);
	ck_assert(!gate_set(gate, &ready));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	rmdir(STATE_FILE);
	ck_assert(gate_set(gate, &ready));
	ck_assert_int_eq(mkdir(STATE_FILE ".new", 0700), 0);
	/* Shut all the same, and said. */
	ck_assert(!gate_set(gate, &quiesced));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	rmdir(STATE_FILE ".new");
	gate_free(gate);
}
END_TEST

/* Nobody would know that the gate has to be taken away. */
START_TEST(nothing_is_armed_that_cannot_be_noted)
{
	struct gate *gate = new_gate();

	ck_assert_int_eq(mkdir(ARMED_FILE, 0700), 0);
	ck_assert(!gate_set(gate, &ready));
	ck_assert_uint_eq(state(), SYSGENID_GATE_DISARMED);
	gate_free(gate);
}
END_TEST

/* To none and to nftables, and back; in each state. */
START_TEST(other_kind_keeps_the_state_and_leaves_nothing)
{
	const struct situation before = { (enum state)(_i / 2), 5, false };
	const enum gate_kind other = _i % 2 ? GATE_NFTABLES : GATE_NONE;
	struct gate *gate = gate_in(&before);
	struct situation s;

	gate_free(gate);
	config.gate = other;
	gate = new_gate();
	ck_assert_int_eq(gate_left(), GATE_KERNEL);
	ck_assert_int_eq(gate_recall(gate, &s), RECALLED);
	ck_assert_int_eq(s.state, before.state);
	/* Nothing is lost before the new kind has it. */
	ck_assert_uint_ne(state(), SYSGENID_GATE_DISARMED);
	ck_assert(gate_set(gate, &s));
	ck_assert_uint_eq(state(), SYSGENID_GATE_DISARMED);
	ck_assert(access(ARMED_FILE, F_OK));
	ck_assert(other == GATE_NONE || rules.gate != SYSGENID_GATE_DISARMED);
	gate_free(gate);

	config.gate = GATE_KERNEL;
	gate = new_gate();
	ck_assert_int_eq(gate_recall(gate, &s), RECALLED);
	ck_assert_int_eq(s.state, before.state);
	ck_assert(gate_set(gate, &s));
	ck_assert(!rules.there);
	ck_assert_uint_eq(state(), before.state == READY ?
					   SYSGENID_GATE_IS_OPEN :
					   SYSGENID_GATE_IS_SHUT);
	ck_assert(other == GATE_NONE || rules.gate != SYSGENID_GATE_DISARMED);
	gate_free(gate);
}
END_TEST

START_TEST(leftover_that_cannot_be_taken_away_is_said)
{
	struct gate *gate = gate_in(&quiesced);
	struct situation s;

	gate_free(gate);
	config.gate = GATE_NONE;
	gate = new_gate();
	ck_assert_int_eq(gate_recall(gate, &s), RECALLED);
	fake.refuse = refuse_gate;
	ck_assert(!gate_set(gate, &ready));
	fake.refuse = NULL;
	ck_assert(gate_set(gate, &ready));
	ck_assert_uint_eq(state(), SYSGENID_GATE_DISARMED);
	gate_free(gate);
}
END_TEST

START_TEST(older_kind_stays_while_the_new_one_fails)
{
	struct gate *gate = gate_in(&quiesced);
	struct situation s;

	gate_free(gate);
	config.gate = GATE_NFTABLES;
	gate = new_gate();
	ck_assert_int_eq(gate_recall(gate, &s), RECALLED);
	rules.fail = true;
	ck_assert(!gate_set(gate, &s));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	gate_free(gate);
}
END_TEST

/* Armed by somebody who opens it: an overseer without a gate leaves that alone. */
START_TEST(gate_of_somebody_else_stays)
{
	struct gate *gate;
	struct situation s;

	fake.gate_state = SYSGENID_GATE_IS_SHUT;
	config.gate = GATE_NONE;
	gate = new_gate();
	ck_assert(!gate_is_there());
	ck_assert_int_eq(gate_left(), GATE_NONE);
	ck_assert_int_eq(gate_recall(gate, &s), NOTHING_THERE);
	ck_assert(gate_set(gate, &ready));
	ck_assert(gate_remove(gate));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	ck_assert_uint_eq(fake.gate_changes, 0);
	gate_free(gate);
}
END_TEST

/* An overseer without a gate has no right to look for rules, and those that had it noted theirs. */
START_TEST(rules_that_nobody_may_look_for_are_there_if_they_are_noted)
{
	struct situation s;
	struct gate *gate;

	config.gate = GATE_NFTABLES;
	gate = new_gate();
	ck_assert(!access(NOTED_RULES, F_OK));
	gate_free(gate);
	config.gate = GATE_NONE;
	gate = new_gate();
	rules.error = -EPERM;
	ck_assert_int_eq(gate_recall(gate, &s), CANNOT_LOOK);
	ck_assert(gate_is_there());
	ck_assert_int_eq(gate_left(), GATE_NFTABLES);
	ck_assert(!gate_remove(gate));
	/* There are none: the next one needs no right. */
	rules.error = 0;
	ck_assert_int_eq(gate_recall(gate, &s), NOTHING_THERE);
	ck_assert(access(NOTED_RULES, F_OK));
	rules.error = -EPERM;
	ck_assert_int_eq(gate_recall(gate, &s), NOTHING_THERE);
	ck_assert_int_eq(gate_left(), GATE_NONE);
	ck_assert(gate_remove(gate));
	/* Another error tells nothing. */
	rules.error = -ENOBUFS;
	ck_assert_int_eq(gate_recall(gate, &s), CANNOT_LOOK);
	gate_free(gate);
}
END_TEST

START_TEST(removed_rules_are_not_noted_any_more)
{
	struct gate *gate;
	struct situation s;

	config.gate = GATE_NFTABLES;
	gate = new_gate();
	ck_assert(gate_set(gate, &quiesced));
	gate_free(gate);
	config.gate = GATE_NONE;
	gate = new_gate();
	ck_assert_int_eq(gate_recall(gate, &s), RECALLED);
	ck_assert(!access(NOTED_RULES, F_OK));
	ck_assert(gate_set(gate, &s));
	ck_assert(access(NOTED_RULES, F_OK));
	gate_free(gate);
}
END_TEST

START_TEST(rules_that_cannot_be_noted_are_no_gate)
{
	ck_assert_int_eq(mkdir(NOTED_RULES, 0700), 0);
	config.gate = GATE_NFTABLES;
	ck_assert_ptr_null(gate_new(&config));
	rmdir(NOTED_RULES);
}
END_TEST

/* "stop", and "--open", which does not know the configuration. */
START_TEST(removed_gate_is_disarmed)
{
	struct gate *gate = gate_in(&quiesced);

	if (_i) {
		gate_free(gate);
		config.gate = GATE_NONE;
		gate = new_gate();
	}
	ck_assert(gate_is_there());
	ck_assert(gate_remove(gate));
	ck_assert_uint_eq(state(), SYSGENID_GATE_DISARMED);
	ck_assert(!gate_is_there());
	ck_assert(access(STATE_FILE, F_OK));
	gate_free(gate);
}
END_TEST

START_TEST(closed_on_top_keeps_what_is_remembered_and_excepted)
{
	struct gate *gate = gate_in(&ready);
	struct situation s;

	gate_free(gate);
	gate = new_gate();
	ck_assert(gate_close_on_top(gate));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	ck_assert_uint_eq(fake.gate.operation, SYSGENID_GATE_SHUT);
	ck_assert(gate_close_on_top(gate));
	ck_assert_int_eq(gate_recall(gate, &s), RECALLED);
	ck_assert_int_eq(s.state, READY);
	fake.gate_state = SYSGENID_GATE_DISARMED;
	ck_assert(gate_close_on_top(gate));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	gate_free(gate);
}
END_TEST

/* ---- what somebody else does to it ---- */

START_TEST(gate_that_somebody_disarmed_is_put_right_at_once)
{
	struct gate *gate = gate_in(_i ? &ready : &quiesced);

	fake.gate_state = SYSGENID_GATE_DISARMED;
	ck_assert(gate_check(gate, _i ? &ready : &quiesced));
	ck_assert_uint_eq(state(),
			  _i ? SYSGENID_GATE_IS_OPEN : SYSGENID_GATE_IS_SHUT);
	ck_assert(was_said("somebody disarmed"));
	gate_free(gate);
}
END_TEST

START_TEST(gate_that_somebody_opened_is_shut_at_once)
{
	struct gate *gate = gate_in(&quiesced);

	fake.gate_state = SYSGENID_GATE_IS_OPEN;
	ck_assert(gate_check(gate, &quiesced));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	ck_assert(was_said("somebody opened the gate: shut again"));
	gate_free(gate);
}
END_TEST

START_TEST(exceptions_of_somebody_else_are_replaced)
{
	struct gate *gate = gate_in(_i ? &ready : &quiesced);
	const unsigned int changes = fake.gate_changes;

	ck_assert(gate_check(gate, _i ? &ready : &quiesced));
	ck_assert_uint_eq(fake.gate_changes, changes);
	fake.gate_filter = 4;
	ck_assert(gate_check(gate, _i ? &ready : &quiesced));
	ck_assert_uint_eq(fake.gate_filter, 0);
	ck_assert(was_said("other exceptions: armed again"));
	ck_assert_uint_eq(state(),
			  _i ? SYSGENID_GATE_IS_OPEN : SYSGENID_GATE_IS_SHUT);
	gate_free(gate);
}
END_TEST

/* Nothing is opened that somebody shut, and nothing is done for a generation that is adjusted to next. */
START_TEST(gate_that_is_shut_is_left_alone)
{
	struct gate *gate = gate_in(&ready);
	const unsigned int changes = fake.gate_changes;

	if (_i)
		fake_publish();
	else
		fake.gate_state = SYSGENID_GATE_IS_SHUT;
	ck_assert(gate_check(gate, &ready));
	ck_assert_uint_eq(state(), SYSGENID_GATE_IS_SHUT);
	ck_assert_uint_eq(fake.gate_changes, changes);
	ck_assert_int_eq(was_said("somebody shut the gate"), !_i);
	gate_free(gate);
}
END_TEST

START_TEST(gate_that_cannot_be_put_right_is_told)
{
	struct gate *gate = gate_in(&ready);

	fake.gate_state = SYSGENID_GATE_DISARMED;
	fake.gate_off = true;
	ck_assert(!gate_check(gate, &ready));
	fake.refuse = refuse_gate;
	ck_assert(!gate_check(gate, &ready));
	ck_assert(gate_check(gate, NULL));
	gate_free(gate);
}
END_TEST

START_TEST(kernel_that_tells_of_no_changes_is_said)
{
	struct gate *gate;

	ck_assert(!remove(GATE_ATTRIBUTE));
	gate = new_gate();
	ck_assert_int_eq(gate_fd(gate), -1);
	ck_assert(was_said("is noticed late"));
	ck_assert(gate_set(gate, &ready));
	gate_free(gate);
}
END_TEST

/* A driver that answers yes, and has not done it. */
static void stays_open(enum fake_call call, void *answer, size_t size)
{
	struct sysgenid_gate_args *gate = answer;

	if (call == FAKE_IOCTL && size == sizeof(*gate) &&
	    fake.gate.operation != SYSGENID_GATE_GET)
		gate->state = SYSGENID_GATE_IS_OPEN;
}

START_TEST(answer_counts_and_not_the_return_value)
{
	struct gate *gate = gate_in(&ready);

	fake.spoil = stays_open;
	ck_assert(!gate_set(gate, &quiesced));
	gate_free(gate);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate-kernel");
	TCase *tcase = tcase_create("gate-kernel");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, first_ready_arms_and_opens_in_one_step);
	tcase_add_loop_test(
		tcase, exceptions_of_the_configuration_come_with_arming, 0, 2);
	tcase_add_test(tcase, first_one_that_is_not_ready_arms_shut);
	tcase_add_loop_test(tcase, what_is_so_already_is_not_done_again, 0, 2);
	tcase_add_test(tcase, file_is_not_written_again_for_what_is_in_it);
	tcase_add_test(tcase, gate_that_shut_by_itself_is_not_shut_again);
	tcase_add_loop_test(tcase, gate_does_not_open_for_an_older_generation,
			    0, 2);
	tcase_add_test(
		tcase,
		gate_that_somebody_opened_is_not_ready_for_an_older_generation);
	tcase_add_test(tcase, generation_while_it_opens_is_not_opened_for);
	tcase_add_test(tcase,
		       kernel_without_a_gate_is_refused_with_the_way_out);
	tcase_add_test(tcase,
		       machine_without_the_module_is_refused_with_the_way_out);
	tcase_add_loop_test(tcase, gate_that_is_switched_off_is_never_ready, 0,
			    2);
	tcase_add_loop_test(tcase, overseer_without_the_rights_is_never_ready,
			    0, 2);
	tcase_add_test(tcase,
		       without_a_hardware_id_it_obeys_triggers_and_says_so);
	tcase_add_loop_test(tcase, gate_that_somebody_disarmed_is_armed_again,
			    0, 2);
	tcase_add_loop_test(tcase, next_overseer_finds_state_and_gate, 0,
			    STATES);
	tcase_add_loop_test(tcase, without_the_file_the_kernel_tells, 0, 3);
	tcase_add_test(tcase, gate_that_was_armed_early_has_nothing_to_tell);
	tcase_add_test(tcase, gate_that_cannot_be_looked_at_is_not_none);
	tcase_add_loop_test(tcase, each_failing_call_is_told, 0, 4);
	tcase_add_test(tcase, file_that_cannot_be_written_keeps_it_shut);
	tcase_add_test(tcase, nothing_is_armed_that_cannot_be_noted);
	tcase_add_loop_test(tcase,
			    other_kind_keeps_the_state_and_leaves_nothing, 0,
			    2 * STATES);
	tcase_add_test(tcase, leftover_that_cannot_be_taken_away_is_said);
	tcase_add_test(tcase, older_kind_stays_while_the_new_one_fails);
	tcase_add_test(tcase, gate_of_somebody_else_stays);
	tcase_add_test(
		tcase,
		rules_that_nobody_may_look_for_are_there_if_they_are_noted);
	tcase_add_test(tcase, removed_rules_are_not_noted_any_more);
	tcase_add_test(tcase, rules_that_cannot_be_noted_are_no_gate);
	tcase_add_loop_test(tcase, removed_gate_is_disarmed, 0, 2);
	tcase_add_test(tcase,
		       closed_on_top_keeps_what_is_remembered_and_excepted);
	tcase_add_loop_test(
		tcase, gate_that_somebody_disarmed_is_put_right_at_once, 0, 2);
	tcase_add_test(tcase, gate_that_somebody_opened_is_shut_at_once);
	tcase_add_loop_test(tcase, exceptions_of_somebody_else_are_replaced, 0,
			    2);
	tcase_add_loop_test(tcase, gate_that_is_shut_is_left_alone, 0, 2);
	tcase_add_test(tcase, gate_that_cannot_be_put_right_is_told);
	tcase_add_test(tcase, kernel_that_tells_of_no_changes_is_said);
	tcase_add_test(tcase, answer_counts_and_not_the_return_value);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
