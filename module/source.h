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
 * @name: of the device, where it is looked for.
 * @find: looks for the id. Return: 0 and its @place; -ENOENT: none is here; -ENODEV:
 *	there is one, and @why it is of no use; -ENOMEM: that is not known.
 * @listen: has @notify called, in any context, when the id may have changed.
 *	Return: 1 if this hypervisor is known to notify, 0 if not, or -errno if
 *	nothing will be heard.
 * @unlisten: after a successful @listen; the function is not called any more.
 * @notify, @device, @irq: of the source itself.
 */
struct sysgenid_source {
	const char *name;
	int (*find)(struct sysgenid_source *s, struct sysgenid_place *place, const char **why);
	int (*listen)(struct sysgenid_source *s);
	void (*unlisten)(struct sysgenid_source *s);
	void (*notify)(void);
	void *device;
	int irq;
};

#ifdef CONFIG_ACPI
extern struct sysgenid_source sysgenid_source_acpi;
extern struct sysgenid_source sysgenid_source_vmclock_acpi;
int sysgenid_acpi_listen(struct sysgenid_source *s);
void sysgenid_acpi_unlisten(struct sysgenid_source *s);
#endif
#ifdef CONFIG_OF
extern struct sysgenid_source sysgenid_source_of;
extern struct sysgenid_source sysgenid_source_vmclock_of;
int sysgenid_of_find(struct sysgenid_source *s, struct sysgenid_place *place, const char **why);
int sysgenid_of_listen(struct sysgenid_source *s);
void sysgenid_of_unlisten(struct sysgenid_source *s);
#endif

/* sources.c: all of them. */
int sysgenid_sources_find(const char **why);
bool sysgenid_sources_listen(void (*notify)(void));
void sysgenid_sources_unlisten(void);

#endif /* SYSGENID_SOURCE_H */
