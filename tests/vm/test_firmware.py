# SPDX-License-Identifier: MIT
"""Hostile hypervisors and firmware: the module refuses, or survives, and says so in one line."""

import errno
import re
import struct

from vmlib import VM, Context, vmtest
from vmlib.firmware import with_table

from test_smoke import generation

# acpi/vmgenid.asl has the layout.
PAGE = 0x8000000
ID = PAGE + 0x28
PRESENT = 15
INTERVAL = "/sys/module/sysgenid/parameters/compare_interval_ms"
STATUS = "/sys/bus/acpi/devices/SYSG0003:00/status"
KINDS = (
    "two integers",
    "an integer",
    "a string",
    "a buffer",
    "one integer",
    "three integers",
    "strings",
    "an integer and a package",
    "two elements that are not there",
    "an empty package",
    "an error",
)
ADDRESSES = {
    "zero": 0,
    "unaligned": ID + 4,
    "across pages": PAGE + 0xFF8,
    "the kernel's memory": 0x2000000,
    "a hole, where nothing answers": 0xE0000028,
    "above all memory": 2**36 + 0x28,
    "more bits than a bus has": 2**47 + 0x28,
    "all the bits there are": 2**64 - 0x10,
    "a clock's registers": 0xFED000F0,
}
REFUSAL = "not loaded: "
# The id's page has other data here, so none of the exact kind.
CLIENTS = ("reader", "tracked", "epoll-level", "epoll-edge", "poll", "select", "mapped", "forked")
# Most lines that a flood may write in five seconds: the generations shown, and how many were not.
LINES = 51
KERNELS = ("bookworm-cloud", "trixie-cloud")


def say(
    vm: VM,
    *,
    none: bool = False,
    first: bool = True,
    second: bool = False,
    kind: int = 0,
    address: int = ID,
    count: int = 0,
    change: bool = False,
) -> None:
    """What the firmware answers from now on; none: a device without an address comes before the others."""
    present = (PRESENT * there for there in (none, first, second))
    words = struct.pack("<4IQ2I", *present, kind, address, count, change)
    vm.memory[PAGE + 0x100 : PAGE + 0x120] = words


def machine(t: Context, smp: int = 1) -> VM:
    vm = t.boot(guid=None, ram_file=True, smp=smp, append=f"memmap=4K${PAGE:#x}", extra=with_table("vmgenid"))
    vm.memory[ID : ID + 32] = bytes(range(32))
    return vm


def lines(vm: VM) -> list[str]:
    """What the module has said since it was asked last."""
    said = [line.partition("sysgenid: ")[2] for line in vm.dmesg().splitlines() if "sysgenid: " in line]
    vm.run("dmesg", "-c")
    return [line for line in said if "taint" not in line]


def refused(vm: VM) -> str:
    """Why the module does not load, which is one line."""
    lines(vm)
    assert vm.insmod() == errno.ENODEV
    said = lines(vm)
    assert len(said) == 1 and said[0].startswith(REFUSAL), said
    assert not vm.exists("/dev/sysgenid")
    return said[0]


@vmtest(KERNELS)
def well_formed_table_is_accepted(t: Context) -> None:
    """The control: nothing about the table itself keeps the module from loading."""
    vm = machine(t)
    say(vm)
    assert vm.insmod() == 0
    assert generation(vm) == 0
    vm.memory[ID] = 255
    assert generation(vm) == 1
    assert vm.rmmod() == 0


@vmtest(KERNELS)
def addresses_of_no_sense_are_refused(t: Context) -> None:
    vm = machine(t)
    for kind, what in enumerate(KINDS[1:], 1):
        say(vm, kind=kind)
        t.log(f"{what}: {refused(vm)}")
    for what, address in ADDRESSES.items():
        say(vm, address=address)
        t.log(f"{what}: {refused(vm)}")
    for byte in (b"\0", b"\xff"):
        vm.memory[ID : ID + 16] = 16 * byte
        say(vm)
        assert "all zeros or all ones" in refused(vm)
    vm.memory[ID : ID + 16] = bytes(range(16))
    # A device without the method, and no device.
    say(vm, none=True, first=False)
    assert "ADDR" in refused(vm)
    say(vm, first=False)
    assert "no VM generation id" in refused(vm)
    say(vm)
    assert vm.insmod() == 0, "an honest answer is believed afterwards"


@vmtest(quick=True)
def id_of_qemu_is_not_compared_by_a_timer(t: Context) -> None:
    vm = t.boot(insmod="")
    assert vm.read(INTERVAL) == "0"


@vmtest("bookworm-cloud")
def id_of_an_unknown_hypervisor_is_compared_now_and_then(t: Context) -> None:
    """Its device is not one of those whose hypervisors notify."""
    vm = machine(t)
    say(vm)
    assert vm.insmod() == 0
    assert vm.read(INTERVAL) == "2000"
    vm.spawn("clients", "clients", "reader")
    vm.wait_output("clients", "^ready", limit=20)
    vm.memory[ID] = 255
    vm.wait_output("clients", "^reader 1$", limit=20)


@vmtest(KERNELS)
def of_two_devices_the_first_counts(t: Context) -> None:
    vm = machine(t)
    say(vm, address=ID + 16, second=True)
    lines(vm)
    assert vm.insmod() == 0
    said = lines(vm)
    assert sum("using the first" in line for line in said) == 1, said
    vm.memory[ID] = 255
    assert generation(vm) == 0, "the second device has changed, not the first"
    vm.memory[ID + 16] = 255
    assert generation(vm) == 1
    assert vm.rmmod() == 0
    # Not even if the first is of no use: which one is the hypervisor's is not for us to guess.
    say(vm, none=True)
    assert vm.insmod() == errno.ENODEV
    assert [line for line in lines(vm) if line.startswith(REFUSAL)]


def storm(vm: VM, count: int, change: bool) -> int:
    """So many notifications, one after another; returns nanoseconds of the guest."""
    say(vm, count=count, change=change)
    start = vm.ping()
    vm.read(STATUS)
    took = vm.ping() - start
    assert struct.unpack_from("<I", vm.memory, PAGE + 0x118)[0] == 0, "there was no storm"
    return took


def storms(t: Context, count: int) -> None:
    vm = machine(t, smp=2)
    say(vm)
    assert vm.insmod("compare_interval_ms=0") == 0
    vm.spawn("clients", "clients", *CLIENTS)
    vm.wait_output("clients", "^ready", limit=20)
    lines(vm)

    took = storm(vm, count, False)
    t.log(f"{count} notifications of nothing in {took / 1e6:.0f} ms")
    assert generation(vm) == 0
    assert lines(vm) == []
    assert not re.search(" [1-9]", vm.out("clients").out.partition("\n")[2])

    took = storm(vm, count, True)
    last = generation(vm)
    t.log(f"{count} notifications of a change each in {took / 1e6:.0f} ms: {last} generations")
    assert 0 < last <= count
    # All who listen end up with the last one.
    for kind in CLIENTS:
        vm.wait_output("clients", rf"^{kind} {last}$", limit=20)
    assert generation(vm) == last
    said = lines(vm)
    assert said and len(said) <= LINES * (took // 5e9 + 2), f"{len(said)} lines in the log"


@vmtest("bookworm-cloud", full_kernels=KERNELS, cpus=2, timeout=120, full_timeout=600)
def storm_of_notifications(t: Context) -> None:
    storms(t, t.count(10_000, full=500_000))
