// SPDX-License-Identifier: GPL-2.0-only
/*
 * All sources of a hardware id. There are two kinds, the VM generation id and the
 * counter of vmclock; of each kind the first that this machine has is used.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>

#include "source.h"
#include "sysgenid.h"

static struct sysgenid_source *const sources_ids[] = {
#ifdef CONFIG_ACPI
	&sysgenid_source_acpi,
#endif
#ifdef CONFIG_OF
	&sysgenid_source_of,
#endif
	NULL,
};

static struct sysgenid_source *const sources_clocks[] = {
#ifdef CONFIG_ACPI
	&sysgenid_source_vmclock_acpi,
#endif
#ifdef CONFIG_OF
	&sysgenid_source_vmclock_of,
#endif
	NULL,
};

/* What is used, NULL: none; and whether it is listened to. */
struct sources_used {
	const char *const name;
	struct sysgenid_source *source;
	bool listening;
};

static struct sources_used sources_used[] = {
	{ .name = "the VM generation id" },
	{ .name = "vmclock" },
};

static int sources_look(struct sources_used *used, struct sysgenid_source *const *known,
			struct sysgenid_place *place, const char **why)
{
	int ret = -ENOENT;

	for (; *known && ret == -ENOENT; known++) {
		ret = (*known)->find(*known, place, why);
		used->source = ret ? NULL : *known;
	}
	return ret;
}

/* One that is of no use is no reason not to load: the VM generation id may be there. */
static int sources_find_clock(const char **why)
{
	struct sources_used *used = &sources_used[1];
	struct sysgenid_place place;
	int ret;

	ret = sources_look(used, sources_clocks, &place, why);
	if (!ret)
		ret = sysgenid_vmclock_init(&place, why);
	if (ret)
		used->source = NULL;
	if (ret == -ENODEV)
		pr_info("vmclock is not used: %s\n", *why);
	return ret == -ENOMEM ? ret : 0;
}

/*
 * sysgenid_sources_find - find the hardware ids, and take them
 *
 * Return: 0; -ENODEV and @why there is none of use; -ENOMEM: that is not known.
 */
int sysgenid_sources_find(const char **why)
{
	struct sysgenid_place place;
	int ret;

	ret = sources_look(&sources_used[0], sources_ids, &place, why);
	if (!ret)
		ret = sysgenid_id_init(&place, why);
	if (ret && ret != -ENOENT)
		return ret;
	ret = sources_find_clock(why);
	if (ret) {
		sysgenid_id_exit();
		return ret;
	}
	*why = NULL;
	if (sysgenid_id_present())
		return 0;
	*why = "no VM generation id (ACPI VM_Gen_Counter, microsoft,vmgenid), no vmclock counter";
	return -ENODEV;
}

/* Return: whether this hypervisor is known to notify of each change. */
bool sysgenid_sources_listen(void (*notify)(void))
{
	struct sources_used *used;
	bool notified = true;
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(sources_used); i++) {
		used = &sources_used[i];
		if (!used->source)
			continue;
		used->source->notify = notify;
		ret = used->source->listen(used->source);
		used->listening = ret >= 0;
		if (!used->listening)
			pr_warn("no notifications of %s (%d): sleeping programs learn late\n",
				used->name, ret);
		notified &= ret > 0;
	}
	return notified;
}

void sysgenid_sources_unlisten(void)
{
	struct sources_used *used;
	int i;

	for (i = 0; i < ARRAY_SIZE(sources_used); i++) {
		used = &sources_used[i];
		if (used->listening)
			used->source->unlisten(used->source);
		used->listening = false;
	}
}
