// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmclock: the ACPI device AMZNC10C, or the node "amazon,vmclock" of a devicetree.
 *
 * The kernel's own driver may be bound to either. vmclock.c says what is in the page.
 */
#include <linux/acpi.h>
#include <linux/errno.h>
#include <linux/module.h>

#include "source.h"
#include "sysgenid.h"

#ifdef CONFIG_ACPI
static acpi_status vmclock_found(acpi_handle handle, u32 level, void *first, void **result)
{
	if (!*(acpi_handle *)first)
		*(acpi_handle *)first = handle;
	return AE_OK;
}

/* The first memory among the resources of the device. */
static acpi_status vmclock_memory(struct acpi_resource *resource, void *context)
{
	struct sysgenid_place *place = context;
	struct acpi_resource_address64 address;

	if (place->size)
		return AE_OK;
	if (resource->type == ACPI_RESOURCE_TYPE_FIXED_MEMORY32) {
		place->address = resource->data.fixed_memory32.address;
		place->size = resource->data.fixed_memory32.address_length;
	} else if (ACPI_SUCCESS(acpi_resource_to_address64(resource, &address)) &&
		   address.resource_type == ACPI_MEMORY_RANGE) {
		place->address = address.address.minimum;
		place->size = address.address.address_length;
	}
	return AE_OK;
}

static int vmclock_find_acpi(struct sysgenid_source *s, struct sysgenid_place *place,
			     const char **why)
{
	acpi_status status;

	s->device = NULL;
	acpi_get_devices(s->name, vmclock_found, &s->device, NULL);
	if (!s->device)
		return -ENOENT;
	place->size = 0;
	status = acpi_walk_resources(s->device, METHOD_NAME__CRS, vmclock_memory, place);
	if (status == AE_NO_MEMORY)
		return -ENOMEM;
	if (ACPI_SUCCESS(status) && place->size)
		return 0;
	*why = "its ACPI device has no memory";
	return -ENODEV;
}

static int vmclock_listen_acpi(struct sysgenid_source *s)
{
	return sysgenid_acpi_listen(s) ?: sysgenid_vmclock_notifies();
}

struct sysgenid_source sysgenid_source_vmclock_acpi = {
	.name = "AMZNC10C",
	.find = vmclock_find_acpi,
	.listen = vmclock_listen_acpi,
	.unlisten = sysgenid_acpi_unlisten,
};

MODULE_ALIAS("acpi*:AMZNC10C:*");
#endif

#ifdef CONFIG_OF
struct sysgenid_source sysgenid_source_vmclock_of = {
	.name = "amazon,vmclock",
	.find = sysgenid_of_find,
	.listen = sysgenid_of_listen,
	.unlisten = sysgenid_of_unlisten,
};

MODULE_ALIAS("of:N*T*Camazon,vmclock");
MODULE_ALIAS("of:N*T*Camazon,vmclockC*");
#endif
