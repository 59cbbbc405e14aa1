// SPDX-License-Identifier: MIT
/* SYSGENID_GATE: what it answers, and every errno. Packets are for tests/vm/test_gate.py. */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <linux/filter.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "conformance.h"

static int operate(int fd, uint32_t operation, struct sysgenid_gate_args *arg)
{
	arg->size = sizeof(*arg);
	arg->operation = operation;
	return ioctl(fd, SYSGENID_GATE, arg);
}

static int plain(int fd, uint32_t operation, struct sysgenid_gate_args *arg)
{
	memset(arg, 0, sizeof(*arg));
	return operate(fd, operation, arg);
}

static int arm(int fd, uint32_t flags, struct sysgenid_gate_args *arg)
{
	*arg = (struct sysgenid_gate_args){ .flags = flags };
	return operate(fd, SYSGENID_GATE_ARM, arg);
}

static int open_for(int fd, uint32_t generation, struct sysgenid_gate_args *arg)
{
	*arg = (struct sysgenid_gate_args){ .generation = generation };
	return operate(fd, SYSGENID_GATE_OPEN, arg);
}

static void need_gate(int fd)
{
	struct sysgenid_gate_args arg;
	struct sysgenid_get_args answer;

	EXPECT_EQ(0, get(fd, &answer));
	if (!(answer.features & SYSGENID_FEATURE_GATE)) {
		EXPECT_ERR(EOPNOTSUPP, plain(fd, SYSGENID_GATE_GET, &arg));
		EXPECT_ERR(EOPNOTSUPP, arm(fd, 0, &arg));
		skip("this kernel has no CONFIG_NETFILTER_INGRESS");
	}
	EXPECT_EQ(0, plain(fd, SYSGENID_GATE_GET, &arg));
	EXPECT_EQ(SYSGENID_GATE_DISARMED, arg.state);
	if (arg.flags & SYSGENID_GATE_OFF) {
		EXPECT_ERR(EPERM, arm(fd, 0, &arg));
		EXPECT_EQ(SYSGENID_GATE_DISARMED, arg.state);
		skip("gate=off");
	}
	if (!(answer.features & SYSGENID_FEATURE_TRUTHFUL)) {
		EXPECT_ERR(EOPNOTSUPP, arm(fd, 0, &arg));
		EXPECT_ERR(EOPNOTSUPP,
			   arm(fd, SYSGENID_GATE_TRIGGERS_PASS, &arg));
	}
}

static void expect_state(int fd, uint32_t state, uint32_t reason)
{
	struct sysgenid_gate_args arg;

	EXPECT_EQ(0, plain(fd, SYSGENID_GATE_GET, &arg));
	EXPECT_EQ(state, arg.state);
	EXPECT_EQ(reason, arg.reason);
	EXPECT_EQ(current_generation(), arg.generation);
}

void gate_states(void)
{
	int fd = open_ro(), other = open_ro();
	struct sysgenid_gate_args arg;
	uint32_t now = current_generation();

	need_gate(fd);
	EXPECT_ERR(ENOTCONN, plain(fd, SYSGENID_GATE_SHUT, &arg));
	EXPECT_ERR(ENOTCONN, open_for(fd, now, &arg));
	EXPECT_EQ(0, plain(fd, SYSGENID_GATE_DISARM, &arg));

	EXPECT_EQ(0, arm(fd, SYSGENID_GATE_WITHOUT_ID, &arg));
	EXPECT_EQ(SYSGENID_GATE_IS_SHUT, arg.state);
	EXPECT_EQ(SYSGENID_GATE_WITHOUT_ID, arg.flags & ~SYSGENID_GATE_IP_ONLY);
	EXPECT_EQ(0, arg.dropped_in + arg.dropped_out);
	/* The state is the kernel's, not that of the open file. */
	close(fd);
	expect_state(other, SYSGENID_GATE_IS_SHUT, SYSGENID_GATE_WHY_ARMED);

	EXPECT_ERR(ESTALE, open_for(other, now + 1, &arg));
	EXPECT_EQ(now, arg.generation);
	EXPECT_EQ(SYSGENID_GATE_IS_SHUT, arg.state);
	EXPECT_EQ(0, open_for(other, now, &arg));
	EXPECT_EQ(now, arg.opened);
	expect_state(other, SYSGENID_GATE_IS_OPEN, SYSGENID_GATE_WHY_NONE);
	EXPECT_EQ(0, open_for(other, now, &arg));

	/* Arming again leaves it open. */
	EXPECT_EQ(0, arm(other, SYSGENID_GATE_WITHOUT_ID, &arg));
	EXPECT_EQ(SYSGENID_GATE_IS_OPEN, arg.state);

	EXPECT_EQ(0, plain(other, SYSGENID_GATE_SHUT, &arg));
	expect_state(other, SYSGENID_GATE_IS_SHUT, SYSGENID_GATE_WHY_CALL);
	EXPECT_EQ(0, open_for(other, now, &arg));
	EXPECT_EQ(0, plain(other, SYSGENID_GATE_DISARM, &arg));
	expect_state(other, SYSGENID_GATE_DISARMED, SYSGENID_GATE_WHY_NONE);
	EXPECT_EQ(0, plain(other, SYSGENID_GATE_DISARM, &arg));
}

