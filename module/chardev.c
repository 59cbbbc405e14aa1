// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/sysgenid and /dev/sysgenid-hw: file operations, checks of arguments,
 * permissions, sysfs attributes. What the calls do is in sysgenid/abi.h.
 *
 * All calls may sleep. Each compares the hardware id at entry. Those that answer
 * with a generation compare it again after they copied the answer out, and start
 * over if the answer has become stale.
 */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/personality.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "compat.h"
#include "sysgenid.h"
#include "trace.h"

/* Not for open(2): see sysgenid_reseed_open(). */
static void chardev_open_rng(void)
{
	if (sysgenid_reseed_open())
		sysgenid_reseed_now();
}

/*
 * Whether a call that answered for @generation has to start over. An id that
 * changes all the time must not make it last for ever. Return: 0 if not, 1, or
 * -EINTR.
 */
static int chardev_again(u32 generation)
{
	if (!sysgenid_stale(generation))
		return 0;
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	return 1;
}

static int chardev_open(struct inode *inode, struct file *file)
{
	struct sysgenid_file *f;

	sysgenid_sync();
	f = sysgenid_file_open();
	if (IS_ERR(f))
		return PTR_ERR(f);
	file->private_data = f;
	stream_open(inode, file);
	/* A stream, so that no call has a position; but pread(2) was always served. */
	file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	return 0;
}

static int chardev_release(struct inode *inode, struct file *file)
{
	sysgenid_file_release(file->private_data);
	return 0;
}

static ssize_t chardev_read(struct file *file, char __user *buf, size_t count, loff_t *ppos)
{
	struct sysgenid_file *f = file->private_data;
	u32 generation;
	int ret;

	if (!count)
		return 0;
	if (count < sizeof(generation))
		return -EINVAL;

	chardev_open_rng();
	sysgenid_sync();
	for (;;) {
		if (sysgenid_file_outdated(f, &generation)) {
			if (put_user(generation, (u32 __user *)buf))
				return -EFAULT;
			ret = chardev_again(generation);
			if (ret <= 0)
				return ret ?: (ssize_t)sizeof(generation);
		} else if (!(file->f_flags & O_NONBLOCK)) {
			sysgenid_file_sleeps(f);
			ret = wait_event_interruptible(*sysgenid_file_queue(f),
						       sysgenid_file_outdated(f, &generation));
			if (ret)
				return ret;
			sysgenid_sync();
		} else {
			ret = chardev_again(generation);
			if (ret <= 0)
				return ret ?: -EAGAIN;
		}
	}
}

static int chardev_confirm(struct sysgenid_file *f, u32 generation)
{
	int ret;

	sysgenid_sync();
	ret = sysgenid_file_confirm(f, generation);
	if (ret)
		return ret;
	return sysgenid_stale(generation) ? -ESTALE : 0;
}

static ssize_t chardev_write(struct file *file, const char __user *buf, size_t count, loff_t *ppos)
{
	u32 generation;
	int ret;

	if (count != sizeof(generation))
		return -ENOBUFS;
	if (get_user(generation, (const u32 __user *)buf))
		return -EFAULT;
	ret = chardev_confirm(file->private_data, generation);
	if (ret)
		return ret == -ESTALE ? -EINVAL : ret;
	return sizeof(generation);
}

