// SPDX-License-Identifier: MIT
/* The configuration file: an INI file with one section, read by libinih. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "nftables.h"

#define SECOND	 1000000ull
#define TIME_MAX 3600
#define KEYS_MAX 64

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct reading {
	struct config *c;
	FILE *file;
	char *line;
	size_t size;
	int lines;
	/* By key: the last line that gives it; 0: none does. */
	int given[KEYS_MAX];
	/* Why the first bad line is bad. */
	char why[512];
};

bool words_add(struct words *words, const char *word)
{
	char **more =
		reallocarray(words->word, words->count + 1, sizeof(*more));

	if (!more)
		return false;
	words->word = more;
	more[words->count] = strdup(word);
	if (!more[words->count])
		return false;
	words->count++;
	return true;
}

char **words_list(const struct words *words)
{
	char **all = calloc(words->count + 1, sizeof(*all));

	for (size_t i = 0; all && i < words->count; i++)
		all[i] = words->word[i];
	return all;
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
		if (!wrong && !words_add(words, word))
			wrong = "no memory";
	}
	free(copy);
	return wrong;
}

static const char *check_interface(const char *word)
{
	if (strlen(word) >= IF_NAMESIZE)
		return "the name of an interface has at most 15 characters";
	/* The kernel takes every other character. */
	return strpbrk(word, "/:") ?
		       "the name of an interface has neither / nor :" :
		       NULL;
}

static bool number(const char *word, unsigned long long max,
		   unsigned long long *value)
{
	char *end;

	errno = 0;
	*value = strtoull(word, &end, 0);
	/* 010 would be octal, for nftables too. */
	return isdigit((unsigned char)*word) &&
	       !(*word == '0' && isdigit((unsigned char)word[1])) && !errno &&
	       !*end && *value <= max;
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

static bool is_one_of(const char *word, const char *const list[])
{
	while (*list && strcmp(*list, word))
		list++;
	return *list;
}

/* Where systemd does not run: the path of a cgroup below its root. */
static const char *check_cgroup(const char *word)
{
	const char *c = word;

	while (isalnum((unsigned char)*c) || (*c && strchr(":-_.\\@/", *c)))
		c++;
	if (*c || !word[1] || strstr(word, "//") || strstr(word, "/.") ||
	    c[-1] == '/')
		return "not the path of a cgroup, as /agents or /agents/one";
	return NULL;
}

static const char *check_unit_name(const char *word)
{
	if (*word == '-')
		return "not the name of a unit";
	for (; *word; word++) {
		if (!isalnum((unsigned char)*word) && !strchr(":-_.\\@", *word))
			return "not the name of a unit";
	}
	return NULL;
}

/*
 * The name comes to stand in a command line. Those that are refused hold what
 * thaws them; freezing.c finds others, and these under other names.
 */
static const char *check_unit(const char *word)
{
	static const char *const refused[] = {
		"sysgenid-overseer",
		"sysgenid-overseer.service",
		"system.slice",
		"init.scope",
		"dbus",
		"dbus.service",
		"dbus-broker",
		"dbus-broker.service",
		"systemd-journald.service",
		"systemd-journald",
		NULL,
	};

	if (*word == '/')
		return check_cgroup(word);
	if (!strcmp(word, "all"))
		return "all stands alone; write all.service for a unit of that name";
	if (!strcmp(word, "-.slice") || is_one_of(word, refused))
		return "the overseer needs that unit, to thaw it again";
	return check_unit_name(word);
}

/* One that goes on may be any. */
static const char *check_exempt(const char *word)
{
	return *word == '/' ? check_cgroup(word) : check_unit_name(word);
}

static const char *add_type(char **name, const char *const types[])
{
	const char *type = strrchr(*name, '.');
	char *full;

	if (**name == '/' || (type && is_one_of(type, types)))
		return NULL;
	if (asprintf(&full, "%s.service", *name) < 0)
		return "no memory";
	free(*name);
	*name = full;
	return NULL;
}

/* Not a unit: a service of that name has to be named with its type. */
#define FREEZE_CONTAINERS "containers"

/* True if it was there. */
static bool take_word(struct words *words, const char *word)
{
	size_t kept = 0, count = words->count;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(words->word[i], word))
			words->word[kept++] = words->word[i];
		else
			free(words->word[i]);
	}
	words->count = kept;
	return kept < count;
}

