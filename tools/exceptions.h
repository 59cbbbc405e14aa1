/* SPDX-License-Identifier: MIT */
#ifndef EXCEPTIONS_H
#define EXCEPTIONS_H

#include <linux/filter.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sysgenid/abi.h>

/* What passes while the gate in the kernel is shut. All zeros: nothing. */
struct exceptions {
	char devices[SYSGENID_GATE_MAX][IF_NAMESIZE];
	uint32_t marks[SYSGENID_GATE_MAX];
	struct sock_filter *filter;
	uint32_t device_count;
	uint32_t mark_count;
	uint32_t filter_len;
	/* All expressions so far, joined by "or"; NULL: none. */
	char *filters;
	/* What is wrong with the last one. */
	char why[384];
};

/* Of each: false, and why. */
bool exceptions_add_device(struct exceptions *e, const char *name);
bool exceptions_add_mark(struct exceptions *e, const char *text);
/* In the words of pcap-filter(7). */
bool exceptions_add_filter(struct exceptions *e, const char *expression);
bool exceptions_add_bytecode(struct exceptions *e, const char *text);
/* After the last one. */
bool exceptions_join_filters(struct exceptions *e);

void exceptions_free(struct exceptions *e);
/* @gate points into @e. */
void exceptions_put(const struct exceptions *e,
		    struct sysgenid_gate_args *gate);

#endif /* EXCEPTIONS_H */
