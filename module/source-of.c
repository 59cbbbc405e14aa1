// SPDX-License-Identifier: GPL-2.0-only
/*
 * The node "microsoft,vmgenid" of a devicetree.
 *
 * Its property "reg" is the place of the id. The interrupt tells of a change, and is
 * shared: the kernel's own driver may be bound to the node. So this module registers
 * no driver.
 */
#include <linux/errno.h>
#include <linux/interrupt.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/of_irq.h>

#include "source.h"

#define OF_COMPATIBLE "microsoft,vmgenid"

static int of_irq;
static void (*of_changed)(void);

/* The first that is not disabled. The caller puts it. */
static struct device_node *of_find_node(void)
{
	struct device_node *node, *first = NULL;
	int others = 0;

	for_each_compatible_node(node, NULL, OF_COMPATIBLE) {
		if (!of_device_is_available(node))
			continue;
		if (first)
			others++;
		else
			first = of_node_get(node);
	}
	if (others)
		pr_warn("%d VM generation ids: using the first\n", others + 1);
	return first;
}

static int of_find(struct sysgenid_place *place, const char **why)
{
	struct device_node *node = of_find_node();
	struct resource resource;

	if (!node)
		return -ENOENT;
	if (of_address_to_resource(node, 0, &resource))
		*why = "the devicetree has no address of the VM generation id";
	/* None, or its controller has no driver yet: then nobody notifies. */
	of_irq = of_irq_get(node, 0);
	of_node_put(node);
	if (*why)
		return -ENODEV;
	place->address = resource.start;
	place->size = resource_size(&resource);
	return 0;
}

/* Others have the same interrupt: each looks for itself what has changed. */
static irqreturn_t of_interrupt(int irq, void *unused)
{
	of_changed();
	return IRQ_HANDLED;
}

static int of_listen(void (*notify)(void))
{
	int ret;

	of_changed = notify;
	if (of_irq <= 0)
		return of_irq ?: -ENXIO;
	ret = request_irq(of_irq, of_interrupt, IRQF_SHARED, KBUILD_MODNAME, &of_irq);
	return ret ?: 1;
}

/* No handler runs when this returns. */
static void of_unlisten(void)
{
	free_irq(of_irq, &of_irq);
}

const struct sysgenid_source sysgenid_source_of = {
	.find = of_find,
	.listen = of_listen,
	.unlisten = of_unlisten,
};

MODULE_ALIAS("of:N*T*C" OF_COMPATIBLE);
MODULE_ALIAS("of:N*T*C" OF_COMPATIBLE "C*");
