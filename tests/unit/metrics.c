// SPDX-License-Identifier: MIT
/* What the metrics say, in both forms. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

static struct metrics metrics;
static char *text;
static struct json_object *json;

static void restored(uint64_t gate, uint64_t hooks, unsigned int laggards)
{
	const struct phases p = {
		.began = 1000,
		.ended = 1000 + gate + hooks,
		.took = { [PHASE_GATE] = gate, [PHASE_HOOKS] = hooks },
	};

	metrics_count_restore(&metrics, &p, laggards);
}

static void say(void)
{
	text = metrics_text(&metrics);
	json = metrics_json(&metrics);
	ck_assert_ptr_nonnull(text);
}

static void teardown(void)
{
	free(text);
	json_object_put(json);
	text = NULL;
	json = NULL;
	memset(&metrics, 0, sizeof(metrics));
}

#define assert_says(line) \
	ck_assert_msg(strstr(text, line "\n"), "%s in:\n%s", line, text)
#define assert_has(part)                                            \
	ck_assert_msg(strstr(json_object_to_json_string_ext(        \
				     json, JSON_C_TO_STRING_PLAIN), \
			     part),                                 \
		      "%s", json_object_to_json_string(json))

START_TEST(nothing_has_happened_yet)
{
	metrics.now = (struct situation){ HELD, 7, false };
	say();
	assert_says("sysgenid_state{state=\"held\"} 1");
	assert_says("sysgenid_state{state=\"ready\"} 0");
	assert_says("sysgenid_generation 7");
	assert_says("sysgenid_restores_total 0");
	assert_says("sysgenid_restore_seconds_bucket{le=\"+Inf\"} 0");
	assert_says("sysgenid_restore_seconds_sum 0.000000");
	ck_assert_ptr_null(strstr(text, "gate_dropped"));
	ck_assert_ptr_null(strstr(text, "phase=\""));
	assert_has("\"phases\":{}");
}
END_TEST

START_TEST(buckets_count_all_that_is_not_above)
{
	/* On the bound itself, right above, and above all. */
	restored(100000, 0, 0);
	restored(100001, 0, 2);
	restored(20000000000, 5, 1);
	metrics.held = 4;
	say();
	assert_says("sysgenid_restores_total 3");
	assert_says("sysgenid_laggards_total 3");
	assert_says("sysgenid_held_total 4");
	assert_says(
		"sysgenid_phase_seconds_bucket{phase=\"gate\",le=\"0.0001\"} 1");
	assert_says(
		"sysgenid_phase_seconds_bucket{phase=\"gate\",le=\"0.001\"} 2");
	assert_says(
		"sysgenid_phase_seconds_bucket{phase=\"gate\",le=\"10\"} 2");
	assert_says(
		"sysgenid_phase_seconds_bucket{phase=\"gate\",le=\"+Inf\"} 3");
	assert_says("sysgenid_phase_seconds_sum{phase=\"gate\"} 20.000200");
	assert_says("sysgenid_phase_seconds_count{phase=\"gate\"} 3");
	/* What took no time was not done. */
	assert_says("sysgenid_phase_seconds_count{phase=\"hooks\"} 1");
	assert_says("sysgenid_restore_seconds_count 3");
	assert_has("\"restores\":3,\"held\":4,\"laggards\":3");
	assert_has(
		"\"gate\":{\"count\":3,\"us\":20000200,\"within\":{\"0.0001\":1,\"0.001\":2,");
}
END_TEST

START_TEST(restore_without_times_counts)
{
	metrics_count_restore(&metrics, &(struct phases){ 0 }, 0);
	say();
	assert_says("sysgenid_restores_total 1");
	assert_says("sysgenid_restore_seconds_count 0");
}
END_TEST

START_TEST(dropped_packets_are_those_of_the_module)
{
	metrics.has_dropped = true;
	metrics.dropped_in = 5;
	metrics.dropped_out = 1ull << 40;
	say();
	assert_says("sysgenid_gate_dropped_packets_total{direction=\"in\"} 5");
	assert_says(
		"sysgenid_gate_dropped_packets_total{direction=\"out\"} 1099511627776");
	assert_has("\"dropped_in\":5,\"dropped_out\":1099511627776");
}
END_TEST

/* node_exporter drops a file as a whole if a line of it is malformed, or a type is said twice. */
START_TEST(every_line_is_one_of_the_format)
{
	unsigned int types = 0;
	char *rest, *line;

	restored(5, 6, 7);
	metrics.has_dropped = true;
	say();
	for (rest = text; (line = strsep(&rest, "\n")) && *line;) {
		char name[128], end;
		double value;

		if (!strncmp(line, "# TYPE ", 7)) {
			types++;
			continue;
		}
		if (!strncmp(line, "# HELP ", 7))
			continue;
		ck_assert_msg(sscanf(line, "%127s %lf%c", name, &value, &end) ==
					      2 &&
				      !strncmp(name, "sysgenid_", 9),
			      "%s", line);
	}
	ck_assert_uint_eq(types, 8);
	ck_assert_ptr_nonnull(line);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tcase = tcase_create("metrics");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, nothing_has_happened_yet);
	tcase_add_test(tcase, buckets_count_all_that_is_not_above);
	tcase_add_test(tcase, restore_without_times_counts);
	tcase_add_test(tcase, dropped_packets_are_those_of_the_module);
	tcase_add_test(tcase, every_line_is_one_of_the_format);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
