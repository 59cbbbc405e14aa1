// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mixes data into the kernel RNG and forces a reseed.
 *
 * Modules have add_device_randomness(), which mixes but does not reseed; the
 * only way to a reseed is the ioctl RNDRESEEDCRNG. So /dev/urandom is held open,
 * and its ioctl is called with credentials of our own: the caller of a read(2)
 * may be anybody.
 *
 * So may be who was interrupted, between any two of its instructions, commit_creds()
 * included. Credentials of our own are sound there, too: only a task itself looks at
 * its task->cred, others look at task->real_cred. Interrupts are off, and when they
 * are on again the task has what it had.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/major.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/sched/task.h>
#include <linux/user_namespace.h>

#include "sysgenid.h"

#define URANDOM "/dev/urandom"

static const struct cred *root_cred;
static struct file *urandom;
static bool reseed_external;
/* This processor is in the kernel RNG, called from here. */
static DEFINE_PER_CPU(bool, reseed_inside);

#ifdef MODULE
/*
 * The path is the caller's: it counts only if it ends at the kernel's RNG. By a
 * mount of our own, or the caller's could not be unmounted.
 */
static struct file *reseed_open_first(void)
{
	struct file *file = ERR_PTR(-ENODEV);
	struct inode *inode;
	struct path path;

	if (kern_path(URANDOM, LOOKUP_FOLLOW, &path))
		return file;
	inode = d_backing_inode(path.dentry);
	if (S_ISCHR(inode->i_mode) &&
	    (inode->i_rdev == MKDEV(MEM_MAJOR, 8) || inode->i_rdev == MKDEV(MEM_MAJOR, 9))) {
		struct path own = { .mnt = clone_private_mount(&path), .dentry = path.dentry };

		if (!IS_ERR(own.mnt)) {
			file = dentry_open(&own, O_RDONLY, root_cred);
			if (IS_ERR(file))
				kern_unmount(own.mnt);
		}
	}
	path_put(&path);
	return file;
}

static struct file *reseed_open_again(const struct file *held)
{
	return dentry_open(&held->f_path, O_RDONLY, root_cred);
}

static void reseed_close(struct file *held)
{
	struct vfsmount *mount = held->f_path.mnt;

	fput(held);
	kern_unmount(mount);
}
#else
/* Built in, init runs before there is a /dev. But the device's code can be named. */
static struct file *reseed_open_first(void)
{
	struct file *file = anon_inode_getfile("[urandom]", &urandom_fops, NULL, O_RDONLY);

	if (!IS_ERR(file) && urandom_fops.open)
		urandom_fops.open(file_inode(file), file);
	return file;
}

static struct file *reseed_open_again(const struct file *held)
{
	return reseed_open_first();
}

static void reseed_close(struct file *held)
{
	fput(held);
}
#endif

/*
 * In FIPS mode, kernels of the RHEL family and of Amazon serve getrandom(2) and
 * the device from a generator that RNDRESEEDCRNG does not reach
 * (random_register_extrng()). An open file of it counts as its user, and has a
 * release. Those of the kernel's own have none.
 */
static void reseed_judge(const struct file *file)
{
	bool external = file->f_op->release;

	if (external && !READ_ONCE(reseed_external))
		pr_warn("the kernel's random bytes come from a generator that cannot be reseeded (FIPS mode): clones may draw equal ones\n");
	WRITE_ONCE(reseed_external, external);
}

/*
 * sysgenid_reseed_look - look again where the kernel's random bytes come from
 *
 * That other generator may be registered late. If the device cannot be opened,
 * what was known stays. From any process context. May sleep.
 */
void sysgenid_reseed_look(void)
{
	struct file *held = READ_ONCE(urandom), *file;

	file = held ? reseed_open_again(held) : NULL;
	if (IS_ERR_OR_NULL(file))
		return;
	reseed_judge(file);
	fput(file);
}

/*
 * sysgenid_reseed_open - open the device, if it is not open yet
 *
 * From process context of a program only: kernel threads have no /dev since 7.3.
 * For root only: the path of others could lead into file systems that never
 * answer. Not from open(2) of a misc device, which holds the mutex of all of
 * them. May sleep. Return: whether this call opened it.
 */
bool sysgenid_reseed_open(void)
{
	struct file *file;

	if (READ_ONCE(urandom) || !ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN))
		return false;
	file = reseed_open_first();
	if (IS_ERR(file))
		return false;
	reseed_judge(file);
	/* Pairs with the loads in sysgenid_reseed() and sysgenid_reseed_look(). */
	if (file->f_op->unlocked_ioctl && !cmpxchg(&urandom, NULL, file))
		return true;
	reseed_close(file);
	return false;
}

int sysgenid_reseed_init(void)
{
	root_cred = prepare_kernel_cred(&init_task);
	if (!root_cred)
		return -ENOMEM;
	sysgenid_reseed_open();
	if (!urandom)
		pr_warn("cannot open " URANDOM " yet: trying again when root uses /dev/sysgenid\n");
	return 0;
}

void sysgenid_reseed_exit(void)
{
	if (urandom)
		reseed_close(urandom);
	if (root_cred)
		put_cred(root_cred);
}

/* Interrupts are off. */
bool sysgenid_reseed_inside(void)
{
	return __this_cpu_read(reseed_inside);
}

/* Caller holds sysgenid.lock. */
void sysgenid_reseed_mix(const void *data, size_t len)
{
	this_cpu_write(reseed_inside, true);
	add_device_randomness(data, len);
	this_cpu_write(reseed_inside, false);
}

/*
 * sysgenid_reseed_draw - random bytes of the kernel
 *
 * Caller holds sysgenid.lock: this passes through crng_make_state() with it.
 */
void sysgenid_reseed_draw(void *data, size_t len)
{
	this_cpu_write(reseed_inside, true);
	get_random_bytes(data, len);
	this_cpu_write(reseed_inside, false);
}

/*
 * sysgenid_reseed - make the kernel RNG draw a new key from its pool
 *
 * Does not sleep. Caller holds sysgenid.lock. While the RNG is not ready, this
 * succeeds. No byte that it gave was promised to be random then, and what was
 * mixed is in its first key.
 * Return: 0, or -EOPNOTSUPP if programs get their bytes elsewhere, or an error.
 */
int sysgenid_reseed(void)
{
	struct file *file = READ_ONCE(urandom);
	const struct cred *old;
	unsigned int used;
	long ret;

	if (!file)
		return -ENOENT;
	/* That it used privileges is not to be told of the task that happens to run. */
	used = current->flags & PF_SUPERPRIV;
	this_cpu_write(reseed_inside, true);
	old = override_creds(root_cred);
	ret = file->f_op->unlocked_ioctl(file, RNDRESEEDCRNG, 0);
	revert_creds(old);
	this_cpu_write(reseed_inside, false);
	if (!used)
		current->flags &= ~PF_SUPERPRIV;
	if (ret && ret != -ENODATA)
		return ret;
	return READ_ONCE(reseed_external) ? -EOPNOTSUPP : 0;
}

/* Outside of a publish. */
void sysgenid_reseed_now(void)
{
	unsigned long flags;

	spin_lock_irqsave(&sysgenid.lock, flags);
	WRITE_ONCE(sysgenid.reseed_status, sysgenid_reseed());
	spin_unlock_irqrestore(&sysgenid.lock, flags);
}
