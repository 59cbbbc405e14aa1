/* SPDX-License-Identifier: MIT */
/* Every call that can sleep or that changes something, by number. */
#ifndef EACH_CALL_H
#define EACH_CALL_H

#include <sysgenid.h>

/* sysgenid_wait() is the last: that call uses the other descriptor, too. */
enum { CALLS_ON_ONE_DESCRIPTOR = 10, EACH_CALL };

static int each_call(struct sysgenid *g, int which)
{
	struct sysgenid_gate_args gate = { .operation = SYSGENID_GATE_GET };
	struct sysgenid_watcher w;
	struct sysgenid_info i;
	unsigned int count = 1;
	uint32_t generation;
	uint64_t cursor = 0;

	switch (which) {
	case 0:
		return sysgenid_read(g, &generation);
	case 1:
		return sysgenid_confirm(g, 5);
	case 2:
		return sysgenid_track(g, true);
	case 3:
		return sysgenid_declare(g, 5, 0);
	case 4:
		return sysgenid_trigger(g, 5, "x", 1, &generation);
	case 5:
		return sysgenid_wait_watchers(g, 5, 0, NULL, NULL);
	case 6:
		return sysgenid_list_watchers(g, 0, &cursor, &w, sizeof(w),
					      &count, NULL);
	case 7:
		return sysgenid_get_info(g, &i, sizeof(i));
	case 8:
		return sysgenid_gate(g, &gate);
	case 9:
		return sysgenid_trigger_least(g, 5, 9, "x", 1, &generation);
	default:
		return sysgenid_wait(g, 5, 1, &generation);
	}
}

#endif /* EACH_CALL_H */
