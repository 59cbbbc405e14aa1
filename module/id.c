// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM generation id: 16 bytes of guest memory that the hypervisor changes. Map and
 * check them, whoever found them; and read all hardware ids together.
 */
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "source.h"
#include "sysgenid.h"

#define ID_SIZE 16
/* Torn reads end when the hypervisor is done; a hostile one must not hold us. */
#define ID_READ_TRIES 64

enum { HW_PAGE_AUTO, HW_PAGE_FORCE, HW_PAGE_OFF };

static const char *const hw_page_names[] = {
	[HW_PAGE_AUTO] = "auto",
	[HW_PAGE_FORCE] = "force",
	[HW_PAGE_OFF] = "off",
};

static int hw_page = HW_PAGE_AUTO;

static int id_hw_page_set(const char *text, const struct kernel_param *kp)
{
	int ret = sysfs_match_string(hw_page_names, text);

	if (ret < 0)
		return ret;
	hw_page = ret;
	return 0;
}

static int id_hw_page_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", hw_page_names[hw_page]);
}

static const struct kernel_param_ops id_hw_page_ops = {
	.set = id_hw_page_set,
	.get = id_hw_page_get,
};
module_param_cb(hw_page, &id_hw_page_ops, NULL, 0444);
__MODULE_PARM_TYPE(hw_page, "auto|force|off");
MODULE_PARM_DESC(hw_page,
		 "Let /dev/sysgenid-hw map the page of the id: auto, force, off (default: auto)");

static phys_addr_t id_address;
static void *id_mapped;
static const u64 *id_none; /* what stands for it where it is not mapped */
static int id_page_error = -ENODEV;

static bool id_is_disjoint_from_ram(phys_addr_t from, size_t size)
{
	return region_intersects(from, size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) ==
	       REGION_DISJOINT;
}

/* May an id be at @address? Return: what is wrong with it, or NULL. */
const char *sysgenid_id_check_memory(u64 address, size_t size)
{
	if (!address || !IS_ALIGNED(address, sizeof(u64)) ||
	    offset_in_page(address) + size > PAGE_SIZE)
		return "the id is at address 0, unaligned, or across pages";
	/* Before it is cut to what a pointer holds. */
	if (address > iomem_resource.end - size)
		return "the id is at an address beyond this machine";
	if (!id_is_disjoint_from_ram(address, size))
		return "the id is in memory that the kernel uses";
	return NULL;
}

/* Decrypted where memory is encrypted: the hypervisor writes it. */
void *sysgenid_id_map(phys_addr_t from, size_t size)
{
	return memremap(from, size, MEMREMAP_WB | MEMREMAP_DEC);
}

