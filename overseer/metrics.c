// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics.h"

#define PREFIX "sysgenid_"

static const struct {
	uint64_t ns;
	const char *seconds;
} bounds[METRICS_BOUNDS] = {
	{ 100000, "0.0001" }, { 1000000, "0.001" }, { 10000000, "0.01" },
	{ 100000000, "0.1" }, { 1000000000, "1" },  { 10000000000, "10" },
};

static void count(struct metrics_times *t, uint64_t ns)
{
	int i = 0;

	while (i < METRICS_BOUNDS && ns > bounds[i].ns)
		i++;
	t->below[i]++;
	t->count++;
	t->ns += ns;
}

void metrics_count_restore(struct metrics *m, const struct phases *p,
			   unsigned int laggards)
{
	m->restores++;
	m->laggards += laggards;
	if (!p->began)
		return;
	count(&m->restore, phases_total(p));
	for (int i = 0; i < PHASES; i++) {
		if (p->took[i])
			count(&m->phase[i], p->took[i]);
	}
}

/* ---- JSON ---- */

static void add(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, json_object_new_int64((int64_t)value));
}

static struct json_object *times_json(const struct metrics_times *t)
{
	struct json_object *o = json_object_new_object();
	struct json_object *all = json_object_new_object();
	uint64_t sum = 0;

	add(o, "count", t->count);
	add(o, "us", t->ns / 1000);
	for (int i = 0; i < METRICS_BOUNDS; i++) {
		sum += t->below[i];
		add(all, bounds[i].seconds, sum);
	}
	json_object_object_add(o, "within", all);
	return o;
}

struct json_object *metrics_json(const struct metrics *m)
{
	struct json_object *o = json_object_new_object();
	struct json_object *all = json_object_new_object();

	add(o, "restores", m->restores);
	add(o, "held", m->held);
	add(o, "laggards", m->laggards);
	if (m->has_dropped) {
		add(o, "dropped_in", m->dropped_in);
		add(o, "dropped_out", m->dropped_out);
	}
	json_object_object_add(o, "restore", times_json(&m->restore));
	for (int i = 0; i < PHASES; i++) {
		if (m->phase[i].count)
			json_object_object_add(all, phase_name((enum phase)i),
					       times_json(&m->phase[i]));
	}
	json_object_object_add(o, "phases", all);
	return o;
}

/* ---- text ---- */

static void describe(FILE *f, const char *name, const char *type,
		     const char *help)
{
	fprintf(f, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name,
		help, name, type);
}

static void print_number(FILE *f, const char *name, const char *type,
			 const char *help, uint64_t value)
{
	describe(f, name, type, help);
	fprintf(f, PREFIX "%s %" PRIu64 "\n", name, value);
}

/* @label: "", or phase="...". */
static void print_times(FILE *f, const char *name, const char *label,
			const struct metrics_times *t)
{
	const char *comma = *label ? "," : "", *open = *label ? "{" : "",
		   *close = *label ? "}" : "";
	uint64_t sum = 0;

	for (int i = 0; i < METRICS_BOUNDS; i++) {
		sum += t->below[i];
		fprintf(f, PREFIX "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n",
			name, label, comma, bounds[i].seconds, sum);
	}
	fprintf(f, PREFIX "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name,
		label, comma, t->count);
	fprintf(f, PREFIX "%s_sum%s%s%s %.6f\n", name, open, label, close,
		(double)(t->ns / 1000) / 1000000);
	fprintf(f, PREFIX "%s_count%s%s%s %" PRIu64 "\n", name, open, label,
		close, t->count);
}

static void print_state(FILE *f, const struct situation *now)
{
	describe(f, "state", "gauge", "1 for the state of the machine.");
	for (int i = 0; i < STATES; i++)
		fprintf(f, PREFIX "state{state=\"%s\"} %d\n",
			state_name((enum state)i), now->state == (enum state)i);
	print_number(f, "generation", "gauge", "The current generation.",
		     now->generation);
}

static void print_dropped(FILE *f, const struct metrics *m)
{
	if (!m->has_dropped)
		return;
	describe(f, "gate_dropped_packets_total", "counter",
		 "Packets that the gate dropped since it was armed.");
	fprintf(f,
		PREFIX "gate_dropped_packets_total{direction=\"in\"} %" PRIu64
		       "\n" PREFIX
		       "gate_dropped_packets_total{direction=\"out\"} %" PRIu64
		       "\n",
		m->dropped_in, m->dropped_out);
}

static void print_phases(FILE *f, const struct metrics *m)
{
	char label[64];

	describe(f, "phase_seconds", "histogram",
		 "How long each phase of an adjustment took.");
	for (int i = 0; i < PHASES; i++) {
		if (!m->phase[i].count)
			continue;
		snprintf(label, sizeof(label), "phase=\"%s\"",
			 phase_name((enum phase)i));
		print_times(f, "phase_seconds", label, &m->phase[i]);
	}
}

char *metrics_text(const struct metrics *m)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	print_state(f, &m->now);
	print_number(f, "restores_total", "counter",
		     "Generations that the machine became ready for.",
		     m->restores);
	print_number(f, "held_total", "counter",
		     "How often the machine was held.", m->held);
	print_number(f, "laggards_total", "counter",
		     "Watchers that had not confirmed in time.", m->laggards);
	print_dropped(f, m);
	describe(f, "restore_seconds", "histogram",
		 "From a published generation to the open gate.");
	print_times(f, "restore_seconds", "", &m->restore);
	print_phases(f, m);
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}
