/* SPDX-License-Identifier: MIT */
#ifndef METRICS_H
#define METRICS_H

#include <json-c/json.h>
#include <stdint.h>

#include "phases.h"
#include "state.h"

/* Counts since the overseer started, which for a clone may be before the snapshot. */

/* Upper ends of the histograms in microseconds; what is above the last has a place of its own. */
#define METRICS_BOUNDS 6

struct metrics_times {
	uint64_t count, ns;
	uint64_t below[METRICS_BOUNDS + 1];
};

/* @dropped_in, @dropped_out: packets since the gate of the module was armed, if @has_dropped. */
struct metrics {
	uint64_t restores, held, laggards;
	struct situation now;
	bool has_dropped;
	uint64_t dropped_in, dropped_out;
	struct metrics_times restore, phase[PHASES];
};

/* The machine is ready for a generation. */
void metrics_count_restore(struct metrics *m, const struct phases *p,
			   unsigned int laggards);
/* Numbers, and the histograms with the names of their phases; to be put. */
struct json_object *metrics_json(const struct metrics *m);
/* As Prometheus and the textfile collector of node_exporter read it; to be freed. NULL: no memory. */
char *metrics_text(const struct metrics *m);

#endif /* METRICS_H */