void gate_and_generations(void)
{
	const uint32_t passes = SYSGENID_GATE_WITHOUT_ID |
				SYSGENID_GATE_TRIGGERS_PASS;
	struct sysgenid_gate_args arg;
	int fd = open_ro();

	need_gate(fd);
	EXPECT_EQ(0, arm(fd, SYSGENID_GATE_WITHOUT_ID, &arg));
	EXPECT_EQ(0, open_for(fd, current_generation(), &arg));
	trigger();
	expect_state(fd, SYSGENID_GATE_IS_SHUT, SYSGENID_GATE_WHY_GENERATION);
	EXPECT_ERR(ESTALE, open_for(fd, arg.opened, &arg));
	EXPECT_EQ(0, open_for(fd, current_generation(), &arg));

	/* The flags hold from the next opening on. */
	EXPECT_EQ(0, arm(fd, passes, &arg));
	trigger();
	expect_state(fd, SYSGENID_GATE_IS_SHUT, SYSGENID_GATE_WHY_GENERATION);
	EXPECT_EQ(0, open_for(fd, current_generation(), &arg));
	trigger();
	expect_state(fd, SYSGENID_GATE_IS_OPEN, SYSGENID_GATE_WHY_NONE);
	EXPECT_EQ(0, plain(fd, SYSGENID_GATE_DISARM, &arg));

	/* In one step. */
	arg = (struct sysgenid_gate_args){
		.flags = SYSGENID_GATE_WITHOUT_ID | SYSGENID_GATE_AT_ONCE,
		.generation = current_generation() + 1,
	};
	EXPECT_ERR(ESTALE, operate(fd, SYSGENID_GATE_ARM, &arg));
	EXPECT_EQ(SYSGENID_GATE_DISARMED, arg.state);
	arg = (struct sysgenid_gate_args){
		.flags = SYSGENID_GATE_WITHOUT_ID | SYSGENID_GATE_AT_ONCE,
		.generation = current_generation(),
	};
	EXPECT_EQ(0, operate(fd, SYSGENID_GATE_ARM, &arg));
	EXPECT_EQ(SYSGENID_GATE_IS_OPEN, arg.state);
	EXPECT_EQ(0, arg.flags & SYSGENID_GATE_AT_ONCE);
	EXPECT_EQ(0, plain(fd, SYSGENID_GATE_DISARM, &arg));
}

