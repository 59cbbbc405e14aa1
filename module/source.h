/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a hardware id is found, and who tells that it may have changed. */
#ifndef SYSGENID_SOURCE_H
#define SYSGENID_SOURCE_H

#include <linux/types.h>

/* Physical memory with an id, not checked yet. */
struct sysgenid_place {
	u64 address;
	u64 size;
};

/*
 * @find: looks for the id. Return: 0 and its @place; -ENOENT: none is here; -ENODEV:
 *	there is one, and @why it is of no use; -ENOMEM: that is not known.
 * @listen: has @notify called, in any context, when the id may have changed.
 *	Return: 1 if this hypervisor is known to notify, 0 if not, or -errno if
 *	nothing will be heard.
 * @unlisten: after a successful @listen; @notify is not called any more.
 */
struct sysgenid_source {
	int (*find)(struct sysgenid_place *place, const char **why);
	int (*listen)(void (*notify)(void));
	void (*unlisten)(void);
};

#ifdef CONFIG_ACPI
extern const struct sysgenid_source sysgenid_source_acpi;
#endif
#ifdef CONFIG_OF
extern const struct sysgenid_source sysgenid_source_of;
#endif

/* sources.c: all of them. */
int sysgenid_sources_find(const char **why);
bool sysgenid_sources_listen(void (*notify)(void));
void sysgenid_sources_unlisten(void);

#endif /* SYSGENID_SOURCE_H */
