// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "mix-entropy.h"
#include "set-clock.h"
#include "set-hostname.h"
#include "set-interfaces.h"
#include "set-machine-id.h"
#include "steps.h"

static const struct request nothing;

/* A clock that nobody sets would be taken for one that the host has set. */
bool steps_accept(const struct config *c, const struct request *r, char *why,
		  size_t size)
{
	const struct {
		const char *member, *key;
		bool refused;
	} members[] = {
		{ "entropy", "entropy = mix",
		  r->entropy_len && !c->mix_entropy },
		{ "realtime_ns", "clock = set",
		  r->realtime_ns && !c->set_clock },
		{ "hostname", "host-name = set",
		  r->hostname[0] && c->host_name == HOST_NAME_KEEP },
		{ "machine_id", "machine-id = set",
		  r->machine_id[0] && c->machine_id == MACHINE_ID_KEEP },
		{ "interfaces", "interfaces = set",
		  r->interfaces && !c->set_interfaces },
		{ "environment", "environment = pass",
		  r->environment_len && !c->pass_environment },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (!members[i].refused)
			continue;
		snprintf(why, size,
			 "\"%s\" is refused: the configuration has no \"%s\"",
			 members[i].member, members[i].key);
		return false;
	}
	return true;
}

/* @r: 0 or -errno. */
static bool end(struct phases *p, enum phase phase, int r, const char *what,
		char *why, size_t size)
{
	phases_end(p, phase);
	if (r)
		snprintf(why, size, "%s: %s: %s", phase_name(phase), what,
			 strerror(-r));
	return !r;
}

bool steps_mix(const struct config *c, struct request *r, struct phases *p,
	       char *why, size_t size)
{
	char what[256] = "";
	int failed;

	if (!r || !r->entropy_len || !c->mix_entropy)
		return true;
	failed = mix_entropy(r->entropy, r->entropy_len, what, sizeof(what));
	if (!failed)
		request_wipe_entropy(r);
	return end(p, PHASE_ENTROPY, failed, what, why, size);
}

static int set_id(const struct config *c, const struct request *r, char *what,
		  size_t size)
{
	char id[MACHINE_ID_SIZE];
	int failed = 0;

	if (r->machine_id[0])
		return set_machine_id(r->machine_id, what, size);
	if (c->machine_id != MACHINE_ID_NEW)
		return 0;
	failed = new_machine_id(id);
	if (failed) {
		snprintf(what, size, "getrandom");
		return failed;
	}
	return set_machine_id(id, what, size);
}

static int set_all_interfaces(const struct request *r, char *what, size_t size)
{
	int failed = 0;

	for (int i = 0; !failed && i < r->interfaces; i++)
		failed = set_interface(&r->interface[i], what, size);
	return failed;
}

bool steps_run(const struct config *c, const struct request *r, uint64_t age_ns,
	       struct phases *p, char *why, size_t size)
{
	char what[256] = "";
	bool ok = true;

	r = r ? r : &nothing;
	if (c->set_clock)
		ok = end(p, PHASE_CLOCK,
			 set_clock(r->realtime_ns, age_ns, what, sizeof(what)),
			 what, why, size);
	if (ok && c->host_name != HOST_NAME_KEEP && r->hostname[0])
		ok = end(p, PHASE_HOST_NAME,
			 set_hostname(r->hostname,
				      c->host_name == HOST_NAME_SET, what,
				      sizeof(what)),
			 what, why, size);
	if (ok && c->machine_id != MACHINE_ID_KEEP)
		ok = end(p, PHASE_MACHINE_ID, set_id(c, r, what, sizeof(what)),
			 what, why, size);
	if (ok && c->set_interfaces && r->interfaces)
		ok = end(p, PHASE_INTERFACES,
			 set_all_interfaces(r, what, sizeof(what)), what, why,
			 size);
	return ok;
}
