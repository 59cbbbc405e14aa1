// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gate-file.h"
#include "log.h"

/* On a tmpfs: a reboot is no restore. */
#ifndef STATE_FILE
#define STATE_FILE "/run/sysgenid/overseer.state"
#endif

static void write_line(char *line, size_t size, const struct situation *s)
{
	snprintf(line, size, "%s %" PRIu32 " %d\n", state_name(s->state),
		 s->generation, s->until_resume);
}

/* What is not to the letter what write_line() makes of it is malformed. */
static bool parse_line(const char *line, struct situation *s)
{
	char name[16], again[64];
	int until_resume;

	if (sscanf(line, "%15s %" SCNu32 " %d", name, &s->generation,
		   &until_resume) != 3 ||
	    !state_from_name(name, &s->state))
		return false;
	s->until_resume = until_resume;
	write_line(again, sizeof(again), s);
	return !strcmp(line, again);
}

enum recalled gate_file_recall(struct situation *s)
{
	FILE *f = fopen(STATE_FILE, "re");
	char line[64] = "";
	bool failed;

	if (!f && errno == ENOENT)
		return NOTHING_THERE;
	if (!f) {
		log_error(STATE_FILE ": %s", strerror(errno));
		return CANNOT_LOOK;
	}
	failed = !fgets(line, sizeof(line), f) && ferror(f);
	fclose(f);
	if (!failed && parse_line(line, s))
		return RECALLED;
	log_error(STATE_FILE " %s", failed ? "cannot be read" : "is malformed");
	return CANNOT_LOOK;
}

bool gate_file_store(const struct situation *s)
{
	int fd = open(STATE_FILE ".new",
		      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char line[64];
	bool ok;

	if (fd < 0) {
		log_error(STATE_FILE ".new: %s", strerror(errno));
		return false;
	}
	write_line(line, sizeof(line), s);
	ok = write(fd, line, strlen(line)) == (ssize_t)strlen(line);
	if (close(fd) || !ok || rename(STATE_FILE ".new", STATE_FILE)) {
		log_error(STATE_FILE ": %s", strerror(errno));
		return false;
	}
	return true;
}

bool gate_file_remove(void)
{
	if (!unlink(STATE_FILE) || errno == ENOENT)
		return true;
	log_error(STATE_FILE ": %s", strerror(errno));
	return false;
}
