// SPDX-License-Identifier: GPL-2.0-only
/* All sources of a hardware id: the first that this machine has is used. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>

#include "source.h"
#include "sysgenid.h"

static const struct sysgenid_source *const sources_known[] = {
#ifdef CONFIG_ACPI
	&sysgenid_source_acpi,
#endif
#ifdef CONFIG_OF
	&sysgenid_source_of,
#endif
};

static const struct sysgenid_source *sources_used;
static bool sources_listening;

/*
 * sysgenid_sources_find - find the hardware id, and take it
 *
 * Return: 0; -ENODEV and @why there is none of use; -ENOMEM: that is not known.
 */
int sysgenid_sources_find(const char **why)
{
	struct sysgenid_place place;
	int i, ret = -ENOENT;

	for (i = 0; i < ARRAY_SIZE(sources_known) && ret == -ENOENT; i++) {
		sources_used = sources_known[i];
		ret = sources_used->find(&place, why);
	}
	if (ret != -ENOENT)
		return ret ?: sysgenid_id_init(&place, why);
	*why = "no VM generation id (ACPI VM_Gen_Counter, devicetree microsoft,vmgenid) here";
	return -ENODEV;
}

/* Return: whether this hypervisor is known to notify of each change. */
bool sysgenid_sources_listen(void (*notify)(void))
{
	int ret = sources_used->listen(notify);

	sources_listening = ret >= 0;
	if (!sources_listening)
		pr_warn("no notifications of the VM generation id (%d): sleeping programs learn late\n",
			ret);
	return ret > 0;
}

void sysgenid_sources_unlisten(void)
{
	if (sources_listening)
		sources_used->unlisten();
	sources_listening = false;
}
