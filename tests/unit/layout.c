// SPDX-License-Identifier: MIT
/* What may never move: the same for 32 and 64 bits. */
#include <stddef.h>

#include <sysgenid.h>

#define SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), "size of " #type)
#define AT(type, member, offset)                                  \
	_Static_assert(offsetof(struct type, member) == (offset), \
		       "offset of " #type "." #member)

SIZE(sysgenid_page, 80);
AT(sysgenid_page, generation, 0);
AT(sysgenid_page, magic, 4);
AT(sysgenid_page, size, 8);
AT(sysgenid_page, seq, 12);
AT(sysgenid_page, features, 16);
AT(sysgenid_page, time, 24);
AT(sysgenid_page, source, 32);
AT(sysgenid_page, flags, 36);
AT(sysgenid_page, no_id, 48);
AT(sysgenid_page, instance_id, 64);

SIZE(sysgenid_record, 24);
AT(sysgenid_record, hw_offset, 16);
AT(sysgenid_record, size, 20);

SIZE(sysgenid_get_args, 64);
AT(sysgenid_get_args, outdated, 28);
AT(sysgenid_get_args, features, 32);
AT(sysgenid_get_args, time, 40);
AT(sysgenid_get_args, instance_id, 48);

SIZE(sysgenid_wait_args, 24);
AT(sysgenid_wait_args, timeout_ns, 8);
AT(sysgenid_wait_args, outdated, 20);

SIZE(sysgenid_watcher, 48);
AT(sysgenid_watcher, start_time, 8);
AT(sysgenid_watcher, cgroup_id, 16);
AT(sysgenid_watcher, comm, 32);

SIZE(sysgenid_list_args, 40);
AT(sysgenid_list_args, cursor, 8);
AT(sysgenid_list_args, entries, 16);
AT(sysgenid_list_args, outdated, 36);

SIZE(sysgenid_trigger_args, 40);
AT(sysgenid_trigger_args, entropy, 16);
AT(sysgenid_trigger_args, published, 28);
AT(sysgenid_trigger_args, least, 32);

SIZE(sysgenid_declare_args, 16);
AT(sysgenid_declare_args, generation, 8);

SIZE(sysgenid_confirm_args, 8);
AT(sysgenid_confirm_args, generation, 4);

SIZE(sysgenid_gate_args, 88);
AT(sysgenid_gate_args, generation, 12);
AT(sysgenid_gate_args, devices, 16);
AT(sysgenid_gate_args, device_count, 40);
AT(sysgenid_gate_args, state, 52);
AT(sysgenid_gate_args, hooked, 64);
AT(sysgenid_gate_args, dropped_in, 72);
AT(sysgenid_gate_args, dropped_out, 80);

_Static_assert(SYSGENID_SET_WATCHER_TRACKING == 0xe401,
	       "number of an old call");
_Static_assert(SYSGENID_WAIT_WATCHERS == 0xe402, "number of an old call");
_Static_assert(SYSGENID_TRIGGER_GEN_UPDATE == 0xe403, "number of an old call");
_Static_assert(SYSGENID_GET == 0xc040e410, "number of a call");
_Static_assert(SYSGENID_WAIT_GENERATION == 0xc018e411, "number of a call");
_Static_assert(SYSGENID_LIST_WATCHERS == 0xc028e412, "number of a call");
_Static_assert(SYSGENID_TRIGGER == 0xc028e413, "number of a call");
_Static_assert(SYSGENID_DECLARE == 0x4010e414, "number of a call");
_Static_assert(SYSGENID_CONFIRM == 0x4008e415, "number of a call");
_Static_assert(SYSGENID_GATE == 0xc058e416, "number of a call");

/* Inside every program that uses the library. */
SIZE(sysgenid_view, 3 * sizeof(void *));
AT(sysgenid_view, generation, 0);
AT(sysgenid_view, hardware_id, sizeof(void *));
AT(sysgenid_view, recorded_id, 2 * sizeof(void *));

SIZE(sysgenid_info, 64);
AT(sysgenid_info, features, 0);
AT(sysgenid_info, time, 8);
AT(sysgenid_info, generation, 16);
AT(sysgenid_info, flags, 20);
AT(sysgenid_info, source, 24);
AT(sysgenid_info, sources, 28);
AT(sysgenid_info, confirmed, 32);
AT(sysgenid_info, watchers, 36);
AT(sysgenid_info, outdated, 40);
AT(sysgenid_info, handle, 44);
AT(sysgenid_info, instance_id, 48);

_Static_assert(SYSGENID_OPEN_SOFT == 1, "a flag");
_Static_assert(SYSGENID_HANDLE_SOFT == 8, "a flag");

int main(void)
{
	return 0;
}
