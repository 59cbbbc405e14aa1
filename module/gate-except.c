// SPDX-License-Identifier: GPL-2.0-only
/*
 * What passes while the gate is shut: devices and marks of the initial network
 * namespace, and what a filter takes. Programs translate an expression of
 * pcap-filter(7) into the filter.
 */
#include <linux/err.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/net_namespace.h>

#include "gate.h"

/* @filter: NULL: none. */
struct sysgenid_except {
	struct bpf_prog *filter;
	u32 filter_len;
	u32 mark_count;
	u32 device_count;
	u32 marks[SYSGENID_GATE_MAX];
	char devices[SYSGENID_GATE_MAX][IFNAMSIZ];
};

static int except_read_filter(struct sysgenid_except *except, const struct sysgenid_gate_args *arg)
{
	struct sock_fprog program = { .filter = u64_to_user_ptr(arg->filter) };

	if (!arg->filter_len)
		return 0;
	if (arg->filter_len > BPF_MAXINSNS)
		return -EINVAL;
	program.len = arg->filter_len;
	except->filter_len = arg->filter_len;
	return bpf_prog_create_from_user(&except->filter, &program, NULL, false);
}

static int except_read_lists(struct sysgenid_except *except, const struct sysgenid_gate_args *arg)
{
	int i;

	except->device_count = arg->device_count;
	except->mark_count = arg->mark_count;
	if (copy_from_user(except->devices, u64_to_user_ptr(arg->devices),
			   arg->device_count * sizeof(except->devices[0])) ||
	    copy_from_user(except->marks, u64_to_user_ptr(arg->marks),
			   arg->mark_count * sizeof(except->marks[0])))
		return -EFAULT;
	for (i = 0; i < arg->device_count; i++)
		if (except->devices[i][IFNAMSIZ - 1] || !dev_valid_name(except->devices[i]))
			return -EINVAL;
	return 0;
}

/*
 * sysgenid_except_read - the exceptions that a call names
 *
 * Return: 0, -EINVAL, -EFAULT or -ENOMEM. @except comes back as NULL if there are none.
 */
int sysgenid_except_read(const struct sysgenid_gate_args *arg, struct sysgenid_except **except)
{
	struct sysgenid_except *new;
	int ret;

	*except = NULL;
	if (arg->device_count > SYSGENID_GATE_MAX || arg->mark_count > SYSGENID_GATE_MAX)
		return -EINVAL;
	if (!arg->device_count && !arg->mark_count && !arg->filter_len)
		return 0;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	ret = except_read_lists(new, arg) ?: except_read_filter(new, arg);
	if (ret)
		kfree(new);
	else
		*except = new;
	return ret;
}

/* No packet is compared with it any more. */
void sysgenid_except_free(struct sysgenid_except *except)
{
	if (except && except->filter)
		bpf_prog_destroy(except->filter);
	kfree(except);
}

void sysgenid_except_count(const struct sysgenid_except *except, struct sysgenid_gate_args *arg)
{
	arg->device_count = except ? except->device_count : 0;
	arg->mark_count = except ? except->mark_count : 0;
	arg->filter_len = except ? except->filter_len : 0;
}

/* Names and marks are those of the initial namespace: in others everybody makes devices. */
bool sysgenid_except_device(const struct sysgenid_except *except, const struct net_device *dev)
{
	int i;

	if (!except || !net_eq(dev_net(dev), &init_net))
		return false;
	for (i = 0; i < except->device_count; i++)
		if (!strncmp(except->devices[i], dev->name, IFNAMSIZ))
			return true;
	return false;
}

static bool except_has_mark(const struct sysgenid_except *except, u32 mark)
{
	int i;

	for (i = 0; i < except->mark_count; i++)
		if (except->marks[i] == mark)
			return true;
	return false;
}

/* Who does not find the neighbour reaches nobody. */
static bool except_is_discovery(const struct sk_buff *skb, __be16 protocol)
{
	int offset = skb_network_offset(skb);
	struct ipv6hdr header_copy;
	const struct ipv6hdr *header;
	const u8 *type;
	u8 type_copy;

	if (protocol == htons(ETH_P_ARP))
		return true;
	if (protocol != htons(ETH_P_IPV6))
		return false;
	header = skb_header_pointer(skb, offset, sizeof(header_copy), &header_copy);
	if (!header || header->nexthdr != NEXTHDR_ICMP || header->hop_limit != 255)
		return false;
	type = skb_header_pointer(skb, offset + sizeof(*header), sizeof(type_copy), &type_copy);
	return type &&
	       (*type == NDISC_NEIGHBOUR_SOLICITATION || *type == NDISC_NEIGHBOUR_ADVERTISEMENT);
}

/* The filter counts from the header of IP; on the way out that of the link stands before. */
static bool except_filter_takes(struct bpf_prog *filter, struct sk_buff *skb)
{
	int offset = skb_network_offset(skb);
	bool takes;

	if (offset < 0 || offset > skb_headlen(skb))
		return false;
	__skb_pull(skb, offset);
	takes = bpf_prog_run_pin_on_cpu(filter, skb);
	__skb_push(skb, offset);
	return takes;
}

/* Whatever device the packet takes. @net: of the device. Caller is in a section of RCU. */
bool sysgenid_except_packet(const struct sysgenid_except *except, struct sk_buff *skb,
			    const struct net *net)
{
	__be16 protocol;
	bool marks;

	if (!except)
		return false;
	protocol = skb_protocol(skb, true);
	marks = except->mark_count && net_eq(net, &init_net);
	if (marks && except_has_mark(except, skb->mark))
		return true;
	if ((marks || except->filter) && except_is_discovery(skb, protocol))
		return true;
	return except->filter && (protocol == htons(ETH_P_IP) || protocol == htons(ETH_P_IPV6)) &&
	       except_filter_takes(except->filter, skb);
}
