// SPDX-License-Identifier: MIT
/* sysgenid-overseer: from restored to ready. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend.h"
#include "config.h"
#include "gate.h"
#include "init.h"
#include "log.h"
#include "loop.h"
#include "machine.h"
#include "notify.h"
#include "parser.h"
#include "protocol.h"

#ifndef SYSGENID_VERSION
#define SYSGENID_VERSION "(unknown version)"
#endif

static const char help[] =
	"sysgenid-overseer: closes the network at a new generation, has everything\n"
	"adjusted, and opens it.\n"
	"\n"
	"  sysgenid-overseer [--config FILE] [--check]\n"
	"  sysgenid-overseer [--config FILE] --init COMMAND [ARGUMENT...]\n"
	"  sysgenid-overseer --open     open the gate of one that is not there any more\n"
	"  sysgenid-overseer --help | --version\n"
	"\n"
	"--check reads the configuration and says what is wrong. It is told what to do\n"
	"by \"sysgenidctl quiesce\", \"resume\" and \"status\". More: man sysgenid-overseer\n";

struct options {
	const char *config;
	bool check;
	bool open;
	/* What --init starts; NULL: no --init. */
	char **command;
};

struct overseer {
	struct loop *loop;
	const struct backend *backend;
	struct machine *machine;
	struct parser *parser;
};

/* "stop" is the one end that opens: nobody is left to do it later. */
static void on_stop(void *user)
{
	struct overseer *o = user;
	char why[256];

	if (o->backend->stop_is_requested(why, sizeof(why))) {
		machine_release(o->machine);
		return;
	}
	log_notice("SIGTERM, and %s: the gate stays as it is", why);
	loop_exit(o->loop, 0);
}

/* SIGUSR2 is "restart": the next one goes on from what it finds. */
static void on_end(void *user)
{
	const struct overseer *o = user;

	loop_exit(o->loop, 0);
}

/* SIGHUP: the configuration, whole or not at all. */
static void on_reload(void *user)
{
	const struct overseer *o = user;

	machine_reload(o->machine);
}

/* False after a complaint. */
static bool prepare(struct overseer *o, const char *path)
{
	o->loop = loop_new();
	o->backend = backend_find();
	if (o->loop)
		o->machine = machine_new(o->loop, o->backend, path);
	if (!o->machine || !loop_add_signal(o->loop, SIGTERM, on_stop, o) ||
	    !loop_add_signal(o->loop, SIGINT, on_end, o) ||
	    !loop_add_signal(o->loop, SIGUSR2, on_end, o) ||
	    !loop_add_signal(o->loop, SIGHUP, on_reload, o) ||
	    !notify_watchdog(o->loop)) {
		log_error("cannot start: %s", strerror(errno));
		return false;
	}
	o->parser = parser_new(o->loop, o->machine, PROTOCOL_SOCKET);
	return o->parser;
}

/*
 * Until it is ready nothing else is worth the time: it runs before all ordinary
 * programs, and none of its pages waits for a disk. Programs that it starts are
 * ordinary ones. Without the rights it goes on as before.
 */
static void come_first(void)
{
	const struct sched_param first = { .sched_priority = 1 };
	const long policy = SCHED_RR | SCHED_RESET_ON_FORK;

	/* musl has stubs instead of these calls. */
	if (syscall(SYS_sched_getscheduler, 0) != policy &&
	    syscall(SYS_sched_setscheduler, 0, policy, &first))
		log_notice("no real-time priority: %s", strerror(errno));
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		log_notice("memory is not locked: %s", strerror(errno));
}

static int oversee(const char *path)
{
	struct overseer o = { .loop = NULL };
	int r = 1;

	come_first();
	if (prepare(&o, path)) {
		machine_start(o.machine);
		notify("READY=1");
		r = loop_run(o.loop) != 0;
		notify("STOPPING=1");
	}
	parser_free(o.parser);
	machine_free(o.machine);
	loop_free(o.loop);
	return r;
}

/* Whatever the configuration says now, if it can be read at all: the gate was closed under an older one. */
static int open_gate(void)
{
	const struct config config = { .gate = GATE_NONE };
	struct gate *gate = gate_new(&config);
	bool ok = gate && gate_remove(gate);

	gate_free(gate);
	if (ok)
		log_warning("the gate is opened");
	return !ok;
}

static int check(const char *path)
{
	struct config config = { 0 };
	char why[512];

	if (!config_read(&config, path, why, sizeof(why))) {
		log_error("%s", why);
		return 1;
	}
	config_free(&config);
	if (access(path, F_OK))
		printf("there is no %s, so that there is no gate\n", path);
	else
		puts("the configuration is good");
	return 0;
}

static void block_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGUSR2, SIGHUP,
				       SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* 0: go on. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "open", no_argument, NULL, 'o' },
		{ "init", no_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	bool init = false;
	int c;

	while ((c = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 'o':
			o->open = true;
			break;
		case 'i':
			init = true;
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		case 'V':
			puts("sysgenid-overseer " SYSGENID_VERSION);
			return -1;
		default:
			return 2;
		}
	}
	if (init && optind < argc) {
		o->command = argv + optind;
		return 0;
	}
	if (init) {
		log_error("--init needs a command");
		return 2;
	}
	if (optind == argc)
		return 0;
	log_error("there are no operands; see --help");
	return 2;
}

int main(int argc, char **argv)
{
	struct options o = { .config = CONFIG_PATH };
	int r = parse(argc, argv, &o);

	if (r)
		return r < 0 ? 0 : r;
	block_signals();
	if (o.check)
		return check(o.config);
	if (o.command)
		return init_run(o.config, o.command);
	return o.open ? open_gate() : oversee(o.config);
}