static const char *const with_cgroups[] = { ".service", ".slice", ".scope",
					    NULL };
static const char *const that_start[] = { ".service", ".socket", ".timer",
					  ".path",    ".target", ".mount",
					  ".swap",    NULL };

static const char *add_types(struct words *units, const char *const types[])
{
	const char *wrong = NULL;

	for (size_t i = 0; !wrong && i < units->count; i++)
		wrong = add_type(&units->word[i], types);
	return wrong;
}

/* As systemctl(1) reads a name: one without a type is that of a service. */
static const char *each_unit(const char *value, struct words *units,
			     const char *(*check)(const char *word),
			     const char *const types[])
{
	const char *wrong = each_word(value, units, check);

	return wrong ? wrong : add_types(units, types);
}

static const char *set_freeze(struct config *c, const char *value)
{
	const char *wrong;

	if (!strcmp(value, "all")) {
		c->freeze_all = true;
		return NULL;
	}
	wrong = each_word(value, &c->freeze, check_unit);
	c->freeze_containers = take_word(&c->freeze, FREEZE_CONTAINERS);
	return wrong ? wrong : add_types(&c->freeze, with_cgroups);
}

/* Each program by name: what is wiped may break. */
static const char *check_wipe(const char *word)
{
	return strcmp(word, "all") ?
		       check_exempt(word) :
		       "all is no unit here: name each; write all.service for a unit of that name";
}

static const char *set_wipe(struct config *c, const char *value)
{
	return each_unit(value, &c->wipe, check_wipe, with_cgroups);
}

static const char *set_freeze_except(struct config *c, const char *value)
{
	return each_unit(value, &c->freeze_except, check_exempt, with_cgroups);
}

/* Without these nobody would say whether the others came up. */
static const char *check_restart(const char *word)
{
	static const char *const refused[] = {
		"sysgenid-overseer",
		"sysgenid-overseer.service",
		"dbus",
		"dbus.service",
		"dbus.socket",
		"dbus-broker",
		"dbus-broker.service",
		NULL,
	};
	const char *type = strrchr(word, '.');

	if (is_one_of(word, refused))
		return "the overseer needs that unit, to see the others start";
	if (type && (!strcmp(type, ".slice") || !strcmp(type, ".scope")))
		return "a slice or a scope cannot be started again";
	return check_unit_name(word);
}

static const char *set_restart(struct config *c, const char *value)
{
	return each_unit(value, &c->restart, check_restart, that_start);
}

static const char *set_restart_after(struct config *c, const char *value)
{
	return each_unit(value, &c->restart_after, check_restart, that_start);
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
	else if (!strcmp(value, "kernel"))
		c->gate = GATE_KERNEL;
	else if (!strcmp(value, "nftables"))
		c->gate = GATE_NFTABLES;
	else
		return "none, kernel or nftables";
	return c->gate != GATE_NFTABLES || NFTABLES_ARE_BUILT_IN ?
		       NULL :
		       NFTABLES_MISSING;
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
	else if (!strcmp(value, "kill-container"))
		c->laggards = LAGGARDS_KILL_CONTAINER;
	else if (!strcmp(value, "hold"))
		c->laggards = LAGGARDS_HOLD;
	else
		return "report, kill, kill-container or hold";
	return NULL;
}

static const char *set_reseed(struct config *c, const char *value)
{
	if (!strcmp(value, "require"))
		c->reseed = RESEED_REQUIRE;
	else if (!strcmp(value, "warn"))
		c->reseed = RESEED_WARN;
	else if (!strcmp(value, "settled"))
		c->reseed = RESEED_SETTLED;
	else
		return "require, settled or warn";
	return NULL;
}

static const char *set_destroy_connections(struct config *c, const char *value)
{
	if (!strcmp(value, "with-gate"))
		c->destroy_connections = DESTROY_WITH_GATE;
	else if (!strcmp(value, "yes"))
		c->destroy_connections = DESTROY_ALWAYS;
	else if (!strcmp(value, "no"))
		c->destroy_connections = DESTROY_NEVER;
	else
		return "with-gate, yes or no";
	return NULL;
}

static const char *set_sessions(struct config *c, const char *value)
{
	if (strcmp(value, "reset") && strcmp(value, "keep"))
		return "reset or keep";
	c->reset_sessions = !strcmp(value, "reset");
	return NULL;
}

