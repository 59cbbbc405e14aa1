/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels, and nothing else. Kbuild looks the features
 * up in the kernel's headers and defines SYSGENID_HAVE_*.
 */
#ifndef SYSGENID_COMPAT_H
#define SYSGENID_COMPAT_H

#include <crypto/blake2s.h>
#include <linux/capability.h>
#include <linux/cgroup.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>

/*
 * The floor: CAP_CHECKPOINT_RESTORE came with 5.9 (copy_struct_from_user() with
 * 5.4). Without it a trigger would need all of CAP_SYS_ADMIN, and the permission
 * that is documented would not be the one that is checked. 5.10 is the oldest
 * kernel that this was ever run on.
 */
#if !defined(SYSGENID_HAVE_COPY_STRUCT) || !defined(SYSGENID_HAVE_CHECKPOINT_RESTORE)
#error "this kernel is too old: sysgenid needs CAP_CHECKPOINT_RESTORE, of Linux 5.10 or newer"
#endif

/*
 * Before random.c was rewritten, RNDRESEEDCRNG used the pool only if somebody had
 * credited 128 bits, and returned 0 in any case. This module mixes without credit.
 * random_prepare_cpu() came with the rewrite.
 */
#ifndef SYSGENID_HAVE_RESEED_FROM_POOL
#error "this kernel is too old: its RNDRESEEDCRNG does not reseed; 5.10.119, 5.15.45 and 5.18 do"
#endif

/*
 * The order of loads and stores, and what the guard hooks, were looked at and tried
 * on these two. The page file of the library works everywhere.
 */
#if !defined(CONFIG_X86) && !defined(CONFIG_ARM64)
#error "sysgenid.ko is for x86 and arm64: elsewhere use the page file, by sysgenidctl publish"
#endif

#if !defined(CONFIG_ACPI) && !defined(CONFIG_OF)
#error "sysgenid needs a kernel with CONFIG_ACPI or CONFIG_OF: it finds the VM generation id there."
#endif

/* vma->vm_flags became read-only in 6.3. */
#ifdef SYSGENID_HAVE_VM_FLAGS_SET
static inline void sysgenid_vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
					 vm_flags_t clear)
{
	vm_flags_mod(vma, set, clear);
}
#else
static inline void sysgenid_vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
					 vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* cc_platform_has() took the place of mem_encrypt_active() in 5.16. */
#ifdef SYSGENID_HAVE_CC_PLATFORM
#include <linux/cc_platform.h>
static inline bool sysgenid_memory_encrypted(void)
{
	return cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT);
}
#else
#include <linux/mem_encrypt.h>
static inline bool sysgenid_memory_encrypted(void)
{
	return mem_encrypt_active();
}
#endif

/* Will poll_wait() queue? Newer kernels have no poll_does_not_wait(). */
static inline bool sysgenid_poll_waits(const poll_table *table)
{
	return table && table->_qproc;
}

/* The state of BLAKE2s got another name in 6.19. */
#ifdef SYSGENID_HAVE_BLAKE2S_CTX
#define sysgenid_blake2s blake2s_ctx
#else
#define sysgenid_blake2s blake2s_state
#endif

/* Callbacks of ftrace got another last argument in 5.11. */
#ifdef SYSGENID_HAVE_FTRACE_REGS
#define sysgenid_ftrace_regs ftrace_regs
#else
#define sysgenid_ftrace_regs pt_regs
#endif

/*
 * Newer lockdeps take locks that sleep on real-time kernels for errors in a hard
 * interrupt of any kernel. What is between these two never runs there.
 */
#ifdef SYSGENID_HAVE_WAIT_OVERRIDE
static inline void sysgenid_may_spin(struct lockdep_map *map)
{
	lock_map_acquire_try(map);
}

static inline void sysgenid_may_not_spin(struct lockdep_map *map)
{
	lock_map_release(map);
}
#else
#define DEFINE_WAIT_OVERRIDE_MAP(name, type) struct lockdep_map name
static inline void sysgenid_may_spin(struct lockdep_map *map)
{
}

static inline void sysgenid_may_not_spin(struct lockdep_map *map)
{
}
#endif

/*
 * Does a grace period of call_rcu_tasks() wait for every task that was in kernel
 * code? Where tasks can be preempted there, only with CONFIG_TASKS_RCU. Not on
 * real-time kernels: there a task that is blocked on a lock of the RNG counts as gone.
 */
#define SYSGENID_TASKS_LEAVE               \
	(!IS_ENABLED(CONFIG_PREEMPT_RT) && \
	 (IS_ENABLED(CONFIG_TASKS_RCU) || !IS_ENABLED(CONFIG_PREEMPTION)))

#ifdef CONFIG_TASKS_RCU
#define sysgenid_rcu_barrier_tasks rcu_barrier_tasks
#else
#define sysgenid_rcu_barrier_tasks rcu_barrier
#endif

/* The cgroup (v2) of the current process, 0 where the kernel has none. */
#ifdef CONFIG_CGROUPS
static inline u64 sysgenid_cgroup_id(void)
{
	u64 id;

	rcu_read_lock();
	id = cgroup_id(task_dfl_cgroup(current));
	rcu_read_unlock();
	return id;
}
#else
static inline u64 sysgenid_cgroup_id(void)
{
	return 0;
}
#endif

#endif /* SYSGENID_COMPAT_H */
