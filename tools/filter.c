// SPDX-License-Identifier: MIT
/* Expressions of pcap-filter(7), by libpcap. */
#define _DEFAULT_SOURCE
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter.h"

/* One at a time: with libpcap an instruction of BPF has a type of its own. */
static struct sock_filter *copy(const struct bpf_program *from)
{
	struct sock_filter *to = calloc(from->bf_len, sizeof(*to));

	for (unsigned int i = 0; to && i < from->bf_len; i++)
		to[i] = (struct sock_filter){
			.code = from->bf_insns[i].code,
			.jt = from->bf_insns[i].jt,
			.jf = from->bf_insns[i].jf,
			.k = from->bf_insns[i].k,
		};
	return to;
}

bool filter_compile(const char *expression, struct sock_filter **program,
		    size_t *len, char *why, size_t size)
{
	pcap_t *pcap = pcap_open_dead(DLT_RAW, 0xffff);
	struct bpf_program compiled;

	*program = NULL;
	if (!pcap) {
		snprintf(why, size, "no memory");
		return false;
	}
	if (pcap_compile(pcap, &compiled, expression, 1,
			 PCAP_NETMASK_UNKNOWN)) {
		snprintf(why, size, "%s", pcap_geterr(pcap));
	} else {
		*program = copy(&compiled);
		*len = compiled.bf_len;
		pcap_freecode(&compiled);
		if (!*program)
			snprintf(why, size, "no memory");
	}
	pcap_close(pcap);
	return *program;
}
