/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels, and nothing else. Kbuild looks the features
 * up in the kernel's headers and defines SYSGENID_HAVE_*.
 */
#ifndef SYSGENID_COMPAT_H
#define SYSGENID_COMPAT_H

#include <linux/capability.h>
#include <linux/cgroup.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/random.h>
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
 * The ceiling. What else a new kernel takes away does not compile; this would,
 * and the module would be deaf to a source. Kernels with vm_flags_mod() (6.3)
 * have the notifier (5.18); older ones may have a driver without, ported back.
 */
#if IS_ENABLED(CONFIG_VMGENID) && !defined(SYSGENID_HAVE_VMFORK) && \
	defined(SYSGENID_HAVE_VM_FLAGS_SET)
#error "this kernel is too new: its vmfork notifier is not in linux/random.h; get a newer sysgenid"
#endif

#ifndef CONFIG_ACPI
#error "sysgenid needs a kernel with CONFIG_ACPI: it finds the VM generation id by ACPI."
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

/*
 * The vmfork notifier came with 5.18. Where the kernel is built without
 * CONFIG_VMGENID the header has a stub that reports success and never calls.
 */
#if defined(SYSGENID_HAVE_VMFORK) && IS_ENABLED(CONFIG_VMGENID)
#define sysgenid_have_vmfork	       true
#define sysgenid_register_vmfork(nb)   register_random_vmfork_notifier(nb)
#define sysgenid_unregister_vmfork(nb) unregister_random_vmfork_notifier(nb)
#else
#define sysgenid_have_vmfork	       false
#define sysgenid_register_vmfork(nb)   ((void)(nb), -EOPNOTSUPP)
#define sysgenid_unregister_vmfork(nb) ((void)(nb))
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
