// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hooks of the gate: on every device that leads out of the machine, in whatever
 * network namespace it is or comes to be. Traffic inside the machine passes.
 *
 * Kernels without a hook of the device on the way out (before 5.16) have hooks of IP
 * instead, by the device that a packet takes. Packet sockets and ARP go past these.
 */
#include <linux/if_arp.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "gate.h"
#include "sysgenid.h"

/* Like NF_DROP; but a sender finds the link busy, and TCP tries again soon. */
#define HOOKS_DROP NF_DROP_ERR(-ENOBUFS)

struct sysgenid_hooks sysgenid_hooks;

/* A device that leads out. */
struct hooks_device {
	struct list_head list;
	struct net_device *dev;
	struct nf_hook_ops in;
	struct nf_hook_ops out;
};

static LIST_HEAD(hooks_devices); /* guarded by RTNL */

/* In the hooks themselves: a packet that passes makes no call. */
static __always_inline bool hooks_open(void)
{
	const struct sysgenid_opening *opening = rcu_dereference(sysgenid_hooks.opening);

	if (!opening || sysgenid_id_differs(&opening->ids))
		return false;
	if (opening->triggers_pass)
		return opening->moves == READ_ONCE(sysgenid.moves);
	return opening->published == READ_ONCE(sysgenid.published) &&
	       opening->generation == sysgenid_generation();
}

/*
 * sysgenid_hooks_open - is the gate open for what the machine is now?
 *
 * Caller is in a section of RCU.
 */
bool sysgenid_hooks_open(void)
{
	return hooks_open();
}

/* Behind a parent is hardware, or what the hypervisor gives out for it. */
static bool hooks_leads_out(const struct net_device *dev)
{
	switch (dev->type) {
	case ARPHRD_PPP:
	case ARPHRD_SLIP:
	case ARPHRD_CSLIP:
	case ARPHRD_SLIP6:
	case ARPHRD_CSLIP6:
	case ARPHRD_ADAPT:
		return true;
	}
	return dev->dev.parent;
}

/* While the gate is shut. Not inline, so that an open one needs no registers of it. */
static noinline unsigned int hooks_shut(struct sk_buff *skb, const struct net_device *dev,
					const struct net *net, atomic64_t *dropped)
{
	const struct sysgenid_except *except = rcu_dereference(sysgenid_hooks.except);

	if (sysgenid_except_device(except, dev) || sysgenid_except_packet(except, skb, net))
		return NF_ACCEPT;
	atomic64_inc(dropped);
	return HOOKS_DROP;
}

static unsigned int hooks_in(void *unused, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (likely(hooks_open()))
		return NF_ACCEPT;
	return hooks_shut(skb, state->in, state->net, &sysgenid_hooks.dropped_in);
}

#ifdef CONFIG_NETFILTER_EGRESS
static unsigned int hooks_out(void *unused, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (likely(hooks_open()))
		return NF_ACCEPT;
	return hooks_shut(skb, state->out, state->net, &sysgenid_hooks.dropped_out);
}

static int hooks_add_out(struct hooks_device *device)
{
	device->out = device->in;
	device->out.hook = hooks_out;
	device->out.hooknum = NF_NETDEV_EGRESS;
	return nf_register_net_hook(dev_net(device->dev), &device->out);
}

static void hooks_remove_out(struct hooks_device *device)
{
	nf_unregister_net_hook(dev_net(device->dev), &device->out);
}

static int hooks_start_ip(void)
{
	return 0;
}

static void hooks_stop_ip(void)
{
}
#else
static int hooks_shuts(struct net_device *dev, struct netdev_nested_priv *unused)
{
	return hooks_leads_out(dev) &&
	       !sysgenid_except_device(rcu_dereference(sysgenid_hooks.except), dev);
}

/* To IP the device is the bridge, VLAN or bond that lies on top. */
static bool hooks_any_below_shuts(struct net_device *dev)
{
	struct netdev_nested_priv unused = {};

	return hooks_shuts(dev, &unused) ||
	       netdev_walk_all_lower_dev_rcu(dev, hooks_shuts, &unused);
}

