// SPDX-License-Identifier: MIT
/*
 * Malformed firmware. The page of memory at 128 MiB says what these devices
 * answer. The kernel is told to leave the page alone; the test writes it, from
 * outside, between two loads of the module. All zero, as at boot, is no device at all.
 *
 * A read of /sys/bus/acpi/devices/SYSG0003:00/status is a storm: COUN
 * notifications of a change, with a change before each if CHNG.
 */
DefinitionBlock ("", "SSDT", 2, "SYSGEN", "FIRMWARE", 1)
{
	OperationRegion (PAGE, SystemMemory, 0x08000000, 0x1000)
	Field (PAGE, DWordAcc, NoLock, Preserve)
	{
		Offset (0x28),
		GUID, 64,	// the first half of the hardware id
		Offset (0x100),
		STA0, 32,	// 15: a device without an address is there
		STA1, 32,	// 15: a device is there
		STA2, 32,	// 15: another device is there
		KIND, 32,	// what ADDR answers
		LOW, 32,
		HIGH, 32,
		COUN, 32,
		CHNG, 32
	}

	Scope (\_SB)
	{
		Device (VGN0)
		{
			Name (_HID, "SYSG0000")
			Name (_CID, "VM_Gen_Counter")
			Method (_STA) { Return (STA0) }
		}

		Device (VGN1)
		{
			Name (_HID, "SYSG0001")
			Name (_CID, "VM_Gen_Counter")
			Method (_STA) { Return (STA1) }
			Method (ADDR, 0, Serialized)
			{
				Local0 = Package (2) { 0, 0 }
				Local0[0] = LOW
				Local0[1] = HIGH
				Switch (ToInteger (KIND))
				{
					Case (1) { Return (0x08000028) }
					Case (2) { Return ("0x08000028") }
					Case (3) { Return (Buffer (8) { 0x28, 0, 0, 8 }) }
					Case (4) { Return (Package (1) { 0x08000028 }) }
					Case (5) { Return (Package (3) { 0x08000028, 0, 0 }) }
					Case (6) { Return (Package (2) { "0x08000028", "0" }) }
					Case (7) { Return (Package (2) { 0x08000028, Package (1) { 0 } }) }
					Case (8) { Return (Package (2) { }) }
					Case (9) { Return (Package (0) { }) }
					Case (10) { Return (1 / HIGH) }	// by zero
				}
				Return (Local0)
			}
		}

		Device (VGN2)
		{
			Name (_HID, "SYSG0002")
			Name (_CID, "VM_Gen_Counter")
			Method (_STA) { Return (STA2) }
			Method (ADDR) { Return (Package (2) { 0x08000028, 0 }) }
		}

		Device (STRM)
		{
			Name (_HID, "SYSG0003")
			Method (_STA)
			{
				Local0 = COUN
				COUN = 0
				While (Local0)
				{
					If (CHNG) { GUID += 1 }
					Notify (VGN1, 0x80)
					Local0--
				}
				Return (0x0F)
			}
		}
	}
}
