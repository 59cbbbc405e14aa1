/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../tools/exceptions.h"

enum gate_kind {
	GATE_NONE,
	GATE_NFTABLES,
	GATE_KERNEL,
};

/* What becomes of a laggard. */
enum laggards {
	LAGGARDS_REPORT,
	LAGGARDS_KILL,
	LAGGARDS_KILL_CONTAINER,
	LAGGARDS_HOLD,
};

/* Who keeps the page file where there is no module. */
enum publisher_kind {
	PUBLISHER_NONE,
	PUBLISHER_TRIGGER,
	PUBLISHER_VMCLOCK,
};

/* What becomes of a machine whose random generator was not reseeded. */
enum reseed {
	RESEED_REQUIRE,
	RESEED_WARN,
	/* As the first one, and the last reseed has to be over before the gate opens. */
	RESEED_SETTLED,
};

/* Whether TCP connections are destroyed. Resets leave the machine where no gate drops them. */
enum destroy {
	DESTROY_WITH_GATE,
	DESTROY_ALWAYS,
	DESTROY_NEVER,
};

/* Who sets it, and whether for the next boot, too. */
enum host_name {
	HOST_NAME_KEEP,
	HOST_NAME_SET,
	HOST_NAME_TRANSIENT,
};

enum machine_id {
	MACHINE_ID_KEEP,
	/* To that of the host. */
	MACHINE_ID_SET,
	/* The same; a random one where the host has none. */
	MACHINE_ID_NEW,
};

struct words {
	char **word;
	size_t count;
};

/*
 * What a configuration may have, and needs rights for that a unit without it does
 * without: overseer/generator/ takes them away.
 */
enum config_step {
	STEP_KILL,
	STEP_SESSIONS,
	STEP_GATE_KERNEL,
	STEP_CGROUPS,
	STEP_WIPE,
	STEP_CLOCK,
	STEP_HOST_NAME,
	STEP_ANNOUNCE_VSOCK,
	STEP_ANNOUNCE_DEVICE,
	/* The last ones: those above say better what was turned on. */
	STEP_ETC,
	STEP_ADMIN,
	STEP_NETWORK,
	STEPS,
};

/* In the environment of a unit: the names of steps that it has no rights for. */
#define CONFIG_WITHOUT "SYSGENID_OVERSEER_WITHOUT"

/* False: no memory. */
bool words_add(struct words *words, const char *word);
void words_free(struct words *words);
/* The words and a NULL behind the last; to be freed without the words. NULL: no memory. */
char **words_list(const struct words *words);

/* sysgenid-overseer.conf(5) describes each. Times in microseconds. */
struct config {
	enum gate_kind gate;
	struct words except_interfaces;
	struct words except_marks;
	struct words except_ports;
	struct words except_filters;
	/* What the four above are to the gate in the kernel. */
	struct exceptions except;
	uint64_t hook_timeout;
	uint64_t watcher_timeout;
	uint64_t kill_timeout;
	enum laggards laggards;
	enum destroy destroy_connections;
	bool reset_sessions;
	/* @freeze_all: but for @freeze_except; @freeze has no words then. */
	bool freeze_all;
	struct words freeze, freeze_except;
	/* Of frozen units: those whose pages are zeroed; wiping.h. */
	struct words wipe;
	/* All that sysgenid-runtime has a record of. */
	bool freeze_containers;
	char *announce;
	/* The file for node_exporter; NULL: none. */
	char *metrics;
	/* Where hosts reach the overseer: the port of vsock, 0: none; and a path. */
	unsigned int restore_vsock;
	char *restore_serial;
	/* Source ports above 1023, too; and the machine itself. */
	bool any_peer_port, loopback_peers;
	enum publisher_kind publisher;
	enum reseed reseed;
	/* The built-in steps. */
	bool mix_entropy, set_clock, set_interfaces, pass_environment;
	enum host_name host_name;
	enum machine_id machine_id;
	/* Units that are started anew before and after the gate is opened; those of @restart. */
	struct words restart, restart_after;
	uint64_t restart_timeout;
	/* How long the last reseed may take. */
	uint64_t reseed_timeout;
	/* 0: without a limit. */
	uint64_t quiesce_limit;
};

#ifndef CONFIG_PATH
#define CONFIG_PATH "/etc/sysgenid/overseer.conf"
#endif

/*
 * Whole or not at all: the configuration of the file replaces @c, which holds zeros
 * or an older one. False: @c stays as it is, and @why says what is wrong, with the
 * line. A file that is not there is one with no keys. One with a step that
 * $SYSGENID_OVERSEER_WITHOUT names is refused.
 */
bool config_read(struct config *c, const char *path, char *why, size_t size);
const char *config_step_name(enum config_step step);
bool config_has_step(const struct config *c, enum config_step step);
/* "vsock:CID:PORT". */
bool config_vsock(const char *value, unsigned int *cid, unsigned int *port);
/* What is left has no keys. */
void config_free(struct config *c);

#endif /* CONFIG_H */
