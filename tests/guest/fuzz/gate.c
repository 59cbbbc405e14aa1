// SPDX-License-Identifier: MIT
/* SYSGENID_GATE: every operation, with exceptions that are none. No packet is sent. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

enum { AT = 0x400, NAMES_AT = 0x2000, MARKS_AT = 0x2400, FILTER_AT = 0x2800 };
enum { LONGEST = 3, ARM_FLAGS = 7 };

struct filter {
	bool valid;
	uint32_t length;
	struct sock_filter program[LONGEST];
};

static const struct filter filters[] = {
	{ true, 1, { BPF_STMT(BPF_RET | BPF_K, 1) } },
	{ true,
	  3,
	  { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 2),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 40, 0, 0),
	    BPF_STMT(BPF_RET | BPF_A, 0) } },
	{ false, 1, { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0) } },
	{ false,
	  2,
	  { BPF_JUMP(BPF_JMP | BPF_JA, 7, 0, 0),
	    BPF_STMT(BPF_RET | BPF_K, 1) } },
	{ false,
	  2,
	  { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, 1) } },
	{ false, 1, { BPF_STMT(0xffff, 0) } },
	/* Not there, or longer than a program may be. */
	{ false, BPF_MAXINSNS, { { 0 } } },
	{ false, BPF_MAXINSNS + 1, { { 0 } } },
	{ false, 65537, { { 0 } } },
	{ false, UINT32_MAX, { { 0 } } },
};

static const char names[][IFNAMSIZ] = {
	"eth0", "ens3", "lo", "enp0s31f6-12345", "a/b", "a:b", "a b",
	"",	".",	"..",
};

static const uint32_t counts[] = {
	0, 0, 0, 0, 1, 2, SYSGENID_GATE_MAX, SYSGENID_GATE_MAX + 1, UINT32_MAX,
};

static bool names_are_valid(const char list[][IFNAMSIZ], uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const char *name = list[i];
		size_t len = strnlen(name, IFNAMSIZ);

		if (!len || len == IFNAMSIZ || name[IFNAMSIZ - 1] ||
		    !strcmp(name, ".") || !strcmp(name, ".."))
			return false;
		for (size_t k = 0; k < len; k++)
			/* The kernel's isspace() has a no-break space, too. */
			if (strchr("/: \t\n\v\f\r\xa0", name[k]))
				return false;
	}
	return true;
}

/* Whatever is in memory; -ENODATA: not what was put there, so that nothing is known. */
static long model_filter(struct world *w, const struct sysgenid_gate_args *arg,
			 const struct filter *f)
{
	struct sock_filter found[LONGEST];

	if (!arg->filter_len)
		return 0;
	if (arg->filter_len > BPF_MAXINSNS || !arg->filter)
		return -EINVAL;
	if (!can_read(w, arg->filter, arg->filter_len * sizeof(found[0])))
		return -EFAULT;
	if (arg->filter_len != f->length || f->length > LONGEST)
		return -ENODATA;
	image_get(w, arg->filter, found, f->length * sizeof(found[0]));
	if (memcmp(found, f->program, f->length * sizeof(found[0])))
		return -ENODATA;
	return f->valid ? 0 : -EINVAL;
}

static long model_exceptions(struct world *w,
			     const struct sysgenid_gate_args *arg,
			     const struct filter *f)
{
	char list[SYSGENID_GATE_MAX][IFNAMSIZ];

	if (arg->device_count > SYSGENID_GATE_MAX ||
	    arg->mark_count > SYSGENID_GATE_MAX)
		return -EINVAL;
	if (!can_read(w, arg->devices, arg->device_count * sizeof(list[0])) ||
	    !can_read(w, arg->marks, arg->mark_count * sizeof(uint32_t)))
		return -EFAULT;
	image_get(w, arg->devices, list, arg->device_count * sizeof(list[0]));
	if (!names_are_valid(list, arg->device_count))
		return -EINVAL;
	return model_filter(w, arg, f);
}

static bool is_valid(const struct sysgenid_gate_args *arg)
{
	if (arg->operation > SYSGENID_GATE_OPEN || arg->reserved)
		return false;
	if (arg->operation == SYSGENID_GATE_ARM)
		return !(arg->flags & ~(uint32_t)ARM_FLAGS);
	return !arg->flags && !arg->device_count && !arg->mark_count &&
	       !arg->filter_len;
}

