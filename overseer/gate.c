// SPDX-License-Identifier: MIT
/* The gate: which kind the configuration wants, what it remembers in a file, and what is left of other kinds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "armed.h"
#include "gate-file.h"
#include "gate-kernel.h"
#include "gate-nftables.h"
#include "gate.h"
#include "log.h"
#include "nftables.h"

struct gate {
	const struct config *config;
	/* NULL where they are neither wanted nor left. */
	struct gate_nftables *rules;
	struct gate_kernel *kernel;
	/* Of other kinds than the configuration's. */
	bool rules_left, kernel_left;
	/* What the file has, if @filed: this gate wrote it. */
	struct situation file;
	bool filed;
};

static bool uses_rules(const struct gate *gate)
{
	return gate->config->gate == GATE_NFTABLES;
}

static bool uses_kernel(const struct gate *gate)
{
	return gate->config->gate == GATE_KERNEL;
}

static bool open_rules(struct gate *gate)
{
	if (!gate->rules)
		gate->rules = gate_nftables_new(gate->config, uses_rules(gate));
	return gate->rules;
}

static bool open_kernel(struct gate *gate)
{
	if (!gate->kernel)
		gate->kernel = gate_kernel_new(gate->config);
	return gate->kernel;
}

struct gate *gate_new(const struct config *c)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (!gate) {
		log_error("no memory for the gate");
		return NULL;
	}
	gate->config = c;
	if ((!uses_rules(gate) ||
	     (armed_note(ARMED_RULES) && open_rules(gate))) &&
	    (!uses_kernel(gate) || open_kernel(gate)))
		return gate;
	gate_free(gate);
	return NULL;
}

void gate_free(struct gate *gate)
{
	if (!gate)
		return;
	gate_nftables_free(gate->rules);
	gate_kernel_free(gate->kernel);
	free(gate);
}

/* 1, 0, or -errno after a complaint. */
static int look_for_rules(void)
{
	int there = gate_nftables_is_there();

	/* Who has no gate may have no right to look. Who had one noted it before there were rules. */
	if (there == -EPERM && !armed_is_noted(ARMED_RULES))
		there = 0;
	if (there < 0)
		log_error("nftables: the rules cannot be listed: %s",
			  strerror(-there));
	return there;
}

static int look_for_kernel(void)
{
	const int there = armed_is_noted(ARMED_KERNEL);

	if (there < 0)
		log_error("it is not known whether the gate is armed: %s",
			  strerror(-there));
	return there;
}

enum gate_kind gate_left(void)
{
	if (look_for_kernel())
		return GATE_KERNEL;
	return NFTABLES_ARE_BUILT_IN && look_for_rules() ? GATE_NFTABLES :
							   GATE_NONE;
}

bool gate_is_there(void)
{
	return look_for_kernel() || look_for_rules();
}

static enum recalled recall_from_rules(struct gate *gate, struct situation *s)
{
	const int there = look_for_rules();

	/* Even if they cannot be read: who opens by force is to be rid of them. */
	gate->rules_left = !uses_rules(gate) && there > 0;
	if (!there && !uses_rules(gate))
		armed_forget(ARMED_RULES);
	if (there <= 0)
		return there ? CANNOT_LOOK : NOTHING_THERE;
	return open_rules(gate) ? gate_nftables_recall(gate->rules, s) :
				  CANNOT_LOOK;
}

static enum recalled recall_from_kernel(struct gate *gate, struct situation *s)
{
	const int there = look_for_kernel();

	gate->kernel_left = !uses_kernel(gate) && there > 0;
	if (there < 0)
		return CANNOT_LOOK;
	return uses_kernel(gate) ? gate_kernel_recall(gate->kernel, s) :
				   NOTHING_THERE;
}

enum recalled gate_recall(struct gate *gate, struct situation *s)
{
	struct situation in_file, in_rules;
	const enum recalled file = gate_file_recall(&in_file);
	const enum recalled rules = recall_from_rules(gate, &in_rules);
	const enum recalled kernel = recall_from_kernel(gate, s);
	bool from_rules = rules == RECALLED;

	if (file == CANNOT_LOOK || rules == CANNOT_LOOK ||
	    kernel == CANNOT_LOOK)
		return CANNOT_LOOK;
	if (file == NOTHING_THERE && rules == NOTHING_THERE)
		return kernel;
	/* The last overseer was killed between the two: the one that is not ready counts. */
	if (file == RECALLED && rules == RECALLED)
		from_rules = uses_rules(gate) ? in_rules.state != READY ||
							in_file.state == READY :
						in_file.state == READY &&
							in_rules.state != READY;
	*s = from_rules ? in_rules : in_file;
	return RECALLED;
}

