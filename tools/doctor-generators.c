// SPDX-License-Identifier: MIT
/*
 * Programs whose random generator no new generation reaches: they do not look at
 * it, and nobody restarts them. One finding for each kind of generator.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "generators.h"
#include "hooks.h"
#include "sysgenidctl.h"

struct kind {
	struct list programs;
	/* Services, each once, as words. */
	char units[1024];
	bool more_units, has_init, has_loose;
};

struct survey {
	const char *root;
	bool overseer;
	unsigned int watch, restarted;
	struct kind kinds[GENERATORS];
};

static void add_unit(struct kind *k, const char *unit)
{
	size_t len = strlen(k->units), n = strlen(unit);

	for (const char *at = k->units; (at = strstr(at, unit)); at++)
		if ((at == k->units || at[-1] == ' ') &&
		    (!at[n] || at[n] == ' '))
			return;
	if (len + n + 2 > sizeof(k->units))
		k->more_units = true;
	else
		snprintf(k->units + len, sizeof(k->units) - len, "%s%s",
			 len ? " " : "", unit);
}

static void take(void *user, const struct generator_user *u)
{
	struct survey *s = user;
	unsigned int has = u->has;

	if (u->has_provider)
		has &= ~(1u << GENERATOR_OPENSSL);
	if (u->watches) {
		s->watch++;
		return;
	}
	if (s->overseer && u->unit[0] && hooks_restart(s->root, u->unit)) {
		s->restarted++;
		return;
	}
	for (unsigned int g = 0; g < GENERATORS; g++) {
		struct kind *k = &s->kinds[g];

		if (!(has >> g & 1))
			continue;
		list_add_process(&k->programs, s->root, u->pid);
		if (!strcmp(u->pid, "1"))
			k->has_init = true;
		else if (u->unit[0])
			add_unit(k, u->unit);
		else
			k->has_loose = true;
	}
}

/* "A", or "B; A". */
static void add_advice(char *fix, size_t size, const char *advice)
{
	size_t len = strlen(fix);

	snprintf(fix + len, size - len, "%s%s", len ? "; " : "", advice);
}

static void advise(const struct survey *s, enum generator g, char *fix,
		   size_t size)
{
	const struct kind *k = &s->kinds[g];
	char more[1200], one[2048];

	fix[0] = 0;
	if (g == GENERATOR_OPENSSL) {
		snprintf(
			fix, size, "%ssysgenidctl openssl enable%s%s",
			no_file(s->root, HELPERS "/openssl-config") ?
				"install the package sysgenid-openssl-provider, then: " :
				"",
			k->units[0] ? " && systemctl restart " :
				      ", and start them again",
			k->units);
		return;
	}
	if (k->units[0]) {
		snprintf(
			more, sizeof(more),
			" && printf '%%s\\n' 'restart_units=\"${restart_units-} %s%s\"' >>/etc/sysgenid/hooks.conf",
			k->units, k->more_units ? " ..." : "");
		link_hook(s->root, "70-restart", more, one, sizeof(one));
		add_advice(fix, size, one);
	}
	if (k->has_init)
		add_advice(
			fix, size,
			systemd_runs(s->root) ?
				"of systemd itself: systemctl daemon-reexec, in each clone" :
				"of the first process: nothing but a boot starts it again");
	if (k->has_loose)
		add_advice(
			fix, size,
			"what is no service: end it before the snapshot, or have each clone start it again: sysgenidctl watch --exec COMMAND");
}

void examine_generators(struct doctor *d)
{
	const enum level unseen_level = d->prepare ? UNSEEN : NOTE;
	struct survey s = { .root = d->root,
			    .overseer = overseer_runs(d->root) == 1 };
	struct generators_unseen unseen;
	char fix[4096];
	bool any = false;
	int r = generators_each(d->root, take, &s, &unseen);

	if (r) {
		finding(d, unseen_level, "generators",
			"mount -t proc proc /proc", "/proc: %s", strerror(-r));
		return;
	}
	for (unsigned int g = 0; g < GENERATORS; g++) {
		const struct kind *k = &s.kinds[g];

		if (!k->programs.n)
			continue;
		any = true;
		advise(&s, g, fix, sizeof(fix));
		finding(d, d->prepare ? PROBLEM : NOTE, "generators", fix,
			"%u with %s, whose random numbers are equal in clones: %s",
			k->programs.n, generator_name(g), k->programs.names);
	}
	if (unseen.processes)
		finding(d, unseen_level, "generators",
			d->prepare ? "sudo sysgenidctl prepare --check" :
				     "sudo sysgenidctl doctor",
			"%u more programs may have a generator: you may not look at them",
			unseen.processes);
	if (unseen.files)
		finding(d, unseen_level, "generators",
			"run it as root; what it still does not say, ask whoever built the program",
			"%u files of programs may have a generator within: their sections cannot be read",
			unseen.files);
	if (!any && !unseen.processes && !unseen.files)
		finding(d, GOOD, "generators", NULL,
			"no program has one that clones share (%u look at the generation, %u are restarted in a clone)",
			s.watch, s.restarted);
}