static __poll_t chardev_poll(struct file *file, struct poll_table_struct *table)
{
	struct sysgenid_file *f = file->private_data;
	bool outdated;
	u32 generation;

	/* First: epoll queues only once, outdated or not. */
	if (sysgenid_poll_waits(table)) {
		sysgenid_file_sleeps(f);
		poll_wait(file, sysgenid_file_queue(f), table);
		smp_mb(); /* pairs with that of sysgenid_watchers_wake() */
	}
	sysgenid_sync();
	outdated = sysgenid_file_outdated(f, &generation);
	/* Another one by now is one that nobody has confirmed yet. */
	return outdated || sysgenid_stale(generation) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* Copies in a struct that begins with its size. */
static int chardev_get_struct(void *dst, size_t ksize, size_t min, void __user *arg)
{
	u32 usize;
	int ret;

	if (get_user(usize, (u32 __user *)arg))
		return -EFAULT;
	if (usize < min)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(dst, ksize, arg, usize);
	/* The size that was checked, whatever another thread has made of it. */
	*(u32 *)dst = usize;
	return ret;
}

/* Copies it out again; its size comes back as the part that is filled in. */
static int chardev_put_struct(void __user *arg, void *src, size_t ksize)
{
	u32 *size = src;

	*size = min_t(size_t, *size, ksize);
	return copy_to_user(arg, src, *size) ? -EFAULT : 0;
}

/* Bytes of the first version of a command's struct, whose last member then was @last. */
#define FIRST_SIZE(name, last) offsetofend(struct sysgenid_##name##_args, last)

static long chardev_ioctl_get(struct sysgenid_file *f, void __user *arg)
{
	struct sysgenid_get_args get;
	int ret;

	ret = chardev_get_struct(&get, sizeof(get), FIRST_SIZE(get, time), arg);
	if (ret)
		return ret;
	do {
		sysgenid_file_get(f, &get);
		ret = chardev_put_struct(arg, &get, sizeof(get)) ?: chardev_again(get.generation);
	} while (ret > 0);
	return ret;
}

static long chardev_ioctl_wait(struct sysgenid_file *f, void __user *arg)
{
	struct sysgenid_wait_args wait;
	int ret;

	ret = chardev_get_struct(&wait, sizeof(wait), FIRST_SIZE(wait, outdated), arg);
	if (ret)
		return ret;
	do {
		ret = sysgenid_settle_generation(f, &wait);
		if (chardev_put_struct(arg, &wait, sizeof(wait)))
			return -EFAULT;
	} while (ret != -ERESTARTNOHAND && chardev_again(wait.current_generation) > 0);
	return ret;
}

static long chardev_ioctl_list(struct sysgenid_file *f, void __user *arg)
{
	const size_t first = offsetofend(struct sysgenid_watcher, comm);
	struct sysgenid_watcher *entries;
	struct sysgenid_list_args list, in;
	u8 __user *to;
	size_t size;
	int ret, i;

	ret = chardev_get_struct(&in, sizeof(in), FIRST_SIZE(list, outdated), arg);
	if (ret)
		return ret;
	if (in.flags & ~SYSGENID_LIST_ALL || !in.count || in.count > SYSGENID_LIST_MAX ||
	    in.entry_size < first || in.entry_size > PAGE_SIZE)
		return -EINVAL;

	entries = kvmalloc_array(in.count, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	size = min_t(size_t, in.entry_size, sizeof(*entries));
	do {
		list = in;
		ret = sysgenid_watchers_list(&list, entries);
		if (ret < 0)
			break;
		list.count = ret;
		ret = -EFAULT;
		for (i = 0; i < list.count; i++) {
			to = (u8 __user *)u64_to_user_ptr(list.entries) + i * list.entry_size;
			if (copy_to_user(to, &entries[i], size) ||
			    clear_user(to + size, list.entry_size - size))
				goto out;
		}
		ret = chardev_put_struct(arg, &list, sizeof(list)) ?:
								     chardev_again(list.generation);
	} while (ret > 0);
out:
	kvfree(entries);
	return ret;
}

/* In the initial user namespace: the generation is everybody's. */
static int chardev_may_trigger(unsigned int cmd)
{
	if (checkpoint_restore_ns_capable(&init_user_ns))
		return 0;
	trace_sysgenid_refuse(cmd, -EACCES);
	return -EACCES;
}

static long chardev_ioctl_trigger(struct sysgenid_file *f, void __user *arg)
{
	struct sysgenid_trigger_args trigger;
	void *entropy = NULL;
	int ret;

	ret = chardev_may_trigger(SYSGENID_TRIGGER);
	if (ret)
		return ret;
	ret = chardev_get_struct(&trigger, sizeof(trigger), FIRST_SIZE(trigger, published), arg);
	if (ret)
		return ret;
	if (trigger.flags || trigger.reserved || trigger.entropy_len > SYSGENID_ENTROPY_MAX)
		return -EINVAL;
	if (trigger.entropy_len) {
		entropy = memdup_user(u64_to_user_ptr(trigger.entropy), trigger.entropy_len);
		if (IS_ERR(entropy))
			return PTR_ERR(entropy);
	}
	/* What cannot be answered must not be done either. */
	ret = chardev_put_struct(arg, &trigger, sizeof(trigger));
	if (!ret) {
		ret = sysgenid_trigger_expected(f, &trigger, entropy);
		if (chardev_put_struct(arg, &trigger, sizeof(trigger)))
			ret = -EFAULT;
	}
	kfree_sensitive(entropy);
	return ret;
}

static long chardev_ioctl_declare(struct sysgenid_file *f, void __user *arg)
{
	struct sysgenid_declare_args declare;
	int ret;

	ret = chardev_get_struct(&declare, sizeof(declare), FIRST_SIZE(declare, reserved), arg);
	if (ret)
		return ret;
	if (declare.flags & ~SYSGENID_DECLARE_UNKNOWN || declare.reserved)
		return -EINVAL;
	return sysgenid_file_declare(f, declare.generation,
				     declare.flags & SYSGENID_DECLARE_UNKNOWN);
}

static long chardev_ioctl_confirm(struct sysgenid_file *f, void __user *arg)
{
	struct sysgenid_confirm_args in;
	int ret;

	ret = chardev_get_struct(&in, sizeof(in), FIRST_SIZE(confirm, generation), arg);
	return ret ?: chardev_confirm(f, in.generation);
}

/* Who shuts the network of the whole machine. */
static int chardev_may_gate(void)
{
	if (capable(CAP_NET_ADMIN))
		return chardev_may_trigger(SYSGENID_GATE);
	trace_sysgenid_refuse(SYSGENID_GATE, -EACCES);
	return -EACCES;
}

static long chardev_ioctl_gate(void __user *arg)
{
	struct sysgenid_gate_args gate, in;
	int ret;

	ret = chardev_get_struct(&in, sizeof(in), FIRST_SIZE(gate, dropped_out), arg);
	if (ret)
		return ret;
	if (in.operation != SYSGENID_GATE_GET) {
		/* What cannot be answered must not be done either. */
		ret = chardev_may_gate() ?: chardev_put_struct(arg, &in, sizeof(in));
		if (ret)
			return ret;
	}
	do {
		gate = in;
		ret = sysgenid_gate_call(&gate);
		if (chardev_put_struct(arg, &gate, sizeof(gate)))
			return -EFAULT;
	} while (!ret && in.operation == SYSGENID_GATE_GET && chardev_again(gate.generation) > 0);
	return ret;
}

static long chardev_set_tracking(struct file *file, bool on)
{
	/* Who cannot confirm would hold up everybody for ever. */
	if (!(file->f_mode & FMODE_WRITE)) {
		trace_sysgenid_refuse(SYSGENID_SET_WATCHER_TRACKING, -EBADF);
		return -EBADF;
	}
	if (on)
		return sysgenid_file_track(file->private_data);
	sysgenid_file_untrack(file->private_data);
	return 0;
}

static long chardev_trigger_min(unsigned long min)
{
	int ret = chardev_may_trigger(SYSGENID_TRIGGER_GEN_UPDATE);

	if (ret)
		return ret;
	if (min > U32_MAX)
		return -EINVAL;
	sysgenid_trigger_min(min);
	return 0;
}

static long chardev_do_ioctl(struct file *file, unsigned int cmd, unsigned long arg,
			     void __user *ptr)
{
	struct sysgenid_file *f = file->private_data;

	chardev_open_rng();
	/* Not synced first: what an agent and the hardware report is one restore. */
	if (cmd == SYSGENID_TRIGGER_GEN_UPDATE)
		return chardev_trigger_min(arg);
	sysgenid_sync();

	switch (cmd) {
	case SYSGENID_SET_WATCHER_TRACKING:
		return chardev_set_tracking(file, arg);
	case SYSGENID_WAIT_WATCHERS:
		return sysgenid_settle_watchers(f, arg);
	}

	/* The size in a command grows with its struct; the rest does not change. */
	switch (cmd & ~IOCSIZE_MASK) {
	case SYSGENID_GET & ~IOCSIZE_MASK:
		return chardev_ioctl_get(f, ptr);
	case SYSGENID_WAIT_GENERATION & ~IOCSIZE_MASK:
		return chardev_ioctl_wait(f, ptr);
	case SYSGENID_LIST_WATCHERS & ~IOCSIZE_MASK:
		return chardev_ioctl_list(f, ptr);
	case SYSGENID_TRIGGER & ~IOCSIZE_MASK:
		return chardev_ioctl_trigger(f, ptr);
	case SYSGENID_DECLARE & ~IOCSIZE_MASK:
		return chardev_ioctl_declare(f, ptr);
	case SYSGENID_CONFIRM & ~IOCSIZE_MASK:
		return chardev_ioctl_confirm(f, ptr);
	case SYSGENID_GATE & ~IOCSIZE_MASK:
		return chardev_ioctl_gate(ptr);
	}
	return -EINVAL;
}

static long chardev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return chardev_do_ioctl(file, cmd, arg, (void __user *)arg);
}

#ifdef CONFIG_COMPAT
/* The structs have one layout; some arguments are numbers, not pointers. */
static long chardev_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return chardev_do_ioctl(file, cmd, arg, compat_ptr(arg));
}
#else
#define chardev_compat_ioctl NULL
#endif

