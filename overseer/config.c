// SPDX-License-Identifier: MIT
/* The configuration file: an INI file with one section, read by libinih. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "log.h"

#define SECOND	 1000000ull
#define TIME_MAX 3600

struct reading {
	struct config *c;
	/* Why the first bad line is bad. */
	char why[256];
};

typedef const char *parse_fn(const char *word, void *to);

static const char *add_word(const char *word, struct words *words)
{
	char **more =
		reallocarray(words->word, words->count + 1, sizeof(*more));

	if (!more)
		return "no memory";
	words->word = more;
	more[words->count] = strdup(word);
	return more[words->count] ? words->count++, NULL : "no memory";
}

static const char *each_word(const char *value, struct words *words,
			     const char *(*check)(const char *word))
{
	char *copy = strdup(value), *rest = copy, *word;
	const char *wrong = copy ? NULL : "no memory";

	while (!wrong && (word = strsep(&rest, " \t,"))) {
		if (!*word)
			continue;
		wrong = check(word);
		if (!wrong)
			wrong = add_word(word, words);
	}
	free(copy);
	return wrong;
}

static const char *check_interface(const char *word)
{
	if (strlen(word) >= IF_NAMESIZE)
		return "the name of an interface has at most 15 characters";
	for (; *word; word++) {
		if (!isalnum((unsigned char)*word) && !strchr("._-@", *word))
			return "an interface has a name of letters, digits and . _ - @";
	}
	return NULL;
}

static bool number(const char *word, unsigned long long max,
		   unsigned long long *value)
{
	char *end;

	errno = 0;
	*value = strtoull(word, &end, 0);
	return isdigit((unsigned char)*word) && !errno && !*end &&
	       *value <= max;
}

static const char *check_mark(const char *word)
{
	unsigned long long mark;

	return number(word, UINT32_MAX, &mark) && mark ?
		       NULL :
		       "a mark is a number from 1 to 0xffffffff";
}

static const char *check_port(const char *word)
{
	unsigned long long port;
	char digits[8];
	const char *slash = strchr(word, '/');

	if (slash && (!strcmp(slash, "/tcp") || !strcmp(slash, "/udp")) &&
	    (size_t)(slash - word) < sizeof(digits)) {
		snprintf(digits, sizeof(digits), "%.*s", (int)(slash - word),
			 word);
		if (number(digits, 65535, &port) && port)
			return NULL;
	}
	return "a port is written as 22/tcp or 68/udp";
}

/* It comes to stand in a command line. */
static const char *check_unit(const char *word)
{
	if (*word == '-')
		return "not the name of a unit";
	for (; *word; word++) {
		if (!isalnum((unsigned char)*word) && !strchr(":-_.\\@", *word))
			return "not the name of a unit";
	}
	return NULL;
}

static const char *set_seconds(const char *value, uint64_t *time)
{
	unsigned long long seconds;

	if (!number(value, TIME_MAX, &seconds) || !seconds)
		return "a time is a whole number of seconds from 1 to 3600";
	*time = seconds * SECOND;
	return NULL;
}

static const char *set_gate(struct config *c, const char *value)
{
	if (!strcmp(value, "none"))
		c->gate = GATE_NONE;
	else if (!strcmp(value, "nftables"))
		c->gate = GATE_NFTABLES;
	else
		return "none or nftables";
	return NULL;
}

static const char *set_publisher(struct config *c, const char *value)
{
	if (!strcmp(value, "none"))
		c->publisher = PUBLISHER_NONE;
	else if (!strcmp(value, "trigger"))
		c->publisher = PUBLISHER_TRIGGER;
	else if (!strcmp(value, "vmclock"))
		c->publisher = PUBLISHER_VMCLOCK;
	else
		return "none, trigger or vmclock";
	return NULL;
}

static const char *set_laggards(struct config *c, const char *value)
{
	if (!strcmp(value, "report"))
		c->laggards = LAGGARDS_REPORT;
	else if (!strcmp(value, "kill"))
		c->laggards = LAGGARDS_KILL;
	else if (!strcmp(value, "hold"))
		c->laggards = LAGGARDS_HOLD;
	else
		return "report, kill or hold";
	return NULL;
}

