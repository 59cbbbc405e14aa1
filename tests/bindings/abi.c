// SPDX-License-Identifier: MIT
/* What bindings/go/abi_test.go compares with its declarations. */
#include <stddef.h>
#include <stdio.h>

#include <sysgenid/abi.h>

#define VALUE(name, value) \
	printf("%s %llu\n", name, (unsigned long long)(value))
#define OFFSET(name, type, member) \
	VALUE(name "." #member, offsetof(struct type, member))

int main(void)
{
	VALUE("magic", SYSGENID_PAGE_MAGIC);
	VALUE("first_page_size", offsetof(struct sysgenid_page, instance_id));
	VALUE("no_id", offsetof(struct sysgenid_page, no_id));
	VALUE("instance", SYSGENID_GET_INSTANCE);
	VALUE("track", SYSGENID_SET_WATCHER_TRACKING);
	VALUE("get", SYSGENID_GET);
	VALUE("confirm", SYSGENID_CONFIRM);
	VALUE("get_args", sizeof(struct sysgenid_get_args));
	OFFSET("get", sysgenid_get_args, generation);
	OFFSET("get", sysgenid_get_args, flags);
	OFFSET("get", sysgenid_get_args, confirmed);
	OFFSET("get", sysgenid_get_args, watchers);
	OFFSET("get", sysgenid_get_args, outdated);
	OFFSET("get", sysgenid_get_args, instance_id);
	VALUE("confirm_args", sizeof(struct sysgenid_confirm_args));
	VALUE("record", sizeof(struct sysgenid_record));
	OFFSET("record", sysgenid_record, hw_offset);
	OFFSET("record", sysgenid_record, size);
	return 0;
}
