// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page of vmclock. The hypervisor raises its generation counter when it resumes
 * the machine as a clone. The rest, the host's clock, is not looked at.
 *
 * The counter is the same in all clones of a snapshot: it tells of a change, and has
 * no entropy. The other members change at a live migration, too, which makes no clone.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/moduleparam.h>
#include <linux/stddef.h>

#include "compat.h"
#include "source.h"
#include "sysgenid.h"

#define VMCLOCK_MAGIC		0x4b4c4356 /* "VCLK" */
#define VMCLOCK_VERSION		1
#define VMCLOCK_COUNTER_PRESENT BIT_ULL(8)
#define VMCLOCK_NOTIFIES	BIT_ULL(9)

/* All little endian. */
struct vmclock_abi {
	__le32 magic;
	__le32 size;
	__le16 version;
	u8 clock_kind[2];
	__le32 seq;
	__le64 disruption_marker;
	__le64 flags;
	u8 clock[72];
	__le64 counter;
	/* Behind the structure. The exact check compares 16 bytes. */
	__le64 beyond;
};

static_assert(offsetof(struct vmclock_abi, counter) == 0x68);

/* Bytes that there have to be. */
#define VMCLOCK_SIZE offsetof(struct vmclock_abi, beyond)

static bool vmclock_page = true;
module_param(vmclock_page, bool, 0444);
MODULE_PARM_DESC(vmclock_page, "Let /dev/sysgenid map the page of vmclock (default: yes)");

static struct sysgenid_place vmclock_place;
static const struct vmclock_abi *vmclock;
static int vmclock_page_error = -ENODEV;

/* Return: what is wrong with it, or NULL. */
static const char *vmclock_check(void)
{
	if (le32_to_cpu(vmclock->magic) != VMCLOCK_MAGIC)
		return "its page does not begin with VCLK";
	if (le16_to_cpu(vmclock->version) != VMCLOCK_VERSION)
		return "its version is not 1";
	if (!(le64_to_cpu(vmclock->flags) & VMCLOCK_COUNTER_PRESENT))
		return "it has no generation counter";
	return NULL;
}

/* Return: 0, -EBUSY if the page is not the device's alone, or -ENOMEM. */
static int vmclock_check_whole(void)
{
	const struct vmclock_abi *page;
	bool fit;

	if (!PAGE_ALIGNED(vmclock_place.address) || vmclock_place.size < PAGE_SIZE ||
	    sysgenid_id_check_memory(vmclock_place.address, PAGE_SIZE))
		return -EBUSY;
	page = sysgenid_id_map(vmclock_place.address, sizeof(*page));
	if (!page)
		return -ENOMEM;
	fit = le32_to_cpu(page->size) >= PAGE_SIZE && !READ_ONCE(page->beyond);
	memunmap((void *)page);
	return fit ? 0 : -EBUSY;
}

/*
 * sysgenid_vmclock_check_page - may the page be mapped now?
 *
 * May sleep. Return: 0; -ENODEV, -EBUSY, -EOPNOTSUPP (see sysgenid/abi.h); -ENOMEM.
 */
int sysgenid_vmclock_check_page(void)
{
	int ret;

	if (!vmclock || !vmclock_page)
		return -ENODEV;
	/* A mapping of user space is an encrypted one: it would show ciphertext. */
	if (sysgenid_memory_encrypted())
		return -EOPNOTSUPP;
	ret = vmclock_check_whole();
	if (ret != -ENOMEM)
		WRITE_ONCE(vmclock_page_error, ret);
	return ret;
}

/* What the last look at the page gave. */
int sysgenid_vmclock_page_error(void)
{
	return READ_ONCE(vmclock_page_error);
}

unsigned long sysgenid_vmclock_pfn(void)
{
	return PHYS_PFN(vmclock_place.address);
}

bool sysgenid_vmclock_notifies(void)
{
	return le64_to_cpu(READ_ONCE(vmclock->flags)) & VMCLOCK_NOTIFIES;
}

/*
 * sysgenid_vmclock_init - take the counter in the page at @place for a hardware id
 *
 * Return: 0; -ENODEV and @why it is not usable; -ENOMEM: that is not known.
 */
int sysgenid_vmclock_init(const struct sysgenid_place *place, const char **why)
{
	if (place->size < VMCLOCK_SIZE)
		*why = "its page is too short";
	else
		*why = sysgenid_id_check_memory(place->address, VMCLOCK_SIZE);
	if (*why)
		return -ENODEV;
	vmclock = sysgenid_id_map(place->address, VMCLOCK_SIZE);
	if (!vmclock)
		return -ENOMEM;
	*why = vmclock_check();
	if (*why) {
		sysgenid_vmclock_exit();
		return -ENODEV;
	}
	vmclock_place = *place;
	/* Compared as it is: what the bytes mean counts for nobody. */
	sysgenid.hardware_counter = (const u64 *)&vmclock->counter;
	sysgenid.sources |= BIT(SYSGENID_SOURCE_VMCLOCK);
	sysgenid.clock_record->hw_offset = offsetof(struct vmclock_abi, counter);
	sysgenid.clock_record->size = sizeof(*sysgenid.clock_record);
	if (sysgenid_vmclock_check_page() == 0)
		sysgenid.page->features |= SYSGENID_FEATURE_VMCLOCK_PAGE;
	return 0;
}

void sysgenid_vmclock_exit(void)
{
	if (vmclock)
		memunmap((void *)vmclock);
	vmclock = NULL;
}