/* By fault, not at once: MADV_DONTNEED must not end in a SIGBUS. */
static vm_fault_t chardev_page_fault(struct vm_fault *vmf)
{
	vmf->page = virt_to_page(vmf->vma->vm_private_data);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct chardev_page_vm_ops = { .fault = chardev_page_fault };

/* mmap has checked whether the page may be mapped. */
static vm_fault_t chardev_hw_fault(struct vm_fault *vmf)
{
	return vmf_insert_pfn(vmf->vma, vmf->address, (unsigned long)vmf->vma->vm_private_data);
}

static const struct vm_operations_struct chardev_hw_vm_ops = { .fault = chardev_hw_fault };

/* Readable, and never anything else: also mprotect(2) is refused then. */
static int chardev_map_readonly(struct vm_area_struct *vma, vm_flags_t set)
{
	/* Old 32-bit programs ask for execution of all that they read. */
	if (vma->vm_flags & VM_EXEC && !(current->personality & READ_IMPLIES_EXEC))
		return -EPERM;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	sysgenid_vm_flags_mod(vma, set | VM_DONTEXPAND | VM_DONTDUMP,
			      VM_MAYWRITE | VM_EXEC | VM_MAYEXEC);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	return 0;
}

static int chardev_map_page(struct vm_area_struct *vma, void *page)
{
	int ret = chardev_map_readonly(vma, 0);

	if (ret)
		return ret;
	vma->vm_private_data = page;
	vma->vm_ops = &chardev_page_vm_ops;
	return 0;
}

/* A page of the hypervisor's. */
static int chardev_map_pfn(struct vm_area_struct *vma, unsigned long pfn)
{
	int ret = chardev_map_readonly(vma, VM_PFNMAP);

	if (ret)
		return ret;
	vma->vm_private_data = (void *)pfn;
	vma->vm_ops = &chardev_hw_vm_ops;
	return 0;
}

/* For everybody: the page of vmclock has no secret of this machine, nor has its record. */
static int chardev_map_vmclock(struct vm_area_struct *vma)
{
	int ret;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	ret = sysgenid_vmclock_check_page();
	if (ret)
		return ret;
	if (vma->vm_pgoff == SYSGENID_VMCLOCK_RECORD)
		return chardev_map_page(vma, sysgenid.clock_record);
	return chardev_map_pfn(vma, sysgenid_vmclock_pfn());
}

static int chardev_mmap(struct file *file, struct vm_area_struct *vma)
{
	sysgenid_sync();
	if (vma_pages(vma) > 1)
		return -EINVAL;
	switch (vma->vm_pgoff) {
	case 0:
		return chardev_map_page(vma, sysgenid.page);
	case SYSGENID_VMCLOCK_PAGE:
	case SYSGENID_VMCLOCK_RECORD:
		return chardev_map_vmclock(vma);
	}
	return -EINVAL;
}

static const struct file_operations chardev_fops = {
	.owner = THIS_MODULE,
	.open = chardev_open,
	.release = chardev_release,
	.read = chardev_read,
	.write = chardev_write,
	.poll = chardev_poll,
	.unlocked_ioctl = chardev_ioctl,
	.compat_ioctl = chardev_compat_ioctl,
	.mmap = chardev_mmap,
};

static struct miscdevice chardev_misc;

/*
 * Until /dev/sysgenid is there, the load may still fail. Who had this open then
 * would lose the code under it. misc_open() and misc_register() share a mutex.
 */
static int chardev_hw_open(struct inode *inode, struct file *file)
{
	if (IS_ERR_OR_NULL(chardev_misc.this_device))
		return -ENODEV;
	return sysgenid_id_check_page() ?: nonseekable_open(inode, file);
}

static int chardev_hw_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long pfn;
	u32 offset;
	int ret;

	if (vma->vm_pgoff > 1 || vma_pages(vma) > 1 || !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff)
		return chardev_map_page(vma, sysgenid.record);
	ret = sysgenid_id_check_page();
	if (ret)
		return ret;
	sysgenid_id_page(&pfn, &offset);
	return chardev_map_pfn(vma, pfn);
}

