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

#include "source.h"
#include "sysgenid.h"

static bool software;
module_param(software, bool, 0444);
MODULE_PARM_DESC(software,
		 "Load without a hardware source; triggers alone make generations (default: no)");

static bool guard = true;
module_param(guard, bool, 0444);
MODULE_PARM_DESC(guard, "Compare on interrupts, in the RNG; undo reseeds in flight (default: yes)");

/* Nothing of ours runs by itself when this returns. */
static void main_stop(void)
{
	sysgenid_sources_unlisten();
	sysgenid_guard_stop();
	sysgenid_generation_stop();
	sysgenid_inflight_stop();
}

static int __init main_init(void)
{
	const char *why = NULL;
	int ret;

	ret = sysgenid_state_init();
	if (ret)
		return ret;
	ret = sysgenid_watchers_init();
	if (ret)
		goto err_state;
	ret = sysgenid_generation_init();
	if (ret)
		goto err_watchers;
	ret = sysgenid_reseed_init();
	if (ret)
		goto err_generation;

	ret = sysgenid_sources_find(&why);
	/* A node that never changes is worse than none: clients trust it. */
	if (why && !software)
		pr_err("not loaded: %s. Let the hypervisor offer one (QEMU on x86: -device vmgenid), or load with software=1 if an agent triggers the generations.\n",
		       why);
	/* Without memory it is not known whether there is one. */
	if (ret && !(why && software))
		goto err_reseed;
	if (why)
		pr_info("%s: generations come by triggers only\n", why);
	if (software)
		sysgenid.sources |= BIT(SYSGENID_SOURCE_SOFTWARE);
	/* First: the reseeds of the start may be undone, too. */
	if (guard)
		sysgenid_inflight_start();
	sysgenid_generation_start();
	sysgenid_guard_start(guard);
	if (sysgenid_id_present())
		sysgenid_compare_often(sysgenid_sources_listen(sysgenid_compare_soon));

	ret = sysgenid_chardev_init();
	if (ret)
		goto err_sources;

	pr_info("loaded: generation 0; sources:%s%s%s\n",
		sysgenid.sources & BIT(SYSGENID_SOURCE_VMGENID) ? " vmgenid" : "",
		sysgenid.sources & BIT(SYSGENID_SOURCE_VMCLOCK) ? " vmclock" : "",
		software ? " software" : "");
	if (sysgenid_id_present() && !(sysgenid.sources & BIT(SYSGENID_SOURCE_VMGENID)))
		pr_warn("no VM generation id, and the counter of vmclock is the same in all clones: generations come without entropy\n");
	return 0;

err_sources:
	main_stop();
	sysgenid_vmclock_exit();
	sysgenid_id_exit();
err_reseed:
	sysgenid_reseed_exit();
err_generation:
	sysgenid_generation_exit();
err_watchers:
	sysgenid_watchers_exit();
err_state:
	sysgenid_state_exit();
	return ret;
}
module_init(main_init);

static void __exit main_exit(void)
{
	sysgenid_chardev_exit();
	main_stop();
	sysgenid_vmclock_exit();
	sysgenid_id_exit();
	sysgenid_reseed_exit();
	sysgenid_generation_exit();
	sysgenid_watchers_exit();
	sysgenid_state_exit();
}
module_exit(main_exit);

MODULE_DESCRIPTION("System generation: tells programs that this virtual machine was cloned");
MODULE_AUTHOR("The sysgenid authors");
MODULE_VERSION(SYSGENID_VERSION);
MODULE_LICENSE("GPL");
