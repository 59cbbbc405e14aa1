// SPDX-License-Identifier: MIT
/* Which built-in steps run, in which order, and what becomes of one that fails. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mix-entropy.h"
#include "set-clock.h"
#include "set-hostname.h"
#include "set-interfaces.h"
#include "set-machine-id.h"
#include "steps.h"

static struct {
	/* What was done, and what fails. */
	char done[256];
	const char *fails;
} world;

static struct config config;
static struct request request;
static struct phases phases;
static char why[256];

static int play(const char *step, const char *with, char *what, size_t size)
{
	const size_t len = strlen(world.done);

	snprintf(world.done + len, sizeof(world.done) - len, "%s%s %s",
		 len ? ", " : "", step, with);
	if (!world.fails || strcmp(world.fails, step))
		return 0;
	snprintf(what, size, "the %s", step);
	return -EPERM;
}

int mix_entropy(const void *bytes, size_t len, char *what, size_t size)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)bytes);
	return play("mix", text, what, size);
}

int set_clock(int64_t host_ns, uint64_t age_ns, char *what, size_t size)
{
	char text[64];

	snprintf(text, sizeof(text), "%d+%u", (int)host_ns,
		 (unsigned int)age_ns);
	return play("clock", text, what, size);
}

int set_hostname(const char *name, bool keeps, char *what, size_t size)
{
	return play(keeps ? "name" : "transient", name, what, size);
}

int set_machine_id(const char *id, char *what, size_t size)
{
	return play("id", id, what, size);
}

int new_machine_id(char id[MACHINE_ID_SIZE])
{
	strcpy(id, "new");
	return world.fails && !strcmp(world.fails, "new") ? -EIO : 0;
}

int set_interface(const struct request_interface *wanted, char *what,
		  size_t size)
{
	return play("interface", wanted->name, what, size);
}

static void want_everything(void)
{
	config = (struct config){
		.mix_entropy = true,
		.set_clock = true,
		.set_interfaces = true,
		.pass_environment = true,
		.host_name = HOST_NAME_SET,
		.machine_id = MACHINE_ID_SET,
	};
	request = (struct request){
		.realtime_ns = 5,
		.entropy_len = 4,
		.entropy = "seed",
		.hostname = "clone",
		.machine_id = "given",
		.interfaces = 2,
		.interface = { { .name = "e0" }, { .name = "e1" } },
		.environment_len = 4,
		.environment = "A=1",
	};
	phases_begin(&phases, phases_now());
	memset(&world, 0, sizeof(world));
	why[0] = 0;
}

static bool run(const struct request *r)
{
	return steps_run(&config, r, 3, &phases, why, sizeof(why));
}

START_TEST(every_step_runs_in_order_and_is_timed)
{
	static const enum phase timed[] = { PHASE_ENTROPY, PHASE_CLOCK,
					    PHASE_HOST_NAME, PHASE_MACHINE_ID,
					    PHASE_INTERFACES };

	ck_assert(steps_mix(&config, &request, &phases, why, sizeof(why)));
	ck_assert(run(&request));
	ck_assert_str_eq(
		world.done,
		"mix seed, clock 5+3, name clone, id given, interface e0, interface e1");
	for (size_t i = 0; i < sizeof(timed) / sizeof(timed[0]); i++)
		ck_assert_uint_gt(phases.took[timed[i]], 0);
	ck_assert_uint_eq(phases.took[PHASE_HOOKS], 0);
}
END_TEST

START_TEST(entropy_is_mixed_once_and_wiped)
{
	world.fails = "mix";
	ck_assert(!steps_mix(&config, &request, &phases, why, sizeof(why)));
	ck_assert_str_eq(why, "entropy: the mix: Operation not permitted");
	world.fails = NULL;
	ck_assert(steps_mix(&config, &request, &phases, why, sizeof(why)));
	ck_assert_uint_eq(request.entropy_len, 0);
	ck_assert_uint_eq(request.entropy[0], 0);
	ck_assert(steps_mix(&config, &request, &phases, why, sizeof(why)));
	ck_assert_str_eq(world.done, "mix seed, mix seed");
}
END_TEST