/* One of two words. */
static const char *set_either(const char *value, const char *yes,
			      const char *no, bool *is_yes)
{
	static char why[64];

	*is_yes = !strcmp(value, yes);
	snprintf(why, sizeof(why), "%s or %s", yes, no);
	return *is_yes || !strcmp(value, no) ? NULL : why;
}

static const char *set_entropy(struct config *c, const char *value)
{
	return set_either(value, "mix", "ignore", &c->mix_entropy);
}

static const char *set_clock_key(struct config *c, const char *value)
{
	return set_either(value, "set", "keep", &c->set_clock);
}

static const char *set_interfaces(struct config *c, const char *value)
{
	return set_either(value, "set", "keep", &c->set_interfaces);
}

static const char *set_environment(struct config *c, const char *value)
{
	return set_either(value, "pass", "ignore", &c->pass_environment);
}

static const char *set_host_name(struct config *c, const char *value)
{
	if (!strcmp(value, "keep"))
		c->host_name = HOST_NAME_KEEP;
	else if (!strcmp(value, "set"))
		c->host_name = HOST_NAME_SET;
	else if (!strcmp(value, "transient"))
		c->host_name = HOST_NAME_TRANSIENT;
	else
		return "keep, set or transient";
	return NULL;
}

static const char *set_id(struct config *c, const char *value)
{
	if (!strcmp(value, "keep"))
		c->machine_id = MACHINE_ID_KEEP;
	else if (!strcmp(value, "set"))
		c->machine_id = MACHINE_ID_SET;
	else if (!strcmp(value, "new"))
		c->machine_id = MACHINE_ID_NEW;
	else
		return "keep, set or new";
	return NULL;
}

bool config_vsock(const char *value, unsigned int *cid, unsigned int *port)
{
	char word[2][16], *at[] = { word[0], word[1] };
	unsigned long long found[2];

	if (sscanf(value, "vsock:%15[^:]:%15s", at[0], at[1]) != 2 ||
	    strlen(value) !=
		    strlen("vsock::") + strlen(at[0]) + strlen(at[1]) ||
	    !number(at[0], UINT32_MAX, &found[0]) ||
	    !number(at[1], UINT32_MAX, &found[1]))
		return false;
	*cid = (unsigned int)found[0];
	*port = (unsigned int)found[1];
	return true;
}

static const char *set_announce(struct config *c, const char *value)
{
	unsigned int cid, port;

	if (*value != '/' && !config_vsock(value, &cid, &port))
		return "a path, or vsock:CID:PORT, each at most 4294967295";
	free(c->announce);
	c->announce = strdup(value);
	return c->announce ? NULL : "no memory";
}

/* What node_exporter takes of its directory. */
static const char *set_metrics(struct config *c, const char *value)
{
	const char *suffix = strrchr(value, '.');

	if (*value != '/' || !suffix || strcmp(suffix, ".prom") ||
	    suffix[-1] == '/')
		return "a path that ends with .prom";
	if (strpbrk(value, " \t\"\\%"))
		return "a path without blanks, quotation marks, \\ and %";
	free(c->metrics);
	c->metrics = strdup(value);
	return c->metrics ? NULL : "no memory";
}

static const char *set_restore_vsock(struct config *c, const char *value)
{
	unsigned long long port;

	/* Those below need another capability, and the last one is no port. */
	if (!number(value, UINT32_MAX - 1, &port) || port < 1024)
		return "a port is a number from 1024 to 4294967294";
	c->restore_vsock = (unsigned int)port;
	return NULL;
}

static const char *set_restore_serial(struct config *c, const char *value)
{
	if (*value != '/')
		return "a path, as /dev/virtio-ports/org.example.restore";
	free(c->restore_serial);
	c->restore_serial = strdup(value);
	return c->restore_serial ? NULL : "no memory";
}

static const char *set_peer_port(struct config *c, const char *value)
{
	return set_either(value, "any", "privileged", &c->any_peer_port);
}