void gate_arguments(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 1),
			   bad = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	const struct sysgenid_gate_args good = {
		.flags = SYSGENID_GATE_WITHOUT_ID,
		.devices = (uintptr_t)(char[2][IFNAMSIZ]){ "eth0", "ens3" },
		.device_count = 2,
		.marks = (uintptr_t)(uint32_t[1]){ 7 },
		.mark_count = 1,
		.filter = (uintptr_t)&all,
		.filter_len = 1,
	};
	struct sysgenid_gate_args arg = { .size = sizeof(arg) };
	char names[4][IFNAMSIZ] = { "", "a/b", "a b" };
	int fd = open_ro();

	need_gate(fd);
	memset(names[3], 'x', IFNAMSIZ);
	for (int i = 0; i < 4; i++) {
		arg = good;
		arg.devices = (uintptr_t)names[i];
		arg.device_count = 1;
		EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_ARM, &arg));
	}
	arg = good;
	arg.filter = (uintptr_t)&bad;
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_ARM, &arg));
	arg.filter_len = BPF_MAXINSNS + 1;
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_ARM, &arg));
	/* More than a program of the kernel has a length for. */
	arg.filter_len = 65537;
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_ARM, &arg));
	arg = good;
	arg.device_count = SYSGENID_GATE_MAX + 1;
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_ARM, &arg));
	arg = good;
	arg.mark_count = SYSGENID_GATE_MAX + 1;
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_ARM, &arg));
	arg = good;
	arg.flags |= SYSGENID_GATE_OFF;
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_ARM, &arg));
	arg = good;
	arg.reserved = 1;
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_ARM, &arg));
	arg = good;
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_OPEN + 1, &arg));
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_GET, &arg));
	for (int i = 0; i < 3; i++) {
		arg = good;
		*(uint64_t *[]){ (uint64_t *)&arg.devices,
				 (uint64_t *)&arg.marks,
				 (uint64_t *)&arg.filter }[i] =
			(uintptr_t)nowhere;
		EXPECT_ERR(EFAULT, operate(fd, SYSGENID_GATE_ARM, &arg));
	}
	expect_state(fd, SYSGENID_GATE_DISARMED, SYSGENID_GATE_WHY_NONE);

	arg = good;
	EXPECT_EQ(0, operate(fd, SYSGENID_GATE_ARM, &arg));
	EXPECT_EQ(2, arg.device_count);
	EXPECT_EQ(1, arg.mark_count);
	EXPECT_EQ(1, arg.filter_len);
	/* A wrong one takes nothing away. */
	arg = good;
	arg.filter = (uintptr_t)&bad;
	EXPECT_ERR(EINVAL, operate(fd, SYSGENID_GATE_ARM, &arg));
	EXPECT_EQ(0, plain(fd, SYSGENID_GATE_GET, &arg));
	EXPECT_EQ(1, arg.filter_len);
	EXPECT_EQ(0, arm(fd, SYSGENID_GATE_WITHOUT_ID, &arg));
	EXPECT_EQ(0, arg.device_count + arg.mark_count + arg.filter_len);
	EXPECT_EQ(0, plain(fd, SYSGENID_GATE_DISARM, &arg));
}

/* Sets the effective capabilities, and no others. */
static void be_capable_of(uint64_t mask)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)mask, .permitted = ~0u },
		{ .effective = (uint32_t)(mask >> 32), .permitted = ~0u },
	};
	struct __user_cap_data_struct now[2];

	EXPECT_EQ(0, syscall(SYS_capget, &head, now));
	for (int i = 0; i < 2; i++)
		data[i].permitted = now[i].permitted;
	EXPECT_EQ(0, syscall(SYS_capset, &head, data));
}

static void in_user_namespace(void)
{
	struct sysgenid_gate_args arg;

	EXPECT_ERR(EACCES, arm(open_ro(), SYSGENID_GATE_WITHOUT_ID, &arg));
}

void gate_permissions(void)
{
	const uint64_t net = 1ULL << CAP_NET_ADMIN,
		       trigger = 1ULL << CAP_CHECKPOINT_RESTORE;
	struct sysgenid_gate_args arg;
	int fd = open_rw();

	need_gate(fd);
	be_capable_of(net);
	EXPECT_ERR(EACCES, arm(fd, SYSGENID_GATE_WITHOUT_ID, &arg));
	be_capable_of(trigger);
	EXPECT_ERR(EACCES, arm(fd, SYSGENID_GATE_WITHOUT_ID, &arg));
	be_capable_of(net | trigger);
	EXPECT_EQ(0, arm(fd, SYSGENID_GATE_WITHOUT_ID, &arg));
	be_capable_of(net);
	EXPECT_ERR(EACCES, open_for(fd, current_generation(), &arg));
	EXPECT_ERR(EACCES, plain(fd, SYSGENID_GATE_SHUT, &arg));
	EXPECT_ERR(EACCES, plain(fd, SYSGENID_GATE_DISARM, &arg));
	be_capable_of(net | trigger);
	EXPECT_EQ(0, plain(fd, SYSGENID_GATE_DISARM, &arg));
	be_capable_of(~0ULL >> (63 - CAP_LAST_CAP));
	run_in_user_namespace(0, "0 0 1", in_user_namespace);
	drop_to(65534);
	EXPECT_EQ(0, plain(fd, SYSGENID_GATE_GET, &arg));
	EXPECT_ERR(EACCES, arm(fd, SYSGENID_GATE_WITHOUT_ID, &arg));
}
