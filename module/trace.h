/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sysgenid

#if !defined(SYSGENID_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYSGENID_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(sysgenid_publish,
	TP_PROTO(u32 generation, u32 source, unsigned int outdated),
	TP_ARGS(generation, source, outdated),
	TP_STRUCT__entry(
		__field(u32, generation)
		__field(u32, source)
		__field(unsigned int, outdated)
	),
	TP_fast_assign(
		__entry->generation = generation;
		__entry->source = source;
		__entry->outdated = outdated;
	),
	TP_printk("generation=%u source=%u outdated=%u",
		  __entry->generation, __entry->source, __entry->outdated)
);

TRACE_EVENT(sysgenid_confirm,
	TP_PROTO(u32 generation, bool tracked, unsigned int outdated),
	TP_ARGS(generation, tracked, outdated),
	TP_STRUCT__entry(
		__field(u32, generation)
		__field(bool, tracked)
		__field(unsigned int, outdated)
	),
	TP_fast_assign(
		__entry->generation = generation;
		__entry->tracked = tracked;
		__entry->outdated = outdated;
	),
	TP_printk("generation=%u tracked=%d outdated=%u",
		  __entry->generation, __entry->tracked, __entry->outdated)
);

TRACE_EVENT(sysgenid_track,
	TP_PROTO(bool on, unsigned int watchers, unsigned int outdated),
	TP_ARGS(on, watchers, outdated),
	TP_STRUCT__entry(
		__field(bool, on)
		__field(unsigned int, watchers)
		__field(unsigned int, outdated)
	),
	TP_fast_assign(
		__entry->on = on;
		__entry->watchers = watchers;
		__entry->outdated = outdated;
	),
	TP_printk("on=%d watchers=%u outdated=%u",
		  __entry->on, __entry->watchers, __entry->outdated)
);

/* A call that was refused for want of permission or quota. */
TRACE_EVENT(sysgenid_refuse,
	TP_PROTO(unsigned int cmd, int error),
	TP_ARGS(cmd, error),
	TP_STRUCT__entry(
		__field(unsigned int, cmd)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->cmd = cmd;
		__entry->error = error;
	),
	TP_printk("cmd=%#x error=%d", __entry->cmd, __entry->error)
);

#endif /* SYSGENID_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
