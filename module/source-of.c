// SPDX-License-Identifier: GPL-2.0-only
/*
 * A node of a devicetree, as "microsoft,vmgenid".
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

/* The first that is not disabled. The caller puts it. */
static struct device_node *of_find_node(const char *compatible)
{
	struct device_node *node, *first = NULL;
	int others = 0;

	for_each_compatible_node(node, NULL, compatible) {
		if (!of_device_is_available(node))
			continue;
		if (first)
			others++;
		else
			first = of_node_get(node);
	}
	if (others)
		pr_warn("%d nodes %s: using the first\n", others + 1, compatible);
	return first;
}

int sysgenid_of_find(struct sysgenid_source *s, struct sysgenid_place *place, const char **why)
{
	struct device_node *node = of_find_node(s->name);
	struct resource resource;
	int ret;

	if (!node)
		return -ENOENT;
	ret = of_address_to_resource(node, 0, &resource);
	/* None, or its controller has no driver yet: then nobody notifies. */
	s->irq = of_irq_get(node, 0);
	of_node_put(node);
	if (ret) {
		*why = "the devicetree has no address of the id";
		return -ENODEV;
	}
	place->address = resource.start;
	place->size = resource_size(&resource);
	return 0;
}

/* Others have the same interrupt: each looks for itself what has changed. */
static irqreturn_t of_interrupt(int irq, void *source)
{
	((struct sysgenid_source *)source)->notify();
	return IRQ_HANDLED;
}

int sysgenid_of_listen(struct sysgenid_source *s)
{
	int ret;

	if (s->irq <= 0)
		return s->irq ?: -ENXIO;
	ret = request_irq(s->irq, of_interrupt, IRQF_SHARED, KBUILD_MODNAME, s);
	return ret ?: 1;
}

/* No handler runs when this returns. */
void sysgenid_of_unlisten(struct sysgenid_source *s)
{
	free_irq(s->irq, s);
}

struct sysgenid_source sysgenid_source_of = {
	.name = "microsoft,vmgenid",
	.find = sysgenid_of_find,
	.listen = sysgenid_of_listen,
	.unlisten = sysgenid_of_unlisten,
};

MODULE_ALIAS("of:N*T*Cmicrosoft,vmgenid");
MODULE_ALIAS("of:N*T*Cmicrosoft,vmgenidC*");
