// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI VM_Gen_Counter device: find, map, compare, be notified.
 *
 * Its method ADDR gives the physical address of 16 bytes that the hypervisor
 * changes whenever it resumes the machine as something else than it was: a
 * clone, a rollback, a failover (Microsoft, "Virtual Machine Generation ID").
 *
 * No driver is registered for the device: the kernel's own may be bound to it,
 * and a notify handler of ours works beside that one.
 */
#include <linux/acpi.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "sysgenid.h"

#define ID_SIZE 16
/* Torn reads end when the hypervisor is done; a hostile one must not hold us. */
#define READ_TRIES 64

enum { HW_PAGE_AUTO, HW_PAGE_FORCE, HW_PAGE_OFF };

static const char *const hw_page_names[] = {
	[HW_PAGE_AUTO] = "auto",
	[HW_PAGE_FORCE] = "force",
	[HW_PAGE_OFF] = "off",
};

static int hw_page = HW_PAGE_AUTO;

static int hw_page_set(const char *text, const struct kernel_param *kp)
{
	int ret = sysfs_match_string(hw_page_names, text);

	if (ret < 0)
		return ret;
	hw_page = ret;
	return 0;
}

static int hw_page_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", hw_page_names[hw_page]);
}

static const struct kernel_param_ops hw_page_ops = {
	.set = hw_page_set,
	.get = hw_page_get,
};
module_param_cb(hw_page, &hw_page_ops, NULL, 0444);
__MODULE_PARM_TYPE(hw_page, "auto|force|off");
MODULE_PARM_DESC(
	hw_page,
	"Let /dev/sysgenid-hw map the page of the hardware id: auto (if nothing else is in it), force, off (default: auto)");

/* QEMU, Hyper-V and others name the device by the first, Firecracker the second. */
static char *const device_ids[] = { "VM_GEN_COUNTER", "VMGENCTR" };

static acpi_handle device;
static phys_addr_t address;
static const u64 *hardware_id; /* NULL: no device */
static int page_error = -ENODEV;
static bool notified;

static acpi_status found(acpi_handle handle, u32 level, void *others, void **result)
{
	if (!device)
		device = handle;
	else if (device != handle)
		++*(int *)others;
	return AE_OK;
}

static bool is_disjoint_from_ram(phys_addr_t from, size_t size)
{
	return region_intersects(from, size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) ==
	       REGION_DISJOINT;
}

/* Return: 0, -ENODEV and @why, or -ENOMEM. */
static int find_address(const char **why)
{
	struct acpi_buffer buffer = { ACPI_ALLOCATE_BUFFER, NULL };
	union acpi_object *obj;
	acpi_status status;
	int i, others = 0;

	for (i = 0; i < ARRAY_SIZE(device_ids); i++)
		acpi_get_devices(device_ids[i], found, &others, NULL);
	if (!device) {
		*why = "no VM generation id (ACPI VM_Gen_Counter) here";
		return -ENODEV;
	}
	/* Whatever the others are: the kernel's own driver takes the first, too. */
	if (others)
		pr_warn("%d VM generation ids: using the first\n", others + 1);

	status = acpi_evaluate_object(device, "ADDR", NULL, &buffer);
	if (ACPI_FAILURE(status)) {
		/* It may fail after it has allocated this. */
		ACPI_FREE(buffer.pointer);
		if (status == AE_NO_MEMORY)
			return -ENOMEM;
		*why = "the ACPI method ADDR of the VM generation id fails";
		return -ENODEV;
	}

	obj = buffer.pointer;
	if (!obj || obj->type != ACPI_TYPE_PACKAGE || obj->package.count != 2 ||
	    obj->package.elements[0].type != ACPI_TYPE_INTEGER ||
	    obj->package.elements[1].type != ACPI_TYPE_INTEGER) {
		*why = "the ACPI method ADDR of the VM generation id does not return two integers";
	} else {
		address = obj->package.elements[0].integer.value |
			  obj->package.elements[1].integer.value << 32;
		if (!address || !IS_ALIGNED(address, sizeof(u64)) ||
		    offset_in_page(address) + ID_SIZE > PAGE_SIZE)
			*why = "the VM generation id is at address 0, unaligned, or across pages";
		else if (address > iomem_resource.end - ID_SIZE)
			*why = "the VM generation id is at an address beyond this machine";
		else if (!is_disjoint_from_ram(address, ID_SIZE))
			*why = "the VM generation id is in memory that the kernel uses";
	}
	ACPI_FREE(buffer.pointer);
	return *why ? -ENODEV : 0;
}

/* Decrypted where memory is encrypted: the hypervisor writes it. */
static void *map(phys_addr_t from, size_t size)
{
	return memremap(from, size, MEMREMAP_WB | MEMREMAP_DEC);
}

