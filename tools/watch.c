// SPDX-License-Identifier: MIT
/* sysgenidctl watch: a line for each new generation, and a command. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "exec.h"
#include "sysgenidctl.h"

struct watch {
	struct sysgenid *g;
	const char *command;
	bool json;
	/* Of the last command: its exit status, and whether it was confirmed. */
	int status;
	bool confirmed;
};

static int print(const struct watch *w, const struct sysgenid_info *info)
{
	if (!w->json) {
		printf("%" PRIu32 "\n", info->generation);
		return flush_output();
	}
	printf("{\"generation\": %" PRIu32
	       ", \"source\": \"%s\", \"time_ns\": %" PRIu64,
	       info->generation, source_name(info->source), info->time);
	if (w->command)
		printf(", \"exit_status\": %d, \"confirmed\": %s", w->status,
		       w->confirmed ? "true" : "false");
	puts("}");
	return flush_output();
}

/*
 * A generation whose command failed stays unconfirmed: who waits for all to
 * adjust has to learn that something did not.
 */
static int adjust(struct watch *w, const struct sysgenid_info *info)
{
	int r;

	w->confirmed = false;
	w->status = run_command(w->command, info->generation);
	if (w->status < 0)
		return complain(w->status, "/bin/sh");
	if (w->status) {
		fprintf(stderr,
			"sysgenidctl: watch: the command ended with %d; generation %" PRIu32
			" is not confirmed\n",
			w->status, info->generation);
		return DONE;
	}
	r = sysgenid_confirm(w->g, info->generation);
	w->confirmed = !r;
	/* The next one is here; or there is nobody to confirm it to. */
	if (r && r != -ESTALE && r != -EOPNOTSUPP && r != -EACCES)
		return complain(r, "watch");
	return DONE;
}

static int handle(struct watch *w, uint32_t *seen)
{
	struct sysgenid_info info;
	int r = sysgenid_get_info(w->g, &info, sizeof(info));

	if (r)
		return complain(r, "watch");
	*seen = info.generation;
	if (w->command)
		r = adjust(w, &info);
	return r ? r : print(w, &info);
}

static int watch(struct watch *w, uint32_t seen, uint32_t count)
{
	uint32_t lines = 0, now;
	int r;

	do {
		r = sysgenid_wait(w->g, seen, -1, &now);
		/* Stopped and continued. */
		if (r == -EINTR)
			continue;
		if (r)
			return complain(r, "watch");
		r = handle(w, &seen);
		if (r)
			return r;
		lines++;
	} while (!count || lines < count);
	return w->status ? FAILED : DONE;
}

/*
 * Whoever resumed the machine then waits for the command, where that may be. If
 * the command has yet to run for the current generation, from the start.
 */
static int track(const struct watch *w, bool have_seen, uint32_t seen)
{
	int r = have_seen ? sysgenid_declare(w->g, seen, 0) : 0;

	if (!r || r == -EOPNOTSUPP)
		r = sysgenid_track(w->g, true);
	/* What came since the open is where we begin. */
	if (!r && !have_seen)
		r = sysgenid_confirm(w->g, seen);
	if (r == -EACCES)
		fprintf(stderr,
			"sysgenidctl: watch: " SYSGENID_DEVICE
			" is not writable for you, so nobody waits for the command\n");
	return r == -EACCES || r == -EOPNOTSUPP || r == -ESTALE ? 0 : r;
}

static int start(struct watch *w, bool have_seen, uint32_t seen, uint32_t count)
{
	int r = have_seen ? 0 : sysgenid_read(w->g, &seen);

	if (!r && w->command)
		r = track(w, have_seen, seen);
	return r ? complain(r, "watch") : watch(w, seen, count);
}

int cmd_watch(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'c' },
		{ "exec", required_argument, NULL, 'x' },
		{ "json", no_argument, NULL, 'j' },
		{ "seen", required_argument, NULL, 's' },
		{ "soft", no_argument, NULL, 'S' },
		{ NULL, 0, NULL, 0 },
	};
	struct watch w = { .command = NULL };
	bool soft = false, have_seen = false;
	uint32_t seen = 0, count = 0;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:js:Sx:", options, NULL)) != -1) {
		if (c == 'c') {
			if (!parse_generation(optarg, &count))
				return USAGE;
		} else if (c == 'j') {
			w.json = true;
		} else if (c == 's') {
			have_seen = true;
			if (!parse_generation(optarg, &seen))
				return USAGE;
		} else if (c == 'S') {
			soft = true;
		} else if (c == 'x') {
			w.command = optarg;
		} else {
			return USAGE;
		}
	}
	if (!no_operands(argc, argv))
		return USAGE;
	r = open_device(&w.g, soft);
	if (r)
		return r;
	r = start(&w, have_seen, seen, count);
	sysgenid_close(w.g);
	return r;
}