static long model_open(struct world *w, uint32_t generation, uint32_t flags)
{
	struct gate *gate = &w->gate;

	if (generation != w->generation)
		return -ESTALE;
	gate->opening = gate->was_open = true;
	gate->opened = generation;
	gate->opened_at = w->published;
	gate->triggers_pass = flags & SYSGENID_GATE_TRIGGERS_PASS;
	return 0;
}

static long model_arm(struct world *w, const struct sysgenid_gate_args *arg)
{
	struct gate *gate = &w->gate;
	long ret = 0;

	if (!(w->features & SYSGENID_FEATURE_TRUTHFUL) &&
	    !(arg->flags & SYSGENID_GATE_WITHOUT_ID))
		return -EOPNOTSUPP;
	if (arg->flags & SYSGENID_GATE_AT_ONCE)
		ret = model_open(w, arg->generation, arg->flags);
	if (ret)
		return ret;
	gate->armed = true;
	gate->flags = arg->flags & ~(uint32_t)SYSGENID_GATE_AT_ONCE;
	gate->devices = arg->device_count;
	gate->marks = arg->mark_count;
	gate->filter_len = arg->filter_len;
	return 0;
}

static long model_do(struct world *w, const struct sysgenid_gate_args *arg)
{
	struct gate *gate = &w->gate;

	switch (arg->operation) {
	case SYSGENID_GATE_GET:
		return 0;
	case SYSGENID_GATE_ARM:
		return model_arm(w, arg);
	case SYSGENID_GATE_DISARM:
		*gate = (struct gate){ .kernel_flags = gate->kernel_flags };
		return 0;
	}
	if (!gate->armed)
		return -ENOTCONN;
	if (arg->operation == SYSGENID_GATE_OPEN)
		return model_open(w, arg->generation, gate->flags);
	gate->opening = false;
	return 0;
}

static bool is_open(const struct world *w)
{
	const struct gate *gate = &w->gate;

	return gate->armed && gate->opening &&
	       (gate->triggers_pass || gate->opened_at == w->published);
}

/* No device of the machine leads out, and so no packet is dropped. */
static void model_tell(const struct world *w, struct sysgenid_gate_args *arg)
{
	const struct gate *gate = &w->gate;

	arg->flags = gate->flags | gate->kernel_flags;
	arg->generation = w->generation;
	arg->opened = gate->opened;
	arg->device_count = gate->devices;
	arg->mark_count = gate->marks;
	arg->filter_len = gate->filter_len;
	arg->hooked = 0;
	arg->dropped_in = arg->dropped_out = 0;
	arg->state = SYSGENID_GATE_IS_SHUT;
	arg->reason = SYSGENID_GATE_WHY_NONE;
	if (!gate->armed)
		arg->state = SYSGENID_GATE_DISARMED;
	else if (is_open(w))
		arg->state = SYSGENID_GATE_IS_OPEN;
	else if (gate->opening)
		arg->reason = SYSGENID_GATE_WHY_GENERATION;
	else
		arg->reason = gate->was_open ? SYSGENID_GATE_WHY_CALL :
					       SYSGENID_GATE_WHY_ARMED;
}

/* What an error other than EINVAL and EFAULT comes with is the state, too. */
static long model_call(struct world *w, struct sysgenid_gate_args *arg,
		       const struct filter *f)
{
	long ret = 0;

	if (!(w->features & SYSGENID_FEATURE_GATE))
		return -EOPNOTSUPP;
	if (!is_valid(arg))
		return -EINVAL;
	if (arg->operation == SYSGENID_GATE_ARM)
		ret = model_exceptions(w, arg, f);
	if (ret)
		return ret;
	ret = model_do(w, arg);
	model_tell(w, arg);
	return ret;
}

static uint32_t operation_of(uint32_t raw)
{
	static const uint32_t operations[] = {
		SYSGENID_GATE_ARM,    SYSGENID_GATE_OPEN, SYSGENID_GATE_GET,
		SYSGENID_GATE_DISARM, SYSGENID_GATE_SHUT, SYSGENID_GATE_ARM,
		SYSGENID_GATE_OPEN,
	};

	return raw % 8 == 7 ? raw >> 3 : operations[raw % 8];
}