static const struct file_operations chardev_hw_fops = {
	.owner = THIS_MODULE,
	.open = chardev_hw_open,
	.mmap = chardev_hw_mmap,
};

static ssize_t generation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	sysgenid_sync();
	return sysfs_emit(buf, "%u\n", sysgenid_generation());
}
static DEVICE_ATTR_RO(generation);

static ssize_t source_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	sysgenid_sync();
	return sysfs_emit(buf, "%s\n", sysgenid_source_name(READ_ONCE(sysgenid.page->source)));
}
static DEVICE_ATTR_RO(source);

static ssize_t sources_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	unsigned int source;
	int len = 0;

	for (source = 0; source < BITS_PER_TYPE(sysgenid.sources); source++)
		if (sysgenid.sources & BIT(source))
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "",
					     sysgenid_source_name(source));
	return len + sysfs_emit_at(buf, len, "\n");
}
static DEVICE_ATTR_RO(sources);

/* The instance id. ENODATA: there is none. */
static ssize_t id_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	u8 instance[SYSGENID_INSTANCE_SIZE];
	bool present;

	sysgenid_sync();
	spin_lock_irq(&sysgenid.lock);
	present = sysgenid.page->flags & SYSGENID_PAGE_INSTANCE;
	memcpy(instance, sysgenid.page->instance_id, sizeof(instance));
	spin_unlock_irq(&sysgenid.lock);
	return present ? sysfs_emit(buf, "%*phN\n", SYSGENID_INSTANCE_SIZE, instance) : -ENODATA;
}
static DEVICE_ATTR_RO(id);

