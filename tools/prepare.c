// SPDX-License-Identifier: MIT
/* sysgenidctl prepare --check: before a snapshot, what will be equal in its clones. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "hooks.h"
#include "prepare.h"
#include "sysgenidctl.h"

void examine_notice(struct doctor *d)
{
	const unsigned long long by_id = 1u << SYSGENID_SOURCE_VMGENID |
					 1u << SYSGENID_SOURCE_VMFORK |
					 1u << SYSGENID_SOURCE_VMCLOCK;

	examine_hardware_id(d);
	if (d->sources & by_id)
		finding(d, GOOD, "device", NULL,
			"programs learn of a clone by its hardware id");
	else if (d->answers || d->soft)
		finding(d, NOTE, "device",
			"in each clone: sysgenidctl trigger --entropy FILE",
			"programs learn of a clone only if an agent tells");
	else
		finding(d, PROBLEM, "device", "sysgenidctl doctor",
			"no program of a clone learns that it is one: no device answers");
}

void examine_overseer(struct doctor *d)
{
	int r = overseer_runs(d->root);
	char fix[128];

	snprintf(fix, sizeof(fix), "%s (of the package sysgenid-overseer)",
		 start_overseer(d->root));
	if (r == 1)
		finding(d, GOOD, "overseer", NULL,
			"runs, and will have a clone adjust");
	else if (!r)
		finding(d, NOTE, "overseer", fix,
			"does not run: no hook will run in a clone");
	else
		finding(d, UNSEEN, "overseer",
			systemd_runs(d->root) ?
				"systemctl status sysgenid-overseer" :
				"pidof sysgenid-overseer",
			"cannot be told: /proc/net/unix: %s", strerror(-r));
}

static void examine_all(struct doctor *d)
{
	examine_notice(d);
	examine_overseer(d);
	examine_generators(d);
	examine_connections(d);
	examine_sessions(d);
	examine_dhcp(d);
	examine_host_keys(d);
	examine_machine_id(d);
	examine_cloud_init(d);
	examine_file_systems(d);
	examine_swap(d);
	examine_units(d, NULL, 0);
	examine_containers(d);
}

int cmd_prepare(int argc, char **argv)
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct doctor d = { .root = "", .prepare = true };
	bool check = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "cj", options, NULL)) != -1) {
		if (c == 'c')
			check = true;
		else if (c == 'j')
			d.json = true;
		else
			return USAGE;
	}
	if (!no_operands(argc, argv))
		return USAGE;
	if (!check)
		return complain_usage(
			"prepare only looks: say \"prepare --check\"; what makes a machine ready is \"quiesce\"");
	begin_findings(&d);
	examine_all(&d);
	if (d.json)
		printf("], \"equal\": %u, \"unknown\": %u}\n", d.problems,
		       d.unknown);
	r = flush_output();
	if (r)
		return r;
	return d.problems ? FAILED : d.unknown ? INCOMPLETE : DONE;
}