/* Is there anything in the page but the id? Return: 0, -EBUSY or -ENOMEM. */
static int check_shared(void)
{
	size_t offset = offset_in_page(address);
	bool shared;
	void *page;

	if (!is_disjoint_from_ram(address - offset, PAGE_SIZE))
		return -EBUSY;
	page = map(address - offset, PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	shared = memchr_inv(page, 0, offset) ||
		 memchr_inv(page + offset + ID_SIZE, 0, PAGE_SIZE - offset - ID_SIZE);
	memunmap(page);
	return shared ? -EBUSY : 0;
}

/* May user space see the page? */
static int check_page(void)
{
	if (hw_page == HW_PAGE_OFF)
		return -ENODEV;
	/* A mapping of user space is an encrypted one: it would show ciphertext. */
	if (sysgenid_memory_encrypted())
		return -EOPNOTSUPP;
	return hw_page == HW_PAGE_FORCE ? 0 : check_shared();
}

/*
 * Reads until two reads agree: the machine may be stopped between two halves,
 * and a torn id would become a generation of its own. Return: whether they did.
 */
static bool read_id(u64 id[2])
{
	u64 again[2];
	int tries;

	again[0] = READ_ONCE(hardware_id[0]);
	again[1] = READ_ONCE(hardware_id[1]);
	for (tries = 0; tries < READ_TRIES; tries++) {
		id[0] = again[0];
		id[1] = again[1];
		again[0] = READ_ONCE(hardware_id[0]);
		again[1] = READ_ONCE(hardware_id[1]);
		if (id[0] == again[0] && id[1] == again[1])
			return true;
	}
	return false;
}

/* Is it an id, and not a register, or an address where nothing answers? */
static const char *check_id(u64 id[2])
{
	if (!read_id(id))
		return "the VM generation id never rests";
	/* What a bus reads where nothing is: it would never change. */
	if (id[0] == id[1] && (!id[0] || id[0] == U64_MAX))
		return "the VM generation id is all zeros or all ones, as if nothing were there";
	return NULL;
}

/*
 * sysgenid_vmgenid_init - find the hardware id
 *
 * Return: 0; -ENODEV and @why there is no usable one; -ENOMEM: that is not known.
 */
int sysgenid_vmgenid_init(const char **why)
{
	int ret = find_address(why);
	u64 id[2];

	if (ret)
		return ret;

	hardware_id = map(address, ID_SIZE);
	if (!hardware_id) {
		pr_err("not loaded: the VM generation id cannot be mapped\n");
		return -ENOMEM;
	}

	*why = check_id(id);
	page_error = *why ? -ENODEV : check_page();
	if (*why || page_error == -ENOMEM) {
		sysgenid_vmgenid_exit();
		hardware_id = NULL;
		return page_error;
	}
	memcpy(sysgenid.record->id, id, sizeof(id));
	sysgenid.record->hw_offset = offset_in_page(address);
	sysgenid.record->size = sizeof(*sysgenid.record);
	sysgenid_reseed_mix(id, sizeof(id));
	/* The snapshot may be older than the module: generation 0 is a promise, too. */
	sysgenid_reseed_now();

	sysgenid.sources |= BIT(SYSGENID_SOURCE_VMGENID);
	return 0;
}

/*
 * ACPICA runs this before the handler of the in-tree driver, and in a context of
 * its own: comparing is left to the work.
 */
static void notify(acpi_handle handle, u32 event, void *context)
{
	sysgenid_compare_soon();
}

void sysgenid_vmgenid_start(void)
{
	acpi_status status;

	if (!hardware_id)
		return;
	status = acpi_install_notify_handler(device, ACPI_DEVICE_NOTIFY, notify, NULL);
	notified = ACPI_SUCCESS(status);
	if (!notified)
		pr_warn("no notifications of the VM generation id: sleeping programs learn late\n");
}

/* No handler runs when this returns. */
void sysgenid_vmgenid_stop(void)
{
	if (notified)
		acpi_remove_notify_handler(device, ACPI_DEVICE_NOTIFY, notify);
}

void sysgenid_vmgenid_exit(void)
{
	if (hardware_id)
		memunmap((void *)hardware_id);
}

bool sysgenid_vmgenid_present(void)
{
	return hardware_id;
}

/*
 * sysgenid_vmgenid_moved - does the hardware id differ from the recorded one?
 *
 * Without the lock "yes" may be wrong (a publisher is between the halves of the
 * record). "No" is right: the generation of that id is then visible to loads
 * that follow.
 */
bool sysgenid_vmgenid_moved(void)
{
	const u64 *id = sysgenid.record->id;
	u64 recorded[2];

	if (!hardware_id)
		return false;
	recorded[0] = READ_ONCE(id[0]);
	recorded[1] = READ_ONCE(id[1]);
	smp_rmb(); /* pairs with the smp_wmb() in store() */
	return READ_ONCE(hardware_id[0]) != recorded[0] || READ_ONCE(hardware_id[1]) != recorded[1];
}

/*
 * sysgenid_vmgenid_read - the hardware id as it is now
 *
 * Return: false if there is no device.
 */
bool sysgenid_vmgenid_read(u64 id[2])
{
	if (!hardware_id)
		return false;
	read_id(id);
	return true;
}

/*
 * sysgenid_vmgenid_page - the page that /dev/sysgenid-hw maps
 *
 * Return: 0, or why not: -ENODEV, -EBUSY, -EOPNOTSUPP (see sysgenid/abi.h).
 */
int sysgenid_vmgenid_page(unsigned long *pfn)
{
	*pfn = PHYS_PFN(address);
	return page_error;
}
