// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysgenid tells user space that this virtual machine is a clone.
 *
 * A machine that is snapshotted and resumed twice goes on twice with the same
 * memory. The hypervisor changes an id in guest memory then; Linux reseeds its
 * own RNG with it and tells no program. This module makes a generation of it,
 * at /dev/sysgenid. Here: init and exit, in order.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "sysgenid.h"

static bool software;
module_param(software, bool, 0444);
MODULE_PARM_DESC(
	software,
	"Load without a hardware source: generations then come by triggers only (default: no)");

static int __init sysgenid_init(void)
{
	const char *why = NULL;
	int ret;

	ret = sysgenid_generation_init();
	if (ret)
		return ret;
	ret = sysgenid_reseed_init();
	if (ret)
		goto err_generation;

	ret = sysgenid_vmgenid_init(&why);
	/* A node that never changes is worse than none: clients trust it. */
	if (why && !software)
		pr_err("not loaded: %s. Let the hypervisor offer one (QEMU: -device vmgenid), or load with software=1 if an agent triggers the generations.\n",
		       why);
	/* Without memory it is not known whether there is one. */
	if (ret && !(why && software))
		goto err_reseed;
	if (why)
		pr_info("%s: generations come by triggers only\n", why);
	if (software)
		sysgenid.sources |= BIT(SYSGENID_SOURCE_SOFTWARE);
	sysgenid_vmfork_init();
	sysgenid_generation_start();

	ret = sysgenid_chardev_init();
	if (ret)
		goto err_sources;

	pr_info("loaded: generation 0; sources:%s%s%s\n",
		sysgenid.sources & BIT(SYSGENID_SOURCE_VMGENID) ? " vmgenid" : "",
		sysgenid.sources & BIT(SYSGENID_SOURCE_VMFORK) ? " vmfork" : "",
		software ? " software" : "");
	return 0;

err_sources:
	sysgenid_vmfork_exit();
	sysgenid_vmgenid_stop();
	sysgenid_generation_stop();
	sysgenid_vmgenid_exit();
err_reseed:
	sysgenid_reseed_exit();
err_generation:
	sysgenid_generation_exit();
	return ret;
}
module_init(sysgenid_init);

static void __exit sysgenid_exit(void)
{
	sysgenid_chardev_exit();
	sysgenid_vmfork_exit();
	sysgenid_vmgenid_stop();
	sysgenid_generation_stop();
	sysgenid_vmgenid_exit();
	sysgenid_reseed_exit();
	sysgenid_watchers_exit();
	sysgenid_generation_exit();
}
module_exit(sysgenid_exit);

MODULE_ALIAS("acpi*:VM_GEN_COUNTER:*");
MODULE_ALIAS("acpi*:VMGENCTR:*");
MODULE_DESCRIPTION("System generation: tells programs that this virtual machine was cloned");
MODULE_AUTHOR("The sysgenid authors");
MODULE_VERSION(SYSGENID_VERSION);
MODULE_LICENSE("GPL");
