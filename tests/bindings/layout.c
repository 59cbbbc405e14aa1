// SPDX-License-Identifier: MIT
/* What layout.rs prints of its declarations, out of the header. */
#include <stdio.h>

#include <sysgenid.h>

#define SIZE(type) printf("%s %zu\n", #type, sizeof(struct type))
#define FIELD(type, member)                       \
	printf("%s.%s %zu %zu\n", #type, #member, \
	       offsetof(struct type, member),     \
	       sizeof(((struct type *)NULL)->member))
#define CONSTANT(name) printf("%s %u\n", #name, name)

int main(void)
{
	SIZE(sysgenid_view);
	FIELD(sysgenid_view, generation);
	FIELD(sysgenid_view, hardware_id);
	FIELD(sysgenid_view, recorded_id);
	SIZE(sysgenid_info);
	FIELD(sysgenid_info, features);
	FIELD(sysgenid_info, time);
	FIELD(sysgenid_info, generation);
	FIELD(sysgenid_info, flags);
	FIELD(sysgenid_info, source);
	FIELD(sysgenid_info, sources);
	FIELD(sysgenid_info, confirmed);
	FIELD(sysgenid_info, watchers);
	FIELD(sysgenid_info, outdated);
	FIELD(sysgenid_info, handle);
	FIELD(sysgenid_info, instance_id);
	SIZE(sysgenid_watcher);
	FIELD(sysgenid_watcher, pid);
	FIELD(sysgenid_watcher, confirmed);
	FIELD(sysgenid_watcher, start_time);
	FIELD(sysgenid_watcher, cgroup_id);
	FIELD(sysgenid_watcher, flags);
	FIELD(sysgenid_watcher, reserved);
	FIELD(sysgenid_watcher, comm);
	SIZE(sysgenid_gate_args);
	FIELD(sysgenid_gate_args, size);
	FIELD(sysgenid_gate_args, operation);
	FIELD(sysgenid_gate_args, flags);
	FIELD(sysgenid_gate_args, generation);
	FIELD(sysgenid_gate_args, devices);
	FIELD(sysgenid_gate_args, marks);
	FIELD(sysgenid_gate_args, filter);
	FIELD(sysgenid_gate_args, device_count);
	FIELD(sysgenid_gate_args, mark_count);
	FIELD(sysgenid_gate_args, filter_len);
	FIELD(sysgenid_gate_args, state);
	FIELD(sysgenid_gate_args, reason);
	FIELD(sysgenid_gate_args, opened);
	FIELD(sysgenid_gate_args, hooked);
	FIELD(sysgenid_gate_args, reserved);
	FIELD(sysgenid_gate_args, dropped_in);
	FIELD(sysgenid_gate_args, dropped_out);
	CONSTANT(SYSGENID_OPEN_SOFT);
	CONSTANT(SYSGENID_DECLARE_UNKNOWN);
	CONSTANT(SYSGENID_LIST_ALL);
	CONSTANT(SYSGENID_HANDLE_EXACT);
	CONSTANT(SYSGENID_HANDLE_WRITABLE);
	CONSTANT(SYSGENID_HANDLE_OLD_DRIVER);
	CONSTANT(SYSGENID_HANDLE_SOFT);
	CONSTANT(SYSGENID_HANDLE_VMCLOCK);
	CONSTANT(SYSGENID_WATCHER_OUTDATED);
	CONSTANT(SYSGENID_GET_INSTANCE);
	return 0;
}