static unsigned int hooks_ip_out(void *unused, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	if (likely(hooks_open()) || !hooks_any_below_shuts(state->out) ||
	    sysgenid_except_packet(rcu_dereference(sysgenid_hooks.except), skb, state->net))
		return NF_ACCEPT;
	atomic64_inc(&sysgenid_hooks.dropped_out);
	return HOOKS_DROP;
}

static const struct nf_hook_ops hooks_ip = {
	.hook = hooks_ip_out,
	.pf = NFPROTO_INET,
	.hooknum = NF_INET_POST_ROUTING,
	.priority = NF_IP_PRI_FIRST,
};

static int __net_init hooks_init_net(struct net *net)
{
	return nf_register_net_hook(net, &hooks_ip);
}

static void __net_exit hooks_exit_net(struct net *net)
{
	nf_unregister_net_hook(net, &hooks_ip);
}

static struct pernet_operations hooks_nets = {
	.init = hooks_init_net,
	.exit = hooks_exit_net,
};

static int hooks_add_out(struct hooks_device *device)
{
	return 0;
}

static void hooks_remove_out(struct hooks_device *device)
{
}

static int hooks_start_ip(void)
{
	return register_pernet_subsys(&hooks_nets);
}

static void hooks_stop_ip(void)
{
	unregister_pernet_subsys(&hooks_nets);
}
#endif

static struct hooks_device *hooks_find(const struct net_device *dev)
{
	struct hooks_device *device;

	list_for_each_entry(device, &hooks_devices, list)
		if (device->dev == dev)
			return device;
	return NULL;
}

/* Before conntrack, and before every rule of nftables. */
static int hooks_add(struct net_device *dev)
{
	struct hooks_device *device;
	int ret;

	if (!hooks_leads_out(dev) || hooks_find(dev))
		return 0;
	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	device->dev = dev;
	device->in.hook = hooks_in;
	device->in.dev = dev;
	device->in.pf = NFPROTO_NETDEV;
	device->in.hooknum = NF_NETDEV_INGRESS;
	device->in.priority = NF_IP_PRI_FIRST;

	ret = nf_register_net_hook(dev_net(dev), &device->in);
	if (ret)
		goto err_free;
	ret = hooks_add_out(device);
	if (ret)
		goto err_in;
	list_add(&device->list, &hooks_devices);
	WRITE_ONCE(sysgenid_hooks.devices, sysgenid_hooks.devices + 1);
	return 0;

err_in:
	nf_unregister_net_hook(dev_net(dev), &device->in);
err_free:
	kfree(device);
	return ret;
}

static void hooks_remove(struct net_device *dev)
{
	struct hooks_device *device = hooks_find(dev);

	if (!device)
		return;
	hooks_remove_out(device);
	nf_unregister_net_hook(dev_net(dev), &device->in);
	list_del(&device->list);
	kfree(device);
	WRITE_ONCE(sysgenid_hooks.devices, sysgenid_hooks.devices - 1);
}

/*
 * A device that moves to another namespace is unregistered in one, and registered in
 * the other. That the latter failed is nobody's business then, so such a device does
 * not come up.
 */
static int hooks_notify(struct notifier_block *nb, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);

	switch (event) {
	case NETDEV_REGISTER:
	case NETDEV_PRE_UP:
		return notifier_from_errno(hooks_add(dev));
	case NETDEV_UNREGISTER:
		hooks_remove(dev);
	}
	return NOTIFY_DONE;
}

static struct notifier_block hooks_notifier = { .notifier_call = hooks_notify };

/*
 * The notifier is called for every device that is there already, too. When this
 * returns, every packet is looked at.
 */
int sysgenid_hooks_start(void)
{
	int ret = hooks_start_ip();

	if (ret)
		return ret;
	ret = register_netdevice_notifier(&hooks_notifier);
	if (ret)
		hooks_stop_ip();
	synchronize_rcu();
	return ret;
}

/* No packet is looked at any more when this returns. */
void sysgenid_hooks_stop(void)
{
	unregister_netdevice_notifier(&hooks_notifier);
	hooks_stop_ip();
	synchronize_rcu();
}
