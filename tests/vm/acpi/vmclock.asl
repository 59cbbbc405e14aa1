// SPDX-License-Identifier: MIT
/*
 * A vmclock. Its page is the second of two at 128 MiB that the kernel is told to
 * leave alone. The test writes what a hypervisor would keep there.
 *
 * A read of /sys/bus/acpi/devices/SYSG0004:00/status notifies of a change.
 */
DefinitionBlock ("", "SSDT", 2, "SYSGEN", "VMCLOCK", 1)
{
	Scope (\_SB)
	{
		Device (VCLK)
		{
			Name (_HID, "AMZNC10C")
			Name (_CID, "VMCLOCK")
			Name (_CRS, ResourceTemplate ()
			{
				QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadOnly,
					0, 0x08001000, 0x08001FFF, 0, 0x1000)
			})
			Method (_STA) { Return (0x0F) }
		}

		Device (TELL)
		{
			Name (_HID, "SYSG0004")
			Method (_STA)
			{
				Notify (VCLK, 0x80)
				Return (0x0F)
			}
		}
	}
}
