// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all parts of the module share: the counter page, the records, counts, and
 * the one lock.
 */
#include <linux/gfp.h>

#include "sysgenid.h"

/* Stands for an id that this machine does not have. */
static const u64 state_no_id[2];

struct sysgenid_state sysgenid = {
	.hardware_id = state_no_id,
	.hardware_counter = state_no_id,
	.lock = __SPIN_LOCK_UNLOCKED(sysgenid.lock),
	.settled = __SWAIT_QUEUE_HEAD_INITIALIZER(sysgenid.settled),
};

int sysgenid_state_init(void)
{
	sysgenid.page = (void *)get_zeroed_page(GFP_KERNEL);
	sysgenid.record = (void *)get_zeroed_page(GFP_KERNEL);
	sysgenid.clock_record = (void *)get_zeroed_page(GFP_KERNEL);
	if (!sysgenid.page || !sysgenid.record || !sysgenid.clock_record) {
		sysgenid_state_exit();
		return -ENOMEM;
	}
	sysgenid.page->magic = SYSGENID_PAGE_MAGIC;
	sysgenid.page->size = sizeof(*sysgenid.page);
	sysgenid.page->features = SYSGENID_FEATURE_CALLS | SYSGENID_GATE_FEATURE;
	return 0;
}

void sysgenid_state_exit(void)
{
	free_page((unsigned long)sysgenid.clock_record);
	free_page((unsigned long)sysgenid.record);
	free_page((unsigned long)sysgenid.page);
}

const char *sysgenid_source_name(u32 source)
{
	static const char *const names[] = {
		[SYSGENID_SOURCE_NONE] = "none",
		[SYSGENID_SOURCE_VMGENID] = "vmgenid",
		[SYSGENID_SOURCE_SOFTWARE] = "software",
		[SYSGENID_SOURCE_VMCLOCK] = "vmclock",
	};

	return source < ARRAY_SIZE(names) && names[source] ? names[source] : "?";
}
