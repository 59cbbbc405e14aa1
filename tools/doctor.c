// SPDX-License-Identifier: MIT
/* sysgenidctl doctor: what is wrong, in plain words, and the command that mends it. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "doctor.h"
#include "sysgenidctl.h"

static const char *const levels[] = {
	[GOOD] = "ok",
	[NOTE] = "note",
	[PROBLEM] = "problem",
};

void finding(struct doctor *d, enum level level, const char *about,
	     const char *mend, const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (level == PROBLEM)
		d->problems++;
	if (d->json) {
		printf("%s{\"level\": \"%s\", \"about\": \"%s\", \"text\": ",
		       d->findings ? ", " : "", levels[level], about);
		print_json_string(text);
		printf(", \"mend\": ");
		if (mend)
			print_json_string(mend);
		else
			printf("null");
		putchar('}');
	} else {
		printf("%-8s %s: %s%s%s\n", levels[level], about, text,
		       mend ? "; mend it: " : "", mend ? mend : "");
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

bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct doctor d = { .json = false };
	struct sysgenid *g;
	int c, r;

	while ((c = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (c == 'j')
			d.json = true;
		else
			return USAGE;
	}
	if (!sysgenid_open(&g, SYSGENID_OPEN_SOFT)) {
		d.soft = sysgenid_get_fd(g) < 0;
		sysgenid_close(g);
	}
	if (d.json)
		printf("{\"findings\": [");
	examine_kernel(&d);
	examine_module(&d);
	examine_nodes(&d);
	examine_device(&d);
	examine_page_file(&d);
	examine_programs(&d);
	examine_openssl(&d);
	examine_units(&d, argv + optind, argc - optind);
	if (d.json)
		printf("], \"problems\": %u}\n", d.problems);
	r = flush_output();
	return r ? r : d.problems ? FAILED : DONE;
}
