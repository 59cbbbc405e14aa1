/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a hardware id is found, and who tells that it may have changed. */
#ifndef SYSGENID_SOURCE_H
#define SYSGENID_SOURCE_H

#include <linux/types.h>

/*
 * @find: looks for the id. Return: 0 and its physical address, not checked yet;
 *	-ENODEV and @why there is none; -ENOMEM: that is not known.
 * @listen: has @notify called, in any context, when the id may have changed.
 *	Return: 1 if this hypervisor is known to notify, 0 if not, or -EIO if
 *	nothing will be heard.
 * @unlisten: after a successful @listen; @notify is not called any more.
 */
struct sysgenid_source {
	int (*find)(u64 *address, const char **why);
	int (*listen)(void (*notify)(void));
	void (*unlisten)(void);
};

extern const struct sysgenid_source sysgenid_source_acpi;

#endif /* SYSGENID_SOURCE_H */
