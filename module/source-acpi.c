// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI device VM_Gen_Counter.
 *
 * Its method ADDR gives the physical address of 16 bytes (Microsoft, "Virtual
 * Machine Generation ID"). The hypervisor changes them when it resumes the machine
 * as a clone, after a rollback, or after a failover.
 *
 * The kernel's own driver may be bound to the device. So this module registers no
 * driver, only a notify handler, which works beside the kernel's.
 */
#include <linux/acpi.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/string.h>

#include "source.h"

/* QEMU, Hyper-V and others name the device by the first, Firecracker the second. */
static char *const acpi_device_ids[] = { "VM_GEN_COUNTER", "VMGENCTR" };

/* Of QEMU, Firecracker and Hyper-V, which notify of each change. Xen does not. */
static const char *const acpi_notified_ids[] = {
	"QEMUVGID", "FCVMGID", "VMGENCTR", "HYPER_V_GEN_COUNTER_V1", "MSFT1002",
};

/* The method gives an address alone. */
#define ACPI_ID_SIZE 16

/* The devices that match. */
struct acpi_found {
	acpi_handle first;
	int others;
};

static acpi_status acpi_take(acpi_handle handle, u32 level, void *context, void **result)
{
	struct acpi_found *found = context;

	if (!found->first)
		found->first = handle;
	else if (found->first != handle)
		found->others++;
	return AE_OK;
}

static int acpi_find(struct sysgenid_source *s, struct sysgenid_place *place, const char **why)
{
	struct acpi_buffer buffer = { ACPI_ALLOCATE_BUFFER, NULL };
	union acpi_object *obj;
	struct acpi_found found = {};
	acpi_status status;
	int i;

	for (i = 0; i < ARRAY_SIZE(acpi_device_ids); i++)
		acpi_get_devices(acpi_device_ids[i], acpi_take, &found, NULL);
	if (!found.first)
		return -ENOENT;
	/* Whatever the others are: the kernel's own driver takes the first, too. */
	if (found.others)
		pr_warn("%d VM generation ids: using the first\n", found.others + 1);

	s->device = found.first;
	status = acpi_evaluate_object(s->device, "ADDR", NULL, &buffer);
	if (ACPI_FAILURE(status)) {
		/* ACPICA may fail after it has allocated this. */
		ACPI_FREE(buffer.pointer);
		if (status == AE_NO_MEMORY)
			return -ENOMEM;
		*why = "the ACPI method ADDR of the VM generation id fails";
		return -ENODEV;
	}

	obj = buffer.pointer;
	if (!obj || obj->type != ACPI_TYPE_PACKAGE || obj->package.count != 2 ||
	    obj->package.elements[0].type != ACPI_TYPE_INTEGER ||
	    obj->package.elements[1].type != ACPI_TYPE_INTEGER)
		*why = "the ACPI method ADDR of the VM generation id does not return two integers";
	else
		place->address = obj->package.elements[0].integer.value |
				 obj->package.elements[1].integer.value << 32;
	place->size = ACPI_ID_SIZE;
	ACPI_FREE(buffer.pointer);
	return *why ? -ENODEV : 0;
}

/*
 * ACPICA runs this before the handler of the in-tree driver, and in a context of
 * its own.
 */
static void acpi_notify(acpi_handle handle, u32 event, void *source)
{
	((struct sysgenid_source *)source)->notify();
}

static bool acpi_is_notified(acpi_handle device)
{
	struct acpi_device_info *info;
	bool found = false;
	int i;

	if (ACPI_FAILURE(acpi_get_object_info(device, &info)))
		return false;
	for (i = 0; i < ARRAY_SIZE(acpi_notified_ids) && info->valid & ACPI_VALID_HID; i++)
		found |= !strcmp(info->hardware_id.string, acpi_notified_ids[i]);
	ACPI_FREE(info);
	return found;
}

/* Return: 0 or -EIO: who else calls this knows for itself whether it is notified. */
int sysgenid_acpi_listen(struct sysgenid_source *s)
{
	acpi_status status;

	status = acpi_install_notify_handler(s->device, ACPI_DEVICE_NOTIFY, acpi_notify, s);
	return ACPI_FAILURE(status) ? -EIO : 0;
}

static int acpi_listen(struct sysgenid_source *s)
{
	return sysgenid_acpi_listen(s) ?: acpi_is_notified(s->device);
}

/* No handler runs when this returns. */
void sysgenid_acpi_unlisten(struct sysgenid_source *s)
{
	acpi_remove_notify_handler(s->device, ACPI_DEVICE_NOTIFY, acpi_notify);
}

struct sysgenid_source sysgenid_source_acpi = {
	.name = "VM_Gen_Counter",
	.find = acpi_find,
	.listen = acpi_listen,
	.unlisten = sysgenid_acpi_unlisten,
};

MODULE_ALIAS("acpi*:VM_GEN_COUNTER:*");
MODULE_ALIAS("acpi*:VMGENCTR:*");
