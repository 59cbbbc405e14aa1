/* SPDX-License-Identifier: MIT */
#ifndef SET_CLOCK_H
#define SET_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/*
 * The wall clock of a clone is behind by the age of the snapshot.
 *
 * @host_ns: what the host said, since 1970, and @age_ns: how long ago. 0: the host said
 *	nothing. Then the PTP clock of vmclock counts, that of another hypervisor, and
 *	the clock of the machine (RTC), in this order.
 *
 * 0; or -errno and @why.
 */
int set_clock(int64_t host_ns, uint64_t age_ns, char *why, size_t size);

#endif /* SET_CLOCK_H */
