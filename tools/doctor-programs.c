// SPDX-License-Identifier: MIT
/* Who has mapped the counter page, the hardware page, or a page file. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "doctor.h"

#define DEVICE "/dev/sysgenid"
#define HW     "/dev/sysgenid-hw"
#define PAGE   "/sysgenid/page"
#define OLD    "/sysgenid/page (deleted)"

static FILE *open_maps(const char *pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.16s/maps", pid);
	return fopen(path, "re");
}

bool process_maps(const char *pid, const char *end)
{
	FILE *f = open_maps(pid);
	bool found = false;
	char line[4200];

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		found = ends_with(line, end);
	}
	if (f)
		fclose(f);
	return found;
}

static void report(struct doctor *d, const struct list *l, enum level level,
		   const char *what, const char *fix)
{
	if (l->n)
		finding(d, level, "programs", fix, "%u %s: %s", l->n, what,
			l->names);
}

void examine_programs(struct doctor *d)
{
	struct list counter = { 0 }, exact = { 0 }, page = { 0 }, old = { 0 };
	unsigned int closed = 0;
	DIR *proc = opendir("/proc");
	struct dirent *e;

	while (proc && (e = readdir(proc))) {
		char line[4200];
		bool has[4] = { false };
		FILE *f;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		f = open_maps(e->d_name);
		if (!f) {
			closed += errno == EACCES;
			continue;
		}
		while (fgets(line, sizeof(line), f)) {
			line[strcspn(line, "\n")] = 0;
			has[0] |= ends_with(line, DEVICE);
			has[1] |= ends_with(line, HW);
			/* The publisher writes to it. */
			if (strstr(line, " rw-s "))
				continue;
			has[2] |= ends_with(line, PAGE);
			has[3] |= ends_with(line, OLD);
		}
		closed += ferror(f) && errno == EACCES;
		fclose(f);
		if (has[1])
			list_add_process(&exact, "", e->d_name);
		else if (has[0])
			list_add_process(&counter, "", e->d_name);
		if (has[2])
			list_add_process(&page, "", e->d_name);
		if (has[3])
			list_add_process(&old, "", e->d_name);
	}
	if (proc)
		closedir(proc);
	report(d, &exact, GOOD, "check exactly", NULL);
	report(d, &counter, GOOD, "have mapped the counter page", NULL);
	report(d, &page, GOOD, "have mapped the page file", NULL);
	report(d, &old, PROBLEM,
	       "have mapped the page file of a publisher that has ended",
	       "restart them");
	if (!exact.n && !counter.n && !page.n && !old.n)
		finding(d, GOOD, "programs", NULL,
			"none has mapped the generation%s",
			closed ? ", of those that you may look at" : "");
	else if (closed)
		finding(d, NOTE, "programs", "sudo sysgenidctl doctor",
			"%u more are not for you to look at", closed);
}