static const char *set_peer_cid(struct config *c, const char *value)
{
	return set_either(value, "loopback", "host", &c->loopback_peers);
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

/* All of the line is one expression. Here, as the error has a line. */
static const char *set_except_filter(struct config *c, const char *value)
{
	static char why[sizeof(c->except.why)];
	struct exceptions alone = { .filter = NULL };
	const bool ok = exceptions_add_filter(&alone, value);

	snprintf(why, sizeof(why), "%s", alone.why);
	exceptions_free(&alone);
	if (!ok)
		return why;
	return words_add(&c->except_filters, value) ? NULL : "no memory";
}

static const char *set_reseed_timeout(struct config *c, const char *value)
{
	return set_seconds(value, &c->reseed_timeout);
}

static const char *set_restart_timeout(struct config *c, const char *value)
{
	return set_seconds(value, &c->restart_timeout);
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

static const char *set_quiesce_limit(struct config *c, const char *value)
{
	const char *wrong;

	if (!strcmp(value, "none")) {
		c->quiesce_limit = 0;
		return NULL;
	}
	wrong = set_seconds(value, &c->quiesce_limit);
	return wrong ? "none, or a whole number of seconds from 1 to 3600" :
		       NULL;
}

static bool has_kill(const struct config *c)
{
	return c->laggards == LAGGARDS_KILL ||
	       c->laggards == LAGGARDS_KILL_CONTAINER;
}

static bool has_sessions(const struct config *c)
{
	return c->reset_sessions;
}

static bool has_gate_kernel(const struct config *c)
{
	return c->gate == GATE_KERNEL || c->restore_vsock || c->restore_serial;
}

static bool has_cgroups(const struct config *c)
{
	return c->freeze.count || c->freeze_all || c->freeze_containers ||
	       c->laggards == LAGGARDS_KILL_CONTAINER;
}

static bool has_wipe(const struct config *c)
{
	return c->wipe.count;
}

static bool has_clock(const struct config *c)
{
	return c->set_clock;
}

static bool has_host_name(const struct config *c)
{
	return c->host_name != HOST_NAME_KEEP;
}

static bool has_etc(const struct config *c)
{
	return c->host_name == HOST_NAME_SET ||
	       c->machine_id != MACHINE_ID_KEEP;
}

/* What a host sends, the kernel's generator takes from root alone. */
static bool mixes_entropy(const struct config *c)
{
	return c->mix_entropy && (c->restore_vsock || c->restore_serial);
}

static bool has_admin(const struct config *c)
{
	return c->reset_sessions || has_host_name(c) || mixes_entropy(c);
}

static bool has_announce_vsock(const struct config *c)
{
	return c->restore_vsock || (c->announce && *c->announce != '/');
}

static bool has_announce_device(const struct config *c)
{
	return c->restore_serial || (c->announce && *c->announce == '/');
}

static bool has_network(const struct config *c)
{
	return c->gate != GATE_NONE || c->reset_sessions || c->set_interfaces ||
	       c->destroy_connections == DESTROY_ALWAYS;
}

/* No name is a part of another. */
static const struct {
	const char *name;
	bool (*is_on)(const struct config *c);
} steps[STEPS] = {
	[STEP_KILL] = { "laggards=kill", has_kill },
	[STEP_SESSIONS] = { "sessions=reset", has_sessions },
	[STEP_GATE_KERNEL] = { "gate=kernel/restore", has_gate_kernel },
	[STEP_CGROUPS] = { "freeze/kill-container", has_cgroups },
	[STEP_WIPE] = { "wipe", has_wipe },
	[STEP_CLOCK] = { "clock=set", has_clock },
	[STEP_HOST_NAME] = { "host-name=set/transient", has_host_name },
	[STEP_ETC] = { "host-name/machine-id", has_etc },
	[STEP_ADMIN] = { "sessions/host-name/entropy", has_admin },
	[STEP_ANNOUNCE_VSOCK] = { "announce=vsock/restore-vsock",
				  has_announce_vsock },
	[STEP_ANNOUNCE_DEVICE] = { "announce=path/restore-serial",
				   has_announce_device },
	[STEP_NETWORK] = { "gate,sessions,interfaces,destroy-connections",
			   has_network },
};

const char *config_step_name(enum config_step step)
{
	return steps[step].name;
}

bool config_has_step(const struct config *c, enum config_step step)
{
	return steps[step].is_on(c);
}

static const struct key {
	const char *name;
	/* A key with a list may be on more than one line. */
	enum { ONCE, LIST } lines;
	const char *(*set)(struct config *c, const char *value);
} keys[] = {
	{ "gate", ONCE, set_gate },
	{ "except-interfaces", LIST, set_except_interfaces },
	{ "except-marks", LIST, set_except_marks },
	{ "except-ports", LIST, set_except_ports },
	{ "except-filter", LIST, set_except_filter },
	{ "hook-timeout", ONCE, set_hook_timeout },
	{ "watcher-timeout", ONCE, set_watcher_timeout },
	{ "kill-timeout", ONCE, set_kill_timeout },
	{ "laggards", ONCE, set_laggards },
	{ "destroy-connections", ONCE, set_destroy_connections },
	{ "sessions", ONCE, set_sessions },
	{ "freeze", LIST, set_freeze },
	{ "freeze-except", LIST, set_freeze_except },
	{ "entropy", ONCE, set_entropy },
	{ "clock", ONCE, set_clock_key },
	{ "host-name", ONCE, set_host_name },
	{ "machine-id", ONCE, set_id },
	{ "interfaces", ONCE, set_interfaces },
	{ "environment", ONCE, set_environment },
	{ "wipe", LIST, set_wipe },
	{ "restart", LIST, set_restart },
	{ "restart-after", LIST, set_restart_after },
	{ "restart-timeout", ONCE, set_restart_timeout },
	{ "announce", ONCE, set_announce },
	{ "metrics", ONCE, set_metrics },
	{ "restore-vsock", ONCE, set_restore_vsock },
	{ "restore-serial", ONCE, set_restore_serial },
	{ "peer-port", ONCE, set_peer_port },
	{ "peer-cid", ONCE, set_peer_cid },
	{ "publisher", ONCE, set_publisher },
	{ "reseed", ONCE, set_reseed },
	{ "reseed-timeout", ONCE, set_reseed_timeout },
	{ "quiesce-limit", ONCE, set_quiesce_limit },
};

_Static_assert(COUNT(keys) <= KEYS_MAX, "a line for each key");

/* The index of the key; COUNT(keys): there is none of that name. */
static size_t find_key(const char *name)
{
	size_t i = 0;

	while (i < COUNT(keys) && strcmp(keys[i].name, name))
		i++;
	return i;
}

static const char *set_key(struct reading *r, const char *name,
			   const char *value)
{
	static char twice[64];
	const size_t i = find_key(name);

	if (i == COUNT(keys))
		return "there is no such key";
	if (r->given[i] && keys[i].lines == ONCE) {
		snprintf(twice, sizeof(twice),
			 "line %d has this key already; remove one",
			 r->given[i]);
		return twice;
	}
	r->given[i] = r->lines;
	return keys[i].set(r->c, value);
}

static int take(void *user, const char *section, const char *name,
		const char *value)
{
	struct reading *r = user;
	const char *wrong;

	/* libinih goes on after an error; what counts is the first. */
	if (r->why[0])
		return 1;
	if (strcmp(section, "overseer")) {
		snprintf(r->why, sizeof(r->why),
			 "\"%s\" is not in the section [overseer]", name);
		return 0;
	}
	wrong = set_key(r, name, value);
	if (!wrong)
		return 1;
	snprintf(r->why, sizeof(r->why), "%s: %s", name, wrong);
	return 0;
}

static const struct config defaults = {
	.gate = GATE_NONE,
	.hook_timeout = 90 * SECOND,
	.watcher_timeout = 30 * SECOND,
	.kill_timeout = 5 * SECOND,
	.laggards = LAGGARDS_HOLD,
	.destroy_connections = DESTROY_WITH_GATE,
	.reset_sessions = true,
	.mix_entropy = true,
	.restart_timeout = 90 * SECOND,
	.reseed_timeout = 30 * SECOND,
	.quiesce_limit = 60 * SECOND,
};

/*
 * One line. libinih would take an indented one for more of the line above, and the
 * rest of a long one for another. A zero byte would end what it sees of a line.
 */
static char *read_line(char *line, int size, void *user)
{
	struct reading *r = user;
	char *text;
	ssize_t n = r->why[0] ? -1 : getline(&r->line, &r->size, r->file);

	if (n < 0)
		return NULL;
	r->lines++;
	if (n && r->line[n - 1] == '\n')
		r->line[--n] = 0;
	text = r->line + strspn(r->line, " \t");
	/* libinih would take the rest of a long one for a key. */
	if (!memchr(r->line, 0, (size_t)n) && (*text == '#' || *text == ';'))
		*text = 0;
	if (memchr(r->line, 0, (size_t)n) && *text)
		snprintf(r->why, sizeof(r->why), "a line has no zero byte");
	else if (*text && n >= size)
		snprintf(r->why, sizeof(r->why),
			 "a line has at most %d characters", size - 1);
	if (r->why[0])
		return NULL;
	return strcpy(line, text);
}

/* The number of the first bad line; -errno if the file cannot be read; 0: good. */
static int parse_file(struct reading *r, const char *path)
{
	/* A FIFO would wait for its writer. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), line;
	struct stat st;
	FILE *f;

	if (fd < 0) {
		line = -errno;
		/*
		 * A link that leads nowhere is there, and somebody wanted a
		 * configuration. So did who named another path.
		 */
		return line == -ENOENT && !strcmp(path, CONFIG_PATH) &&
				       lstat(path, &st) ?
			       0 :
			       line;
	}
	if (!fstat(fd, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		snprintf(r->why, sizeof(r->why), "not a regular file");
		close(fd);
		return -EINVAL;
	}
	f = fdopen(fd, "r");
	if (!f) {
		line = -errno;
		close(fd);
		return line;
	}
	errno = 0;
	r->file = f;
	line = ini_parse_stream(read_line, r, take, r);
	/* libinih takes an error for the end. */
	if (line < 0)
		line = -ENOMEM;
	else if (!r->why[0] && !feof(f))
		line = errno ? -errno : -EIO;
	else if (!line && r->why[0])
		line = r->lines;
	free(r->line);
	fclose(f);
	return line;
}

/*
 * The unit's rights are those of the configuration that systemd last read: a step
 * that came since would fail only when it is needed.
 */
static const char *step_without_rights(const struct config *c)
{
	const char *without = getenv(CONFIG_WITHOUT);

	for (int i = 0; without && i < STEPS; i++) {
		if (steps[i].is_on(c) && strstr(without, steps[i].name))
			return steps[i].name;
	}
	return NULL;
}

static bool add_each(struct exceptions *e, const struct words *words,
		     bool (*add)(struct exceptions *e, const char *word))
{
	bool ok = true;

	for (size_t i = 0; ok && i < words->count; i++)
		ok = add(e, words->word[i]);
	return ok;
}

/* The key whose values are wrong, and why in c->except; NULL: none is. */
static const char *for_kernel(struct config *c)
{
	struct exceptions *e = &c->except;

	if (!add_each(e, &c->except_interfaces, exceptions_add_device))
		return "except-interfaces";
	if (!add_each(e, &c->except_marks, exceptions_add_mark))
		return "except-marks";
	return add_each(e, &c->except_filters, exceptions_add_filter) &&
			       exceptions_join_filters(e) ?
		       NULL :
		       "except-filter";
}

static bool has_no_gate(const struct config *c)
{
	return c->gate == GATE_NONE;
}

static bool has_gate_nftables(const struct config *c)
{
	return c->gate == GATE_NFTABLES;
}

static bool has_no_kill(const struct config *c)
{
	return !has_kill(c);
}

static bool freezes_no_other(const struct config *c)
{
	return c->freeze_all && (c->freeze.count || c->freeze_containers);
}

static bool freezes_not_all(const struct config *c)
{
	return !c->freeze_all;
}

static bool freezes_nothing(const struct config *c)
{
	return !c->freeze_all && !c->freeze.count;
}

static bool restarts_nothing(const struct config *c)
{
	return !c->restart.count && !c->restart_after.count;
}

static bool has_publisher(const struct config *c)
{
	return c->publisher;
}

static bool has_module_and_publisher(const struct config *c)
{
	return c->publisher && c->gate == GATE_KERNEL;
}

static bool settles_by_publisher(const struct config *c)
{
	return c->publisher && c->reseed == RESEED_SETTLED;
}

static bool does_not_settle(const struct config *c)
{
	return c->reseed != RESEED_SETTLED;
}

static bool has_limit_of_trigger(const struct config *c)
{
	return c->publisher == PUBLISHER_TRIGGER && c->quiesce_limit;
}

static bool has_one_port(const struct config *c)
{
	return c->announce && !strcmp(c->announce, c->restore_serial);
}

static bool has_no_restore_vsock(const struct config *c)
{
	return !c->restore_vsock;
}

/* A key that is given, and cannot count beside the others. */
static const struct conflict {
	const char *key;
	bool (*is_there)(const struct config *c);
	const char *why;
} conflicts[] = {
	{ "except-interfaces", has_no_gate,
	  "needs gate = kernel or gate = nftables" },
	{ "except-marks", has_no_gate,
	  "needs gate = kernel or gate = nftables" },
	{ "except-ports", has_no_gate, "needs gate = nftables" },
	{ "except-ports", has_gate_kernel,
	  "needs gate = nftables; gate = kernel takes except-filter = tcp port 22" },
	{ "except-filter", has_no_gate, "needs gate = kernel" },
	{ "except-filter", has_gate_nftables,
	  "needs gate = kernel; gate = nftables takes except-ports = 22/tcp" },
	{ "kill-timeout", has_no_kill,
	  "needs laggards = kill or laggards = kill-container" },
	{ "freeze", freezes_no_other,
	  "all stands alone; freeze-except names what goes on" },
	{ "freeze-except", freezes_not_all, "needs freeze = all" },
	{ "wipe", freezes_nothing,
	  "needs freeze: only frozen units are wiped" },
	{ "restart-timeout", restarts_nothing,
	  "needs restart or restart-after" },
	{ "publisher", has_module_and_publisher,
	  "gate = kernel needs the module, and a publisher is for machines without it" },
	{ "watcher-timeout", has_publisher,
	  "with a publisher, no program is waited for" },
	{ "laggards", has_publisher,
	  "with a publisher, no program is waited for" },
	{ "reseed", settles_by_publisher,
	  "settled needs the module; with a publisher, write require" },
	{ "reseed-timeout", does_not_settle, "needs reseed = settled" },
	{ "restore-serial", has_one_port,
	  "announce names this port; one port has one of them" },
	{ "peer-port", has_no_restore_vsock, "needs restore-vsock" },
	{ "peer-cid", has_no_restore_vsock, "needs restore-vsock" },
	{ "quiesce-limit", has_limit_of_trigger,
	  "publisher = trigger has no limit; write none" },
};

/* What no line alone has wrong: the last line of it, and why. 0: nothing. */
static int check_whole(struct reading *r)
{
	const char *key = NULL, *why = r->c->except.why;

	for (size_t i = 0; !key && i < COUNT(conflicts); i++) {
		const struct conflict *one = &conflicts[i];

		if (r->given[find_key(one->key)] && one->is_there(r->c)) {
			key = one->key;
			why = one->why;
		}
	}
	if (!key && r->c->gate == GATE_KERNEL)
		key = for_kernel(r->c);
	if (!key)
		return 0;
	snprintf(r->why, sizeof(r->why), "%s: %s", key, why);
	return r->given[find_key(key)];
}

bool config_read(struct config *c, const char *path, char *why, size_t size)
{
	struct config found = defaults;
	struct reading r = { .c = &found };
	int line = parse_file(&r, path);
	const char *without;

	if (!line)
		line = check_whole(&r);
	/* Nothing here tells a clone from a machine that was forgotten. */
	if (found.publisher == PUBLISHER_TRIGGER)
		found.quiesce_limit = 0;
	without = line ? NULL : step_without_rights(&found);
	if (!line && !without) {
		config_free(c);
		*c = found;
		return true;
	}
	if (without)
		snprintf(
			why, size,
			"%s: %s: the unit was started without the rights for that: systemctl daemon-reload, then systemctl restart sysgenid-overseer",
			path, without);
	else if (line < 0)
		snprintf(why, size, "%s: %s", path,
			 r.why[0] ? r.why : strerror(-line));
	else
		snprintf(why, size, "%s, line %d: %s", path, line,
			 r.why[0] ? r.why :
				    "neither \"key = value\" nor [overseer]");
	config_free(&found);
	return false;
}

void words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->word[i]);
	free(words->word);
	*words = (struct words){ .word = NULL };
}

void config_free(struct config *c)
{
	words_free(&c->except_interfaces);
	words_free(&c->except_marks);
	words_free(&c->except_ports);
	words_free(&c->except_filters);
	exceptions_free(&c->except);
	words_free(&c->freeze);
	words_free(&c->freeze_except);
	words_free(&c->wipe);
	words_free(&c->restart);
	words_free(&c->restart_after);
	free(c->announce);
	free(c->metrics);
	free(c->restore_serial);
	*c = defaults;
}