static ssize_t watchers_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(sysgenid.watchers));
}
static DEVICE_ATTR_RO(watchers);

static ssize_t outdated_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	sysgenid_sync();
	return sysfs_emit(buf, "%u\n", READ_ONCE(sysgenid.outdated));
}
static DEVICE_ATTR_RO(outdated);

/* 0, or the errno with which the last forced reseed of the kernel RNG failed. */
static ssize_t reseed_error_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", -READ_ONCE(sysgenid.reseed_status));
}
static DEVICE_ATTR_RO(reseed_error);

static ssize_t guard_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysgenid_guard_show(buf);
}
static DEVICE_ATTR_RO(guard);

static ssize_t gate_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	sysgenid_sync();
	return sysgenid_gate_show(buf);
}
static DEVICE_ATTR_RO(gate);

/* 0, or the errno with which /dev/sysgenid-hw is refused. */
static ssize_t hw_page_error_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	unsigned long pfn;
	u32 offset;

	return sysfs_emit(buf, "%d\n", -sysgenid_id_page(&pfn, &offset));
}
static DEVICE_ATTR_RO(hw_page_error);

/* 0, or the errno with which the page of vmclock was refused last. */
static ssize_t vmclock_page_error_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", -sysgenid_vmclock_page_error());
}
static DEVICE_ATTR_RO(vmclock_page_error);

/* clang-format off */
static struct attribute *chardev_attrs[] = {
	&dev_attr_generation.attr,
	&dev_attr_source.attr,
	&dev_attr_sources.attr,
	&dev_attr_id.attr,
	&dev_attr_watchers.attr,
	&dev_attr_outdated.attr,
	&dev_attr_reseed_error.attr,
	&dev_attr_guard.attr,
	&dev_attr_gate.attr,
	&dev_attr_hw_page_error.attr,
	&dev_attr_vmclock_page_error.attr,
	NULL,
};
ATTRIBUTE_GROUPS(chardev);
/* clang-format on */

/*
 * All may read the node from the moment it appears. AWS-LC takes a node that it
 * cannot open for a failure, and reseeds on every call from then on.
 */
static struct miscdevice chardev_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sysgenid",
	.mode = 0644,
	.fops = &chardev_fops,
	.groups = chardev_groups,
};

/* The id feeds the kernel RNG: not for everybody. */
static struct miscdevice chardev_hw_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sysgenid-hw",
	.mode = 0440,
	.fops = &chardev_hw_fops,
};

/*
 * Amazon's kernels have a driver of that name built in. The module asks before it
 * registers anything: a later failure would take away the code of those who have
 * opened /dev/sysgenid-hw by then.
 */
static bool chardev_name_is_taken(void)
{
	struct path path;

	if (kern_path("/sys/class/misc/sysgenid", 0, &path))
		return false;
	path_put(&path);
	return true;
}

int sysgenid_chardev_init(void)
{
	int ret;

	if (chardev_name_is_taken()) {
		pr_err("not loaded: this kernel has a driver of its own for /dev/sysgenid\n");
		/* Not -EEXIST: to modprobe(8) that is success, and newer kernels replace it. */
		return -EBUSY;
	}
	/* First: who finds /dev/sysgenid may look for this one at once. */
	ret = misc_register(&chardev_hw_misc);
	if (ret)
		return ret;
	ret = misc_register(&chardev_misc);
	if (ret)
		misc_deregister(&chardev_hw_misc);
	else
		sysgenid_announce_by(chardev_misc.this_device);
	return ret;
}

void sysgenid_chardev_exit(void)
{
	sysgenid_announce_by(NULL);
	misc_deregister(&chardev_misc);
	misc_deregister(&chardev_hw_misc);
}
