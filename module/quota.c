// SPDX-License-Identifier: GPL-2.0-only
/* How many watchers a user may track. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "sysgenid.h"

static unsigned int max_watchers_per_user = 1024;
module_param(max_watchers_per_user, uint, 0644);
MODULE_PARM_DESC(max_watchers_per_user,
		 "Most tracked watchers of one user without CAP_SYS_RESOURCE (default: 1024)");

static unsigned int max_watchers_unprivileged = 16384;
module_param(max_watchers_unprivileged, uint, 0644);
MODULE_PARM_DESC(max_watchers_unprivileged,
		 "Most tracked watchers of all users without CAP_SYS_RESOURCE (default: 16384)");

/* A user who tracks watchers and is limited. */
struct sysgenid_user {
	struct hlist_node node;
	kuid_t uid;
	unsigned int tracked;
};

/* Guards all below: looking a user up is more than O(1), so sysgenid.lock does not. */
static DEFINE_SPINLOCK(quota_lock);
static DEFINE_HASHTABLE(quota_users, 6);
static unsigned int quota_unprivileged;

/*
 * Whom the caller's watchers are charged to. Who made a user namespace has many
 * uids in it: they all are charged to that user's uid in the initial one. But
 * the namespaces that root makes are containers: each has an account of its own,
 * that of its own root.
 */
static kuid_t quota_charged_uid(void)
{
	struct user_namespace *ns = current_user_ns();
	kuid_t own;

	if (ns == &init_user_ns)
		return current_uid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
		return ns->owner;
	own = make_kuid(ns, 0);
	return uid_valid(own) ? own : ns->owner;
}

static struct sysgenid_user *quota_find(kuid_t uid)
{
	struct sysgenid_user *user;

	hash_for_each_possible(quota_users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

/*
 * sysgenid_quota_charge - charge one tracked watcher to the caller
 *
 * @charged: for sysgenid_quota_uncharge(); NULL if the caller is not limited.
 * Return: 0, -EDQUOT or -ENOMEM.
 */
int sysgenid_quota_charge(struct sysgenid_user **charged)
{
	struct sysgenid_user *user, *new;
	kuid_t uid = quota_charged_uid();
	int ret = -EDQUOT;

	*charged = NULL;
	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE))
		return 0;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;

	spin_lock(&quota_lock);
	user = quota_find(uid);
	if (quota_unprivileged < READ_ONCE(max_watchers_unprivileged) &&
	    (user ? user->tracked : 0) < READ_ONCE(max_watchers_per_user)) {
		if (!user) {
			user = new;
			new = NULL;
			user->uid = uid;
			hash_add(quota_users, &user->node, __kuid_val(uid));
		}
		user->tracked++;
		quota_unprivileged++;
		*charged = user;
		ret = 0;
	}
	spin_unlock(&quota_lock);
	kfree(new);
	return ret;
}

void sysgenid_quota_uncharge(struct sysgenid_user *user)
{
	bool unused;

	if (!user)
		return;
	spin_lock(&quota_lock);
	quota_unprivileged--;
	unused = !--user->tracked;
	if (unused)
		hash_del(&user->node);
	spin_unlock(&quota_lock);
	if (unused)
		kfree(user);
}
