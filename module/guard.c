// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard: the hardware id is compared where no program gets past.
 *
 * On entry to each interrupt: a processor publishes before it returns to a program,
 * which may have nothing but a mapping of the counter. And before the kernel RNG
 * takes a key. Both are callbacks of ftrace, at functions that every kernel has.
 * What they do when nothing has moved is to compare two words or four.
 *
 * On real-time kernels the lock of the RNG sleeps. There both only have the id
 * compared by work.
 */
#include <linux/ftrace.h>
#include <linux/hardirq.h>
#include <linux/irq_work.h>
#include <linux/lockdep.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "sysgenid.h"

/* Why they are not there; NULL: they are. */
static const char *guard_interrupts_why = "guard=0";
static const char *guard_generator_why = "guard=0";

#ifdef CONFIG_DYNAMIC_FTRACE
/*
 * The processor that notices first interrupts all others: their programs would use
 * the old counter until their next interrupt. The interrupt is all they need.
 */
struct guard_kick {
	call_single_data_t csd;
	atomic_t pending;
};

static DEFINE_PER_CPU(struct guard_kick, guard_kicks);
static atomic_t guard_kicking = ATOMIC_INIT(0);

static void guard_kicked(void *kick)
{
	atomic_set_release(&((struct guard_kick *)kick)->pending, 0);
}

static void guard_kick_others(void)
{
	struct guard_kick *kick;
	int cpu;

	for_each_online_cpu(cpu) {
		kick = per_cpu_ptr(&guard_kicks, cpu);
		if (cpu == smp_processor_id() || atomic_cmpxchg(&kick->pending, 0, 1))
			continue;
		/* The processor has gone offline: no program runs there. */
		if (smp_call_function_single_async(cpu, &kick->csd))
			atomic_set(&kick->pending, 0);
	}
}

static void guard_compare_soon(struct irq_work *work)
{
	sysgenid_compare_soon();
}

static struct irq_work guard_soon;

static DEFINE_WAIT_OVERRIDE_MAP(guard_may_spin, LD_WAIT_CONFIG);

/* The id has moved: publish, before who called goes on. */
static void guard_publish(void)
{
	sysgenid_may_spin(&guard_may_spin);
	if (!atomic_cmpxchg(&guard_kicking, 0, 1)) {
		guard_kick_others();
		sysgenid_sync_at_once();
		atomic_set(&guard_kicking, 0);
	} else {
		/* The other processor has the lock, or is about to take it. */
		sysgenid_sync_at_once();
	}
	sysgenid_may_not_spin(&guard_may_spin);
}

/* May anything be done here? Interrupts are off. */
static bool guard_may_publish(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		irq_work_queue(&guard_soon);
		return false;
	}
	return !sysgenid_reseed_inside();
}

/*
 * At the first instruction of irq_enter_rcu(): RCU watches, but the interrupt is not
 * counted yet. Code below asks whether it may use the FPU.
 */
static void notrace guard_interrupt(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
				    struct sysgenid_ftrace_regs *regs)
{
	if (likely(!sysgenid_moved_whole()) || in_nmi() || !guard_may_publish())
		return;
	__irq_enter_raw();
	guard_publish();
	__irq_exit_raw();
}

static void notrace guard_generator(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
				    struct sysgenid_ftrace_regs *regs)
{
	unsigned long flags;

	if (likely(!sysgenid_unmixed()) || in_nmi())
		return;
	local_irq_save(flags);
	if (guard_may_publish())
		guard_publish();
	local_irq_restore(flags);
}

/* Permanent: kernel.ftrace_enabled=0 is refused then, and does not silently end them. */
static struct ftrace_ops guard_interrupts = {
	.func = guard_interrupt,
	.flags = FTRACE_OPS_FL_PERMANENT,
};

static struct ftrace_ops guard_generators = {
	.func = guard_generator,
	.flags = FTRACE_OPS_FL_PERMANENT,
};

/*
 * Has @ops called at one function. Where ftrace has no memory for that entry, it
 * succeeds all the same, with an empty filter: always the same object. That lets
 * every function through, those that a callback calls included.
 */
