// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mixes data into the kernel RNG and forces a reseed.
 *
 * Modules have add_device_randomness(), which mixes but does not reseed; the
 * only way to a reseed is the ioctl RNDRESEEDCRNG. So /dev/urandom is held open,
 * and its ioctl is called with credentials of our own: the caller of a read(2)
 * may be anybody.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/major.h>
#include <linux/namei.h>
#include <linux/random.h>
#include <linux/sched/task.h>
#include <linux/user_namespace.h>

#include "sysgenid.h"

#define URANDOM "/dev/urandom"

static const struct cred *root_cred;
static struct file *urandom;

/*
 * sysgenid_reseed_open - open the device, if it is not open yet
 *
 * From process context of a program only: kernel threads have no /dev since 7.3.
 * The path is the caller's: it is walked for root only, as others could lead it
 * into file systems that never answer, and opened only if it ends at the
 * kernel's RNG. Not from open(2) of a misc device, which holds the mutex of all
 * of them. May sleep. Return: whether this call opened it.
 */
bool sysgenid_reseed_open(void)
{
	bool opened = false;
	struct file *file;
	struct inode *inode;
	struct path path;

	if (READ_ONCE(urandom) || !ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN) ||
	    kern_path(URANDOM, LOOKUP_FOLLOW, &path))
		return false;

	inode = d_backing_inode(path.dentry);
	if (S_ISCHR(inode->i_mode) &&
	    (inode->i_rdev == MKDEV(MEM_MAJOR, 8) || inode->i_rdev == MKDEV(MEM_MAJOR, 9))) {
		file = dentry_open(&path, O_RDONLY, root_cred);
		/* Pairs with the load in sysgenid_reseed(). */
		if (!IS_ERR(file)) {
			opened = file->f_op->unlocked_ioctl && !cmpxchg(&urandom, NULL, file);
			if (!opened)
				fput(file);
		}
	}
	path_put(&path);
	return opened;
}

#ifdef MODULE
static struct file *open_builtin(void)
{
	return NULL;
}
#else
/* Built in, init runs before there is a /dev. But the device's code can be named. */
static struct file *open_builtin(void)
{
	struct file *file = anon_inode_getfile("[urandom]", &urandom_fops, NULL, O_RDONLY);

	return IS_ERR(file) ? NULL : file;
}
#endif

int sysgenid_reseed_init(void)
{
	root_cred = prepare_kernel_cred(&init_task);
	if (!root_cred)
		return -ENOMEM;
	urandom = open_builtin();
	sysgenid_reseed_open();
	if (!urandom)
		pr_warn("cannot open " URANDOM " yet: trying again when root uses /dev/sysgenid\n");
	return 0;
}

void sysgenid_reseed_exit(void)
{
	if (urandom)
		fput(urandom);
	if (root_cred)
		put_cred(root_cred);
}

void sysgenid_reseed_mix(const void *data, size_t len)
{
	add_device_randomness(data, len);
}

/*
 * sysgenid_reseed - make the kernel RNG draw a new key from its pool
 *
 * Does not sleep. Caller holds sysgenid.lock. Return: 0; also while the RNG is
 * not ready: it has given out nothing that it promised to be random, and what was
 * mixed is in its first key.
 */
int sysgenid_reseed(void)
{
	struct file *file = READ_ONCE(urandom);
	const struct cred *old;
	long ret;

	if (!file)
		return -ENOENT;
	old = override_creds(root_cred);
	ret = file->f_op->unlocked_ioctl(file, RNDRESEEDCRNG, 0);
	revert_creds(old);
	return ret == -ENODATA ? 0 : ret;
}
