// SPDX-License-Identifier: MIT
/* What all examiners of doctor use: how a finding is printed, and how files are looked at. */
#define _GNU_SOURCE
#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "sysgenidctl.h"

static const char *level_name(const struct doctor *d, enum level level)
{
	switch (level) {
	case GOOD:
		return "ok";
	case NOTE:
		return "note";
	case UNSEEN:
		return "unknown";
	default:
		return d->prepare ? "equal" : "problem";
	}
}

void begin_findings(struct doctor *d)
{
	struct sysgenid_info info;
	struct sysgenid *g;

	if (!sysgenid_open(&g, SYSGENID_OPEN_SOFT)) {
		d->soft = sysgenid_get_fd(g) < 0;
		d->answers = !d->soft &&
			     !sysgenid_get_info(g, &info, sizeof(info));
		if (d->answers)
			d->sources = info.sources;
		sysgenid_close(g);
	}
	if (d->json)
		printf("{\"findings\": [");
}

void finding(struct doctor *d, enum level level, const char *about,
	     const char *fix, const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	d->problems += level == PROBLEM;
	d->unknown += level == UNSEEN;
	if (d->json) {
		printf("%s{\"level\": \"%s\", \"about\": \"%s\", \"text\": ",
		       d->findings ? ", " : "", level_name(d, level), about);
		print_json_string(text);
		printf(", \"%s\": ", "fix");
		if (fix)
			print_json_string(fix);
		else
			printf("null");
		putchar('}');
	} else {
		printf("%-8s %s: %s%s%s\n", level_name(d, level), about, text,
		       fix ? "; fix: " : "", fix ? fix : "");
	}
	d->findings++;
}

bool first_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, (int)size, f);

	if (f)
		fclose(f);
	if (!ok)
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	return ok;
}

static void join(char *path, size_t size, const char *root, const char *format,
		 va_list args)
{
	size_t len = (size_t)snprintf(path, size, "%s", root);

	if (len < size)
		vsnprintf(path + len, size - len, format, args);
}

FILE *open_file(const char *root, const char *format, ...)
{
	char path[4608];
	va_list args;

	va_start(args, format);
	join(path, sizeof(path), root, format, args);
	va_end(args);
	return fopen(path, "re");
}

int no_file(const char *root, const char *format, ...)
{
	char path[4608];
	va_list args;

	va_start(args, format);
	join(path, sizeof(path), root, format, args);
	va_end(args);
	return access(path, F_OK) ? errno : 0;
}

void list_add(struct list *l, const char *name)
{
	char one[288];

	snprintf(one, sizeof(one), "%s%.255s", l->n++ ? ", " : "", name);
	for (char *c = one; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	if (strlen(l->names) + strlen(one) + sizeof(", ...") <=
	    sizeof(l->names))
		strcat(l->names, one);
	else if (!ends_with(l->names, "..."))
		strcat(l->names, ", ...");
}

void list_add_process(struct list *l, const char *root, const char *pid)
{
	char path[4608], comm[32], one[64];

	snprintf(path, sizeof(path), "%s/proc/%.16s/comm", root, pid);
	first_line(path, comm, sizeof(comm));
	for (char *c = comm; *c; c++) {
		if (*c == ' ')
			*c = '?';
	}
	snprintf(one, sizeof(one), "%s[%.16s]", comm, pid);
	list_add(l, one);
}

static struct {
	struct doctor *doctor;
	const char *about;
} listing;

static int cannot_list(const char *path, int error)
{
	if (error != ENOENT && error != ENOTDIR)
		finding(listing.doctor, UNSEEN, listing.about, "run it as root",
			"%s: %s", path + strlen(listing.doctor->root),
			strerror(error));
	return 0;
}

void list_files(struct doctor *d, const char *about, const char *pattern,
		struct list *found)
{
	char path[4608];
	glob_t g;
	int r;

	listing.doctor = d;
	listing.about = about;
	snprintf(path, sizeof(path), "%s%s", d->root, pattern);
	r = glob(path, 0, cannot_list, &g);
	if (r && r != GLOB_NOMATCH) {
		finding(d, UNSEEN, about, "free some memory",
			"%s cannot be listed", pattern);
		return;
	}
	for (size_t i = 0; !r && i < g.gl_pathc; i++)
		list_add(found, g.gl_pathv[i] + strlen(d->root));
	globfree(&g);
}

bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

const char *kernel_release(void)
{
	static struct utsname name;

	uname(&name);
	return name.release;
}
