// SPDX-License-Identifier: MIT
/* sysgenid-overseer: from restored to ready. */
#define _GNU_SOURCE
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "config.h"
#include "control.h"
#include "gate.h"
#include "log.h"
#include "machine.h"

#ifndef SYSGENID_VERSION
#define SYSGENID_VERSION "(unknown version)"
#endif

static const char help[] =
	"sysgenid-overseer: closes the network at a new generation, has everything\n"
	"adjusted, and opens it.\n"
	"\n"
	"  sysgenid-overseer [--config FILE] [--check]\n"
	"  sysgenid-overseer --open     open the gate of one that is not there any more\n"
	"  sysgenid-overseer --help | --version\n"
	"\n"
	"--check reads the configuration and says what is wrong. It is told what to do\n"
	"by \"sysgenidctl quiesce\", \"resume\" and \"status\". More: man sysgenid-overseer\n";

struct options {
	const char *config;
	bool check;
	bool open;
};

/* SIGTERM is "stop": nobody may be left behind a closed gate. */
static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info,
		   void *user)
{
	(void)source;
	(void)info;
	machine_release(user);
	return 0;
}

/* SIGUSR2 is "restart": the next one goes on from what it finds. */
static int on_restart(sd_event_source *source,
		      const struct signalfd_siginfo *info, void *user)
{
	(void)info;
	(void)user;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int oversee(const struct config *config)
{
	struct control *control = NULL;
	struct machine *machine = NULL;
	struct gate *gate = gate_new(config);
	sd_event *event = NULL;
	int r = 1;

	if (gate && sd_event_default(&event) >= 0)
		machine = machine_new(event, config, gate);
	if (machine) {
		sd_event_add_signal(event, NULL, SIGTERM, on_stop, machine);
		sd_event_add_signal(event, NULL, SIGINT, on_stop, machine);
		sd_event_add_signal(event, NULL, SIGUSR2, on_restart, machine);
		sd_event_set_watchdog(event, true);
		control = control_new(event, machine, CONTROL_SOCKET);
	}
	if (control && machine_start(machine)) {
		sd_notify(0, "READY=1");
		r = sd_event_loop(event) < 0;
		sd_notify(0, "STOPPING=1");
	}
	control_free(control);
	machine_free(machine);
	gate_free(gate);
	sd_event_unref(event);
	return r;
}

/* Whatever the configuration says now: the gate was closed under an older one. */
static int open_gate(struct config *config)
{
	struct gate *gate;
	bool ok;

	config->gate = GATE_NFTABLES;
	gate = gate_new(config);
	ok = gate && gate_remove(gate);

	gate_free(gate);
	if (ok)
		log_warning("the gate is opened");
	return !ok;
}

static void block_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGUSR2, SIGCHLD };
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
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
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
	if (optind == argc)
		return 0;
	log_error("there are no operands; see --help");
	return 2;
}

int main(int argc, char **argv)
{
	struct options o = { .config = CONFIG_PATH };
	struct config config;
	int r = parse(argc, argv, &o);

	if (r)
		return r < 0 ? 0 : r;
	if (!config_read(&config, o.config))
		return 1;
	block_signals();
	if (o.check)
		puts("the configuration is good");
	else if (o.open)
		r = open_gate(&config);
	else
		r = oversee(&config);
	config_free(&config);
	return r;
}
