/* SPDX-License-Identifier: MIT */
#ifndef FILTER_H
#define FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * An expression of pcap-filter(7), translated by libpcap for packets that begin
 * with the header of IP. The program is for the caller to free.
 */
bool filter_compile(const char *expression, struct sock_filter **program,
		    size_t *len, char *why, size_t size);

#endif /* FILTER_H */
