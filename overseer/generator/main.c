// SPDX-License-Identifier: MIT
/*
 * systemd.generator(7), at boot and at "systemctl daemon-reload": a drop-in takes
 * from sysgenid-overseer.service what no step of the configuration needs. The unit
 * itself has the rights of every step, and keeps them where the configuration
 * cannot be read or the drop-in cannot be written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "armed.h"
#include "config.h"
#include "freezing.h"
#include "log.h"

/* Drop-ins are taken in the order of their names: that of an administrator comes later. */
#define DROP_IN "10-sysgenid-rights.conf"

static const char *const taken[STEPS] = {
	[STEP_KILL] = "CapabilityBoundingSet=~CAP_KILL\n",
	[STEP_SESSIONS] = "RestrictNamespaces=yes\n",
	/* publisher.conf, a drop-in that comes later, gives the capability again. */
	[STEP_ADMIN] = "CapabilityBoundingSet=~CAP_SYS_ADMIN\n",
	[STEP_WIPE] = "SystemCallFilter=~process_vm_writev\n",
	[STEP_CLOCK] = "CapabilityBoundingSet=~CAP_SYS_TIME\n"
		       "ProtectClock=yes\n"
		       "SystemCallFilter=~@clock\n",
	[STEP_HOST_NAME] = "ProtectHostname=yes\n"
			   "SystemCallFilter=~sethostname\n",
	[STEP_ETC] = "ReadWritePaths=\n",
	[STEP_GATE_KERNEL] = "CapabilityBoundingSet=~CAP_CHECKPOINT_RESTORE\n",
	[STEP_CGROUPS] = "ProtectControlGroups=yes\n",
	[STEP_NETWORK] = "CapabilityBoundingSet=~CAP_NET_ADMIN\n",
	[STEP_ANNOUNCE_VSOCK] = "RestrictAddressFamilies=~AF_VSOCK\n",
	/* write_devices() */
	[STEP_ANNOUNCE_DEVICE] = "",
};

/* A list of devices is taken away as a whole. */
static void write_devices(FILE *f, const bool off[STEPS])
{
	if (!off[STEP_ANNOUNCE_DEVICE] && !off[STEP_CLOCK])
		return;
	fputs("DeviceAllow=\n"
	      "DeviceAllow=/dev/sysgenid rw\n",
	      f);
	if (!off[STEP_ANNOUNCE_DEVICE])
		fputs("DeviceAllow=char-virtio-portsdev rw\n"
		      "DeviceAllow=char-ttyS rw\n",
		      f);
	if (!off[STEP_CLOCK])
		fputs("DeviceAllow=char-ptp r\n"
		      "DeviceAllow=char-rtc r\n",
		      f);
}

/* Units that an overseer with another configuration froze are to be thawed. */
static bool may_have_frozen(void)
{
	struct words units = { .word = NULL };
	const bool known = freezing_recall(&units);
	const bool any = units.count;

	words_free(&units);
	return !known || any;
}

static bool is_needed(const struct config *c, enum config_step step)
{
	return config_has_step(c, step) ||
	       (step == STEP_CGROUPS && may_have_frozen()) ||
	       /* A gate of an overseer with another configuration is to be taken away. */
	       (step == STEP_GATE_KERNEL && armed_is_noted(ARMED_KERNEL)) ||
	       (step == STEP_NETWORK &&
		(armed_is_noted(ARMED_KERNEL) || armed_is_noted(ARMED_RULES)));
}

static void write_lines(FILE *f, const struct config *c)
{
	bool off[STEPS];

	fputs("# Written by sysgenid-overseer-generator: what no step of the configuration needs.\n"
	      "[Service]\n",
	      f);
	for (int i = 0; i < STEPS; i++) {
		off[i] = !is_needed(c, (enum config_step)i);
		if (off[i])
			fputs(taken[i], f);
	}
	write_devices(f, off);
	/* Behind what takes such paths away. */
	if (c->metrics)
		fprintf(f, "ReadWritePaths=-%.*s\n",
			(int)(strrchr(c->metrics, '/') - c->metrics),
			c->metrics);
	/* Whoever turns one of these on is told to have the unit loaded again. */
	fputs("Environment=\"" CONFIG_WITHOUT "=", f);
	for (int i = 0; i < STEPS; i++) {
		if (off[i])
			fprintf(f, "%s ",
				config_step_name((enum config_step)i));
	}
	fputs("\"\n", f);
}

static bool write_drop_in(const char *directory, const struct config *c)
{
	char place[4096], path[sizeof(place) + sizeof(DROP_IN)];
	FILE *f;
	bool ok;

	snprintf(place, sizeof(place), "%s/sysgenid-overseer.service.d",
		 directory);
	snprintf(path, sizeof(path), "%s/" DROP_IN, place);
	if (mkdir(place, 0755) && errno != EEXIST) {
		log_error("%s: %s", place, strerror(errno));
		return false;
	}
	f = fopen(path, "we");
	ok = f;
	if (f) {
		write_lines(f, c);
		ok = !ferror(f);
		ok = !fclose(f) && ok;
	}
	if (!ok) {
		log_error("%s: %s", path, strerror(errno));
		/* Half of one could take a right and not name the step. */
		unlink(path);
	}
	return ok;
}

int main(int argc, char **argv)
{
	struct config config = { 0 };
	char why[512];
	bool ok;

	if (argc != 4) {
		log_error("three directories are needed: systemd.generator(7)");
		return 2;
	}
	/* Of the manager, which is none of these units. */
	unsetenv(CONFIG_WITHOUT);
	if (!config_read(&config, CONFIG_PATH, why, sizeof(why))) {
		log_error("%s; the unit keeps the rights of every step", why);
		return 1;
	}
	ok = write_drop_in(argv[1], &config);
	config_free(&config);
	return !ok;
}
