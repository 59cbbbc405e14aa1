// SPDX-License-Identifier: MIT
/* sysgenidctl doctor: what the hypervisor offers, in a machine made of files. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/doctor.h"
#include "doctor-root.h"
#include "suite.h"

static struct doctor doctor;

#define NODES "/sys/firmware/devicetree/base/"

static void compatible(const char *node, const char *list, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), NODES "%s/compatible", node);
	root_bytes(path, list, len, 0444);
}

#define COMPATIBLE(node, list) compatible(node, list, sizeof(list))

START_TEST(machine_without_an_id_is_a_problem)
{
	said(examine_hardware_id, &doctor, "offers no VM generation id");
	/* The list is of whole names, and another property is none. */
	COMPATIBLE("clock", "microsoft,vmgenid2\0x,microsoft,vmgenid");
	root_bytes(NODES "clock/name", "microsoft,vmgenid", 18, 0444);
	said(examine_hardware_id, &doctor, "offers no VM generation id");
	ck_assert_uint_eq(doctor.problems, 1);
}
END_TEST

START_TEST(id_of_acpi_is_named)
{
	root_file("/sys/bus/acpi/devices/QEMUVGID:00/modalias",
		  "acpi:QEMUVGID:VM_GEN_COUNTER:\n");
	root_file("/sys/bus/acpi/devices/QEMUVGID:00/path", "\\_SB_.VGEN\n");
	said(examine_hardware_id, &doctor,
	     "offers a VM generation id (ACPI \\_SB_.VGEN)");
	ck_assert_uint_eq(doctor.problems, 0);
}
END_TEST

START_TEST(id_of_a_devicetree_is_named)
{
	COMPATIBLE("cpus/cpu@0", "arm,cortex-a57");
	COMPATIBLE("soc/vmgenid@4f000000", "vendor,id\0microsoft,vmgenid");
	said(examine_hardware_id, &doctor,
	     "offers a VM generation id (devicetree /soc/vmgenid@4f000000)");
	ck_assert_uint_eq(doctor.problems, 0);
}
END_TEST

static void set_up(void)
{
	root_make();
	atexit(root_remove);
	doctor = (struct doctor){ .root = root };
}

int main(void)
{
	const TTest *tests[] = {
		machine_without_an_id_is_a_problem,
		id_of_acpi_is_named,
		id_of_a_devicetree_is_named,
	};

	return RUN_TESTS("hypervisor", tests, set_up);
}
