// SPDX-License-Identifier: MIT
/* sysgenidctl doctor: what is wrong, in plain words, and the command that fixes it. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>

#include "doctor.h"
#include "sysgenidctl.h"

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct doctor d = { .root = "" };
	int c, r;

	while ((c = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (c == 'j')
			d.json = true;
		else
			return USAGE;
	}
	begin_findings(&d);
	examine_kernel(&d);
	examine_module(&d);
	examine_nodes(&d);
	examine_device(&d);
	examine_page_file(&d);
	examine_programs(&d);
	examine_generators(&d);
	examine_openssl(&d);
	examine_units(&d, argv + optind, argc - optind);
	examine_containers(&d);
	examine_checkpoints(&d);
	examine_apparmor(&d);
	if (d.json)
		printf("], \"problems\": %u}\n", d.problems);
	r = flush_output();
	return r ? r : d.problems ? FAILED : DONE;
}
