# SPDX-License-Identifier: MIT
"""The architectures of guests: what differs between their machines.

The host's is amd64, whose guests find the id by ACPI. QEMU has no vmgenid device for arm64: there the harness makes the
device itself, with a devicetree (devicetree.py) and a page of the guest's memory.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = "amd64"


@dataclass(frozen=True)
class Architecture:
    """name is Debian's; compiler and compiler32 are what the names of compilers begin with."""

    name: str
    compiler: str
    compiler32: str
    qemu: str
    machine: str
    # What QEMU calls ordinary memory, so that state files fit machines whose memory is a file.
    ram: str
    ram_base: int
    cpu: str
    kernel_options: str
    # Options of QEMU for the chardev "control".
    control: tuple[str, ...]
    devicetree: bool

    @property
    def foreign(self) -> bool:
        return self.name != HOST


# No RDRAND and no RDSEED: with them the guest's RNG differs in clones whatever anybody does. No CMPXCHG16B: after
# it, the TCG of QEMU 7.2 leaves other bits than ZF of the flags undefined. An interrupt that saves them then restores a
# trap flag that nobody set. Once in some thousand clones that was a double fault in the kernel's slab allocator.
#
# A kernel that gets no timer interrupt for a while at its very start panics. Here the load of the host is the cause,
# not the timer: no_timer_check.
AMD64 = Architecture(
    name="amd64",
    compiler="",
    compiler32="",
    qemu="qemu-system-x86_64",
    machine="pc",
    ram="pc.ram",
    ram_base=0,
    cpu="qemu64,-cx16",
    kernel_options="console=ttyS0 panic=-1 loglevel=5 no_timer_check",
    control=("-serial", "chardev:control"),
    devicetree=False,
)

# This processor has no RNDR, as the other one has no RDRAND, and runs 32-bit programs.
ARM64 = Architecture(
    name="arm64",
    compiler="aarch64-linux-gnu-",
    compiler32="arm-linux-gnueabihf-",
    qemu="qemu-system-aarch64",
    machine="virt",
    ram="mach-virt.ram",
    ram_base=0x40000000,
    cpu="cortex-a57",
    kernel_options="console=ttyAMA0 panic=-1 loglevel=5",
    control=("-device", "pci-serial,chardev=control"),
    devicetree=True,
)

ALL = {a.name: a for a in (AMD64, ARM64)}
