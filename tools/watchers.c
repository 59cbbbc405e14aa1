// SPDX-License-Identifier: MIT
/* sysgenidctl watchers: the programs that asked to be waited for. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sysgenidctl.h"

struct watchers {
	struct sysgenid_watcher *entries;
	size_t n;
	uint32_t generation;
};

static int more_room(struct watchers *w)
{
	struct sysgenid_watcher *entries = realloc(
		w->entries, (w->n + SYSGENID_LIST_MAX) * sizeof(*w->entries));

	if (!entries)
		return -ENOMEM;
	w->entries = entries;
	return 0;
}

/* -ESTALE if a new generation came in the middle. */
static int collect(struct sysgenid *g, unsigned int flags, struct watchers *w)
{
	uint64_t cursor = 0;
	bool first = true;

	w->n = 0;
	do {
		unsigned int count = SYSGENID_LIST_MAX;
		uint32_t generation;
		int r = more_room(w);

		if (!r)
			r = sysgenid_list_watchers(g, flags, &cursor,
						   w->entries + w->n,
						   sizeof(*w->entries), &count,
						   &generation);
		if (r)
			return r;
		if (!first && generation != w->generation)
			return -ESTALE;
		first = false;
		w->generation = generation;
		w->n += count;
	} while (cursor);
	return 0;
}

static const char *state(const struct sysgenid_watcher *w)
{
	if (w->flags & SYSGENID_WATCHER_UNKNOWN)
		return "unknown";
	return w->flags & SYSGENID_WATCHER_OUTDATED ? "outdated" : "current";
}

static void print_json(const struct watchers *w, const struct sysgenid_info *i)
{
	printf("{\"generation\": %" PRIu32 ", \"tracked\": %" PRIu32
	       ", \"outdated\": %" PRIu32 ", \"watchers\": [",
	       w->generation, i->watchers, i->outdated);
	for (size_t k = 0; k < w->n; k++) {
		const struct sysgenid_watcher *e = &w->entries[k];

		printf("%s{\"pid\": %" PRId32 ", \"comm\": ", k ? ", " : "",
		       e->pid);
		print_json_string(e->comm);
		printf(", \"state\": \"%s\", \"confirmed\": %" PRIu32
		       ", \"start_time_ns\": %" PRIu64
		       ", \"cgroup_id\": %" PRIu64 "}",
		       state(e), e->confirmed, (uint64_t)e->start_time,
		       (uint64_t)e->cgroup_id);
	}
	puts("]}");
}

/* Of the name, only what cannot upset a terminal. */
static void print_name(const char *name)
{
	for (; *name; name++)
		putchar(*name >= 0x20 && *name < 0x7f ? *name : '?');
	putchar('\n');
}

static void print_text(const struct watchers *w)
{
	printf("%10s %10s %-8s %s\n", "PID", "CONFIRMED", "STATE", "NAME");
	for (size_t k = 0; k < w->n; k++) {
		const struct sysgenid_watcher *e = &w->entries[k];

		if (e->pid)
			printf("%10" PRId32, e->pid);
		else
			printf("%10s", "-");
		printf(" %10" PRIu32 " %-8s ", e->confirmed, state(e));
		print_name(e->comm);
	}
}

static int show(struct sysgenid *g, unsigned int flags, bool json)
{
	struct watchers w = { .entries = NULL };
	struct sysgenid_info info;
	uint32_t there;
	int r;

	do {
		r = collect(g, flags, &w);
	} while (r == -ESTALE);
	if (!r)
		r = sysgenid_get_info(g, &info, sizeof(info));
	if (r) {
		free(w.entries);
		return complain(r, "watchers");
	}
	if (json)
		print_json(&w, &info);
	else
		print_text(&w);
	there = flags & SYSGENID_LIST_ALL ? info.watchers : info.outdated;
	if (w.n < there && geteuid() != 0)
		fprintf(stderr,
			"sysgenidctl: %zu more are not shown; try it as root\n",
			there - w.n);
	free(w.entries);
	return flush_output();
}

int cmd_watchers(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "outdated", no_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned int flags = SYSGENID_LIST_ALL;
	struct sysgenid *g;
	bool json = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "jo", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'o')
			flags = 0;
		else
			return USAGE;
	}
	if (!no_operands(argc, argv))
		return USAGE;
	r = open_device(&g, false);
	if (r)
		return r;
	r = show(g, flags, json);
	sysgenid_close(g);
	return r;
}
