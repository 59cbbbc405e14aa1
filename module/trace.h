/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sysgenid

#if !defined(SYSGENID_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYSGENID_TRACE_H

#include <linux/tracepoint.h>

#include "sysgenid.h"

/* The macros of tracepoints are laid out in a way of their own. */
/* clang-format off */
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

/* What a watcher did, and what has become of all of them. */
DECLARE_EVENT_CLASS(sysgenid_watcher,
	TP_PROTO(const struct sysgenid_file *f),
	TP_ARGS(f),
	TP_STRUCT__entry(
		__field(u32, generation)
		__field(bool, tracked)
		__field(unsigned int, watchers)
		__field(unsigned int, outdated)
	),
	TP_fast_assign(
		__entry->generation = f->confirmed;
		__entry->tracked = f->tracked;
		__entry->watchers = sysgenid.watchers;
		__entry->outdated = sysgenid.outdated;
	),
	TP_printk("generation=%u tracked=%d watchers=%u outdated=%u",
		  __entry->generation, __entry->tracked, __entry->watchers,
		  __entry->outdated)
);

DEFINE_EVENT(sysgenid_watcher, sysgenid_confirm,
	TP_PROTO(const struct sysgenid_file *f),
	TP_ARGS(f)
);

DEFINE_EVENT(sysgenid_watcher, sysgenid_track,
	TP_PROTO(const struct sysgenid_file *f),
	TP_ARGS(f)
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

/* clang-format on */

#endif /* SYSGENID_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
