/* SPDX-License-Identifier: MIT */
#ifndef PHASES_H
#define PHASES_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

/* The way from a generation that is published to the open gate, in order. */
enum phase {
	PHASE_GATE,
	PHASE_CONNECTIONS,
	PHASE_ENTROPY,
	PHASE_SESSIONS,
	PHASE_CLOCK,
	PHASE_HOST_NAME,
	PHASE_MACHINE_ID,
	PHASE_INTERFACES,
	PHASE_WIPE,
	PHASE_HOOKS,
	PHASE_RESTART,
	PHASE_WATCHERS,
	PHASE_OPENING,
	PHASES,
};

/* Nanoseconds of CLOCK_BOOTTIME. @began: 0: nothing was measured. @ended: of the last phase. */
struct phases {
	uint64_t began, ended;
	uint64_t took[PHASES];
};

void phases_begin(struct phases *p, uint64_t at);
/* All time since the last phase ended, and besides what it took before. Nothing if nothing began. */
void phases_end(struct phases *p, enum phase phase);
const char *phase_name(enum phase phase);
double phases_ms(uint64_t ns);
uint64_t phases_total(const struct phases *p);
/* "gate 0.1, connections 0.2, ..."; what took no time is left out. */
void phases_describe(const struct phases *p, char *text, size_t size);
/* {"gate": 0.1, ...} in milliseconds; to be put. */
struct json_object *phases_json(const struct phases *p);
/* What phases_begin() and phases_end() measure with. */
uint64_t phases_now(void);

#endif /* PHASES_H */
