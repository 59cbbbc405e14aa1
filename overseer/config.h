/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gate_kind {
	GATE_NONE,
	GATE_NFTABLES,
};

/* What becomes of a laggard. */
enum laggards {
	LAGGARDS_REPORT,
	LAGGARDS_KILL,
	LAGGARDS_HOLD,
};

/* Who keeps the page file where there is no module. */
enum publisher_kind {
	PUBLISHER_NONE,
	PUBLISHER_TRIGGER,
	PUBLISHER_VMCLOCK,
};

struct words {
	char **word;
	size_t count;
};

/* sysgenid-overseer.conf(5) describes each. Times in microseconds. */
struct config {
	enum gate_kind gate;
	struct words except_interfaces;
	struct words except_marks;
	struct words except_ports;
	uint64_t hook_timeout;
	uint64_t watcher_timeout;
	uint64_t kill_timeout;
	enum laggards laggards;
	bool destroy_connections;
	struct words freeze;
	char *announce;
	enum publisher_kind publisher;
};

#define CONFIG_PATH "/etc/sysgenid/overseer.conf"

/*
 * The whole file is read and checked before anything of it counts; a file that
 * is not there is one with no keys. False after a complaint with the line.
 */
bool config_read(struct config *c, const char *path);
void config_free(struct config *c);

#endif /* CONFIG_H */