/* Is there anything in the page but the id? Return: 0, -EBUSY or -ENOMEM. */
static int id_check_shared(void)
{
	size_t offset = offset_in_page(id_address);
	bool shared;
	void *page;

	if (!id_is_disjoint_from_ram(id_address - offset, PAGE_SIZE))
		return -EBUSY;
	page = sysgenid_id_map(id_address - offset, PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	shared = memchr_inv(page, 0, offset) ||
		 memchr_inv(page + offset + ID_SIZE, 0, PAGE_SIZE - offset - ID_SIZE);
	memunmap(page);
	return shared ? -EBUSY : 0;
}

/* May user space see the page? */
static int id_check_page(void)
{
	if (hw_page == HW_PAGE_OFF)
		return -ENODEV;
	/* A mapping of user space is an encrypted one: it would show ciphertext. */
	if (sysgenid_memory_encrypted())
		return -EOPNOTSUPP;
	return hw_page == HW_PAGE_FORCE ? 0 : id_check_shared();
}

static void id_read_once(struct sysgenid_ids *ids)
{
	ids->guid[0] = READ_ONCE(sysgenid.hardware_id[0]);
	ids->guid[1] = READ_ONCE(sysgenid.hardware_id[1]);
	ids->counter = READ_ONCE(*sysgenid.hardware_counter);
}

/*
 * Reads until nothing differs. The machine may be stopped between two halves, or
 * between two ids: torn ids would become a generation of their own. Return: whether
 * two reads agreed.
 */
static bool id_read_untorn(struct sysgenid_ids *ids)
{
	int tries;

	for (tries = 0; tries < ID_READ_TRIES; tries++) {
		id_read_once(ids);
		if (!sysgenid_id_differs(ids))
			return true;
	}
	return false;
}

/* Is it an id, and not a register, or an address where nothing answers? */
static const char *id_check(void)
{
	struct sysgenid_ids ids;

	if (!id_read_untorn(&ids))
		return "the VM generation id changes on every read";
	/* What a bus reads where nothing is: it would never change. */
	if (ids.guid[0] == ids.guid[1] && (!ids.guid[0] || ids.guid[0] == U64_MAX))
		return "the VM generation id is all zeros or all ones, as if nothing were there";
	return NULL;
}

/*
 * sysgenid_id_init - take the id at @place for the hardware id
 *
 * Return: 0; -ENODEV and @why it is not usable; -ENOMEM: that is not known.
 */
int sysgenid_id_init(const struct sysgenid_place *place, const char **why)
{
	if (place->size < ID_SIZE)
		*why = "the id has less than 16 bytes";
	else
		*why = sysgenid_id_check_memory(place->address, ID_SIZE);
	if (*why)
		return -ENODEV;
	id_address = place->address;
	id_none = sysgenid.hardware_id;
	id_mapped = sysgenid_id_map(id_address, ID_SIZE);
	if (!id_mapped) {
		pr_err("not loaded: the VM generation id cannot be mapped\n");
		return -ENOMEM;
	}

	sysgenid.hardware_id = id_mapped;
	*why = id_check();
	id_page_error = *why ? -ENODEV : id_check_page();
	if (*why || id_page_error == -ENOMEM) {
		sysgenid_id_exit();
		return id_page_error;
	}
	sysgenid.sources |= BIT(SYSGENID_SOURCE_VMGENID);
	return 0;
}

void sysgenid_id_exit(void)
{
	if (!id_mapped)
		return;
	sysgenid.hardware_id = id_none;
	sysgenid.sources &= ~BIT(SYSGENID_SOURCE_VMGENID);
	memunmap(id_mapped);
	id_mapped = NULL;
}

/* Of either kind. */
bool sysgenid_id_present(void)
{
	return sysgenid.sources & (BIT(SYSGENID_SOURCE_VMGENID) | BIT(SYSGENID_SOURCE_VMCLOCK));
}

/* sysgenid_id_read - the hardware ids as they are now */
void sysgenid_id_read(struct sysgenid_ids *ids)
{
	id_read_untorn(ids);
}

/*
 * sysgenid_id_check_page - may the page be mapped now?
 *
 * Some hypervisors put other data into it later. What is mapped already stays.
 * May sleep. Return: as sysgenid_id_page(), or -ENOMEM.
 */
int sysgenid_id_check_page(void)
{
	int ret = READ_ONCE(id_page_error);

	if (hw_page != HW_PAGE_AUTO || (ret && ret != -EBUSY))
		return ret;
	ret = id_check_shared();
	if (ret != -ENOMEM)
		WRITE_ONCE(id_page_error, ret);
	return ret;
}

/*
 * sysgenid_id_page - the page that /dev/sysgenid-hw maps
 *
 * @offset: where the id is in it.
 * Return: 0, or why not: -ENODEV, -EBUSY, -EOPNOTSUPP (see sysgenid/abi.h).
 */
int sysgenid_id_page(unsigned long *pfn, u32 *offset)
{
	*pfn = PHYS_PFN(id_address);
	*offset = offset_in_page(id_address);
	return READ_ONCE(id_page_error);
}