static bool remove_rules(struct gate *gate)
{
	return open_rules(gate) && gate_nftables_set(gate->rules, NULL) &&
	       armed_forget(ARMED_RULES);
}

static bool remove_kernel(struct gate *gate)
{
	return open_kernel(gate) && gate_kernel_remove(gate->kernel);
}

/* Once the configured kind is in place. */
static bool remove_leftovers(struct gate *gate)
{
	if (gate->rules_left) {
		log_notice("the rules of the gate are removed: %s",
			   uses_kernel(gate) ? "gate = kernel" : "gate = none");
		gate->rules_left = !remove_rules(gate);
	}
	if (gate->kernel_left) {
		log_notice("the gate in the kernel is disarmed: %s",
			   uses_rules(gate) ? "gate = nftables" :
					      "gate = none");
		gate->kernel_left = !remove_kernel(gate);
	}
	return !gate->rules_left && !gate->kernel_left;
}

/* What is there is not written again. */
static bool store(struct gate *gate, const struct situation *s)
{
	if (gate->filed && situation_is(&gate->file, s))
		return true;
	gate->filed = gate_file_store(s);
	gate->file = *s;
	return gate->filed;
}

/*
 * The file first: the kernel remembers no situation, and who finds the file shuts the
 * gate again.
 */
static bool set_kernel(struct gate *gate, const struct situation *s)
{
	const bool stored = store(gate, s);

	if (s->state == READY)
		return stored && gate_kernel_set(gate->kernel, s);
	return gate_kernel_set(gate->kernel, s) && stored;
}

/*
 * Closes before it writes the file, and writes the file before it opens. Who is
 * killed in between leaves one of the two that is not ready, and that one counts.
 */
static bool set_rules(struct gate *gate, const struct situation *s)
{
	bool closed;

	if (s->state == READY)
		return store(gate, s) && gate_nftables_set(gate->rules, s);
	closed = gate_nftables_set(gate->rules, s);
	return store(gate, s) && closed;
}

bool gate_set(struct gate *gate, const struct situation *s)
{
	const bool set = uses_kernel(gate) ? set_kernel(gate, s) :
			 uses_rules(gate)  ? set_rules(gate, s) :
					     store(gate, s);

	return set && remove_leftovers(gate);
}

bool gate_close_on_top(struct gate *gate)
{
	if (uses_kernel(gate))
		return gate_kernel_close_on_top(gate->kernel);
	return !uses_rules(gate) || gate_nftables_close_on_top(gate->rules);
}

bool gate_remove(struct gate *gate)
{
	const int rules = uses_rules(gate) ? 1 : look_for_rules();
	const int kernel = uses_kernel(gate) ? 1 : look_for_kernel();
	const bool no_rules = !rules || (rules > 0 && remove_rules(gate));
	const bool no_kernel = !kernel || (kernel > 0 && remove_kernel(gate));

	gate->filed = false;
	return gate_file_remove() && no_rules && no_kernel;
}

bool gate_dropped(const struct gate *gate, uint64_t *in, uint64_t *out)
{
	return gate->kernel && gate_kernel_dropped(gate->kernel, in, out);
}

int gate_fd(const struct gate *gate)
{
	if (uses_kernel(gate))
		return gate_kernel_fd(gate->kernel);
	return uses_rules(gate) ? gate_nftables_fd(gate->rules) : -1;
}

/* An attribute is readable at all times. */
uint32_t gate_events(const struct gate *gate)
{
	return uses_kernel(gate) ? EPOLLPRI : EPOLLIN;
}

static bool check_rules(struct gate *gate, const struct situation *s)
{
	bool rules;

	if (!gate_nftables_changed(gate->rules, &rules) || !s ||
	    gate_nftables_is_in_place(gate->rules, s))
		return true;
	if (s->state != READY && rules)
		log_warning(
			"somebody changed the rules of the gate: closed again");
	else if (s->state != READY)
		log_notice("there is a new interface: closed, too");
	/* Looked at again: what cannot be seen would be put back for ever. */
	return gate_set(gate, s) && gate_nftables_is_in_place(gate->rules, s);
}

bool gate_check(struct gate *gate, const struct situation *s)
{
	return uses_kernel(gate) ? gate_kernel_check(gate->kernel, s) :
				   check_rules(gate, s);
}