/* Mostly what its operation takes. */
static void choose(const struct world *w, const struct op *op,
		   const struct filter *f, struct sysgenid_gate_args *arg)
{
	const uint32_t what = op->a[3], lists = op->a[5] >> 3;

	arg->operation = operation_of(what);
	arg->generation = near(w, (what >> 9) + 6);
	if (arg->operation != SYSGENID_GATE_ARM && (what >> 6 & 7) != 7)
		return;
	arg->flags = (what >> 6 & 7) == 7 ? what >> 3 : what >> 3 & ARM_FLAGS;
	arg->device_count = counts[lists % 9];
	arg->mark_count = counts[lists / 9 % 9];
	arg->filter_len = lists / 81 % 3 ? 0 : f->length;
	arg->reserved = what >> 27 == 31;
	arg->devices = place(w, op->a[4], NAMES_AT);
	arg->marks = place(w, op->a[4] >> 8, MARKS_AT);
	arg->filter = place(w, op->a[4] >> 16, FILTER_AT);
}

static void put_exceptions(struct world *w, const struct op *op,
			   const struct filter *f,
			   const struct sysgenid_gate_args *arg)
{
	const uint32_t some = op->a[4] >> 6;
	char list[SYSGENID_GATE_MAX][IFNAMSIZ] = { 0 };

	for (uint32_t i = 0; i < SYSGENID_GATE_MAX; i++)
		memcpy(list[i], names[i % 4], IFNAMSIZ);
	if (some % 4 == 3)
		memcpy(list[some / 4 % 2],
		       names[some / 8 % (sizeof(names) / sizeof(names[0]))],
		       IFNAMSIZ);
	put(w, arg->devices, list, sizeof(list));
	put(w, arg->marks, &some, sizeof(some));
	put(w, arg->filter, f->program, sizeof(f->program));
}

/* slot, where, size, operation and flags and generation, exceptions; last their numbers and the size in the command */
void op_gate(struct world *w, const struct op *op)
{
	const struct filter *f =
		&filters[(op->a[5] >> 3) / 243 %
			 (sizeof(filters) / sizeof(filters[0]))];
	struct slot *s = slot(w, op->a[0]);
	struct sysgenid_gate_args arg = { 0 };
	long other = 0, want = model_file(s);
	uint64_t at;

	if (is_other(s))
		return;
	choose(w, op, f, &arg);
	put_exceptions(w, op, f, &arg);
	at = place_struct(w, op, &arg, sizeof(arg));
	if (!want)
		want = model_in(w, at, &arg, sizeof(arg),
				UP_TO(struct sysgenid_gate_args, dropped_out),
				&other);
	if (!want && arg.operation != SYSGENID_GATE_GET && !may_trigger(w))
		want = -EACCES;
	if (!want && !w->blind) {
		want = model_out(w, at, &arg, sizeof(arg));
		if (!want)
			want = model_call(w, &arg, f);
		if (want == -ENODATA)
			return;
		if (can_write(w, at, arg.size))
			model_out(w, at, &arg, sizeof(arg));
	}
	compare(w, op, SYSGENID_GATE, at, "SYSGENID_GATE", want, other);
}

/* As root, before the process becomes somebody else. */
void gate_learn(struct world *w)
{
	struct sysgenid_gate_args arg = { .size = sizeof(arg) };
	int fd;

	w->gate = (struct gate){ 0 };
	if (!(w->features & SYSGENID_FEATURE_GATE))
		return;
	fd = open(SYSGENID_DEVICE, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, SYSGENID_GATE, &arg) ||
	    arg.state != SYSGENID_GATE_DISARMED)
		wrong(w, "the gate is armed, or cannot be asked: %s",
		      strerror(errno));
	close(fd);
	w->gate.kernel_flags = arg.flags;
}

/* Armed, it keeps the module. */
void gate_close(struct world *w)
{
	struct sysgenid_gate_args arg = { .size = sizeof(arg),
					  .operation = SYSGENID_GATE_DISARM };
	int fd;

	if (!(w->features & SYSGENID_FEATURE_GATE) || !may_trigger(w) ||
	    (!w->gate.armed && !w->blind))
		return;
	fd = open(SYSGENID_DEVICE, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, SYSGENID_GATE, &arg))
		wrong(w, "the gate cannot be disarmed: %s", strerror(errno));
	close(fd);
	w->gate = (struct gate){ .kernel_flags = w->gate.kernel_flags };
}