START_TEST(step_that_fails_is_named_and_the_last)
{
	static const struct {
		const char *step, *done, *why;
	} cases[] = {
		{ "clock", "clock 5+3", "clock: the clock: " },
		{ "name", "clock 5+3, name clone", "host-name: the name: " },
		{ "id", "clock 5+3, name clone, id given",
		  "machine-id: the id: " },
		{ "interface", "clock 5+3, name clone, id given, interface e0",
		  "interfaces: the interface: " },
	};

	world.fails = cases[_i].step;
	ck_assert(!run(&request));
	ck_assert_str_eq(world.done, cases[_i].done);
	ck_assert_ptr_eq(strstr(why, cases[_i].why), why);
}
END_TEST

START_TEST(without_a_host_nothing_is_done_that_the_host_would_say)
{
	ck_assert(steps_mix(&config, NULL, &phases, why, sizeof(why)));
	ck_assert(run(NULL));
	ck_assert_str_eq(world.done, "clock 0+3");
	world.done[0] = 0;
	config.machine_id = MACHINE_ID_NEW;
	config.host_name = HOST_NAME_TRANSIENT;
	ck_assert(run(NULL));
	ck_assert_str_eq(world.done, "clock 0+3, id new");
	world.done[0] = 0;
	ck_assert(run(&request));
	ck_assert_ptr_nonnull(strstr(world.done, "transient clone, id given"));
	world.fails = "new";
	ck_assert(!run(NULL));
}
END_TEST

START_TEST(what_no_key_allows_is_refused_by_its_name)
{
	static const struct {
		const char *member, *key;
	} cases[] = {
		{ "entropy", "entropy = mix" },
		{ "realtime_ns", "clock = set" },
		{ "hostname", "host-name = set" },
		{ "machine_id", "machine-id = set" },
		{ "interfaces", "interfaces = set" },
		{ "environment", "environment = pass" },
	};
	const struct request empty = { 0 };

	ck_assert(steps_accept(&config, &request, why, sizeof(why)));
	config = (struct config){ 0 };
	ck_assert(steps_accept(&config, &empty, why, sizeof(why)));
	config = (struct config){
		.mix_entropy = _i != 0,
		.set_clock = _i != 1,
		.host_name = _i != 2 ? HOST_NAME_TRANSIENT : HOST_NAME_KEEP,
		.machine_id = _i != 3 ? MACHINE_ID_NEW : MACHINE_ID_KEEP,
		.set_interfaces = _i != 4,
		.pass_environment = _i != 5,
	};
	ck_assert(!steps_accept(&config, &request, why, sizeof(why)));
	ck_assert_ptr_nonnull(strstr(why, cases[_i].member));
	ck_assert_ptr_nonnull(strstr(why, cases[_i].key));
	/* Nor is the step run by itself. */
	if (_i)
		ck_assert(run(&request));
	ck_assert_ptr_null(strstr(world.done, "mix"));
	ck_assert(_i != 1 || !strstr(world.done, "clock "));
	ck_assert(_i != 4 || !strstr(world.done, "interface"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steps");
	TCase *tcase = tcase_create("steps");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, want_everything, NULL);
	tcase_add_test(tcase, every_step_runs_in_order_and_is_timed);
	tcase_add_test(tcase, entropy_is_mixed_once_and_wiped);
	tcase_add_loop_test(tcase, step_that_fails_is_named_and_the_last, 0, 4);
	tcase_add_test(tcase,
		       without_a_host_nothing_is_done_that_the_host_would_say);
	tcase_add_loop_test(tcase, what_no_key_allows_is_refused_by_its_name, 0,
			    6);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