static const char *set_destroy_connections(struct config *c, const char *value)
{
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return "yes or no";
	c->destroy_connections = !strcmp(value, "yes");
	return NULL;
}

static const char *set_announce(struct config *c, const char *value)
{
	unsigned int cid, port;
	char end;

	if (*value != '/' &&
	    sscanf(value, "vsock:%u:%u%c", &cid, &port, &end) != 2)
		return "a path, or vsock:CID:PORT";
	free(c->announce);
	c->announce = strdup(value);
	return c->announce ? NULL : "no memory";
}

static const char *set_except_interfaces(struct config *c, const char *value)
{
	return each_word(value, &c->except_interfaces, check_interface);
}

static const char *set_except_marks(struct config *c, const char *value)
{
	return each_word(value, &c->except_marks, check_mark);
}

static const char *set_except_ports(struct config *c, const char *value)
{
	return each_word(value, &c->except_ports, check_port);
}

static const char *set_freeze(struct config *c, const char *value)
{
	return each_word(value, &c->freeze, check_unit);
}

static const char *set_hook_timeout(struct config *c, const char *value)
{
	return set_seconds(value, &c->hook_timeout);
}

static const char *set_watcher_timeout(struct config *c, const char *value)
{
	return set_seconds(value, &c->watcher_timeout);
}

static const char *set_kill_timeout(struct config *c, const char *value)
{
	return set_seconds(value, &c->kill_timeout);
}

static const struct key {
	const char *name;
	const char *(*set)(struct config *c, const char *value);
} keys[] = {
	{ "gate", set_gate },
	{ "except-interfaces", set_except_interfaces },
	{ "except-marks", set_except_marks },
	{ "except-ports", set_except_ports },
	{ "hook-timeout", set_hook_timeout },
	{ "watcher-timeout", set_watcher_timeout },
	{ "kill-timeout", set_kill_timeout },
	{ "laggards", set_laggards },
	{ "destroy-connections", set_destroy_connections },
	{ "freeze", set_freeze },
	{ "announce", set_announce },
	{ "publisher", set_publisher },
};

static int take(void *user, const char *section, const char *name,
		const char *value)
{
	struct reading *r = user;
	const char *wrong = "there is no such key";

	/* libinih goes on after an error; what counts is the first. */
	if (r->why[0])
		return 1;
	if (strcmp(section, "overseer")) {
		snprintf(r->why, sizeof(r->why),
			 "\"%s\" is not in the section [overseer]", name);
		return 0;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!strcmp(keys[i].name, name))
			wrong = keys[i].set(r->c, value);
	}
	if (!wrong)
		return 1;
	snprintf(r->why, sizeof(r->why), "%s: %s", name, wrong);
	return 0;
}

bool config_read(struct config *c, const char *path)
{
	struct reading r = { .c = c };
	FILE *f;
	int line;

	*c = (struct config){
		.gate = GATE_NONE,
		.hook_timeout = 30 * SECOND,
		.watcher_timeout = 30 * SECOND,
		.kill_timeout = 5 * SECOND,
		.laggards = LAGGARDS_HOLD,
		.destroy_connections = true,
	};
	f = fopen(path, "re");
	if (!f && errno == ENOENT)
		return true;
	if (!f) {
		log_error("%s: %s", path, strerror(errno));
		return false;
	}
	line = ini_parse_file(f, take, &r);
	fclose(f);
	if (!line)
		return true;
	log_error("%s, line %d: %s", path, line,
		  r.why[0] ? r.why : "neither \"key = value\" nor [overseer]");
	config_free(c);
	return false;
}

static void free_words(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->word[i]);
	free(words->word);
}

void config_free(struct config *c)
{
	free_words(&c->except_interfaces);
	free_words(&c->except_marks);
	free_words(&c->except_ports);
	free_words(&c->freeze);
	free(c->announce);
	*c = (struct config){ .gate = GATE_NONE };
}
