// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own notifier of forked virtual machines, where it is real.
 *
 * It is called by the in-tree vmgenid driver. That may be in a hard interrupt,
 * although the chain is a blocking one: so do nothing here but schedule.
 */
#include <linux/notifier.h>

#include "compat.h"
#include "sysgenid.h"

static int vmfork_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	sysgenid_vmforked();
	return NOTIFY_DONE;
}

static struct notifier_block vmfork_notifier = { .notifier_call = vmfork_notify };

void sysgenid_vmfork_init(void)
{
	if (sysgenid_have_vmfork && !sysgenid_register_vmfork(&vmfork_notifier))
		sysgenid.sources |= BIT(SYSGENID_SOURCE_VMFORK);
}

void sysgenid_vmfork_exit(void)
{
	if (sysgenid.sources & BIT(SYSGENID_SOURCE_VMFORK))
		sysgenid_unregister_vmfork(&vmfork_notifier);
}
