// SPDX-License-Identifier: MIT
/* sysgenidctl: the system generation, from the shell. */
#include <stdio.h>
#include <string.h>

#include "sysgenidctl.h"

/* The build says; by hand it may be left out. */
#ifndef SYSGENID_VERSION
#define SYSGENID_VERSION "(unknown version)"
#endif

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "get", cmd_get },	    { "watch", cmd_watch },
	{ "wait", cmd_wait },	    { "trigger", cmd_trigger },
	{ "reseed", cmd_reseed },   { "watchers", cmd_watchers },
	{ "doctor", cmd_doctor },   { "publish", cmd_publish },
	{ "openssl", cmd_openssl }, { "status", cmd_status },
	{ "quiesce", cmd_quiesce }, { "resume", cmd_resume },
	{ "prepare", cmd_prepare }, { "simulate", cmd_simulate },
	{ "gate", cmd_gate },	    { "metrics", cmd_metrics },
};

static const char help[] =
	"sysgenidctl: the system generation, which grows when this virtual machine\n"
	"resumes as a clone of itself.\n"
	"\n"
	"  sysgenidctl get [--verbose] [--soft]    print the generation\n"
	"  sysgenidctl watch [--seen N] [--count N] [--exec COMMAND] [--soft]\n"
	"                                          print a line for each new generation\n"
	"  sysgenidctl wait [--seen N] [--timeout SECONDS] [--soft]\n"
	"                                          sleep until there is a new generation\n"
	"  sysgenidctl trigger [--expected N] [--least N] [--entropy FILE]\n"
	"                                          make a new generation\n"
	"  sysgenidctl reseed --entropy FILE       mix bytes into the kernel's random generator\n"
	"  sysgenidctl watchers [--outdated]       list the programs that are waited for\n"
	"  sysgenidctl doctor [UNIT...]            find out what is wrong, and what fixes it\n"
	"  sysgenidctl prepare --check             before a snapshot: find out what will be equal in clones\n"
	"  sysgenidctl publish                     keep a page file, where no module can be loaded\n"
	"  sysgenidctl simulate [--every SECONDS] -- COMMAND | --clone\n"
	"                                          run a command whose page file says that it is in a clone\n"
	"  sysgenidctl gate get|arm|open|shut|disarm [--verbose] [--generation N] [--exceptions FILE] [--open] [--without-id] [--triggers-pass]\n"
	"                                          drop packets from a resume until the gate is opened\n"
	"  sysgenidctl openssl enable|disable|status|verify [--config FILE]\n"
	"                                          have OpenSSL draw again at a new generation\n"
	"  sysgenidctl status                      say how far the overseer has come\n"
	"  sysgenidctl metrics                     count its restores, and how long they took\n"
	"  sysgenidctl quiesce [--until-resume]    make the machine ready for a snapshot\n"
	"  sysgenidctl resume [--force]            let it go on\n"
	"  sysgenidctl --help | --version\n"
	"\n"
	"Each command takes --json too. Exit codes: 0 done, 1 failed, 2 wrong usage,\n"
	"3 no device, 4 not permitted, 5 time is up, 6 not all could be looked at. More: man sysgenidctl\n";

int main(int argc, char **argv)
{
	if (argc < 2)
		return complain_usage("no command");
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			fputs(help, stdout);
			return flush_output();
		}
	}
	if (!strcmp(argv[1], "--version")) {
		puts("sysgenidctl " SYSGENID_VERSION);
		return flush_output();
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		/* What getopt_long(3) puts before its complaints. */
		argv[1] = argv[0];
		return commands[i].run(argc - 1, argv + 1);
	}
	return complain_usage("there is no command \"%s\"", argv[1]);
}