static int guard_filter(struct ftrace_ops *ops, const char *function)
{
	const struct ftrace_hash *none;
	char name[32];
	int ret;

	/* Not a constant: ftrace takes names apart. */
	strscpy(name, function, sizeof(name));
	ret = ftrace_set_filter(ops, NULL, 0, 1);
	if (ret)
		return ret;
	none = rcu_access_pointer(ops->func_hash->filter_hash);
	ret = ftrace_set_filter(ops, name, strlen(name), 0);
	if (!ret && rcu_access_pointer(ops->func_hash->filter_hash) == none)
		ret = -ENOMEM;
	return ret;
}

/* Takes memory, too; ftrace_free_filter() is not exported everywhere. */
static void guard_unfilter(struct ftrace_ops *ops)
{
	int tries = 3;

	while (ftrace_set_filter(ops, NULL, 0, 1) && --tries)
		;
}

/* Return: NULL, or why it is not called. */
static const char *guard_hook(struct ftrace_ops *ops, const char *function)
{
	int ret = guard_filter(ops, function);

	if (!ret) {
		ret = register_ftrace_function(ops);
		if (!ret)
			return IS_ENABLED(CONFIG_PREEMPT_RT) ? "PREEMPT_RT: done late, by work" :
							       NULL;
		guard_unfilter(ops);
	}
	if (ret == -EBUSY)
		return "kernel.ftrace_enabled is 0";
	return ret == -EINVAL ? "this kernel lets nobody trace the function" :
				"ftrace cannot be used";
}

static void guard_unhook(struct ftrace_ops *ops)
{
	if (!(ops->flags & FTRACE_OPS_FL_ENABLED))
		return;
	unregister_ftrace_function(ops);
	guard_unfilter(ops);
}

static void guard_start(void)
{
	struct guard_kick *kick;
	int cpu;

	init_irq_work(&guard_soon, guard_compare_soon);
	for_each_possible_cpu(cpu) {
		kick = per_cpu_ptr(&guard_kicks, cpu);
		kick->csd.func = guard_kicked;
		kick->csd.info = kick;
	}
	guard_interrupts_why = guard_hook(&guard_interrupts, "irq_enter_rcu");
	guard_generator_why = guard_hook(&guard_generators, "crng_make_state");
}

void sysgenid_guard_stop(void)
{
	int cpu;

	guard_unhook(&guard_generators);
	guard_unhook(&guard_interrupts);
	irq_work_sync(&guard_soon);
	for_each_possible_cpu(cpu)
		while (atomic_read_acquire(&per_cpu_ptr(&guard_kicks, cpu)->pending))
			cpu_relax();
	/* The last of them may not have returned yet. */
	synchronize_rcu();
}
#else
static void guard_start(void)
{
	guard_interrupts_why = "no CONFIG_DYNAMIC_FTRACE";
	guard_generator_why = guard_interrupts_why;
}

void sysgenid_guard_stop(void)
{
}
#endif

/* One line about all that guard=0 switches off; sysgenid(4) has its form. */
static int guard_describe(char *text, size_t size)
{
	const struct {
		const char *name;
		const char *why;
	} parts[] = {
		{ "interrupts", guard_interrupts_why },
		{ "generator", guard_generator_why },
		{ "reseeds", sysgenid_inflight_why() },
	};
	int i, len = 0;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		len += scnprintf(text + len, size - len, "%s%s: %s", i ? "; " : "", parts[i].name,
				 parts[i].why ? "off" : "on");
		if (parts[i].why)
			len += scnprintf(text + len, size - len, " (%s)", parts[i].why);
	}
	return len + scnprintf(text + len, size - len, "\n");
}

ssize_t sysgenid_guard_show(char *buf)
{
	return guard_describe(buf, PAGE_SIZE);
}

void sysgenid_guard_start(bool on)
{
	char text[256];

	if (on && sysgenid_id_present()) {
		guard_start();
	} else if (on) {
		guard_interrupts_why = "no hardware id";
		guard_generator_why = guard_interrupts_why;
	}
	guard_describe(text, sizeof(text));
	if (on && sysgenid_id_present() && strstr(text, "off"))
		pr_warn("guard: %s", text);
	else
		pr_info("guard: %s", text);
}
