# SPDX-License-Identifier: MIT
"""The generation counter of vmclock: a second id, the same in all clones, whose page everybody may map.

No hypervisor of Debian's has the counter. The tests have an ACPI table, and write the page as a hypervisor does: while
the machine is paused.
"""

import errno
import json
import struct

from vmlib import VM, Context, State, vmtest, wait_until
from vmlib.drivers import drivers
from vmlib.firmware import with_table
from vmlib.extras import with_files

from test_clones import instance_error
from test_doctor import about, doctor
from test_sources import sysfs
from test_smoke import generation

# acpi/vmclock.asl has the place.
RESERVED = 0x8000000
PAGE = RESERVED + 0x1000
STATUS = "/sys/bus/acpi/devices/SYSG0004:00/status"
INTERVAL = "/sys/module/sysgenid/parameters/compare_interval_ms"
COUNTER_PRESENT, NOTIFIES = 1 << 8, 1 << 9
# Debian 12 has no driver of its own for vmclock, sid has one.
KERNELS = ("bookworm-cloud", "sid-cloud")
SIBLING, SAME = "auto", "same"


def say(
    vm: VM,
    counter: int = 7,
    *,
    seq: int = 2,
    marker: int = 1,
    magic: bytes = b"VCLK",
    size: int = 0x1000,
    version: int = 1,
    flags: int = COUNTER_PRESENT | NOTIFIES,
    beyond: int = 0,
) -> None:
    """What the page says from now on."""
    head = struct.pack("<4sIHBBIQQ", magic, size, version, 0xFF, 0, seq, marker, flags)
    vm.memory[PAGE : PAGE + 0x78] = head.ljust(0x68, b"\0") + struct.pack("<QQ", counter, beyond)


def machine(t: Context, guid: str | None = "auto", patch: str | None = None, smp: int = 1) -> VM:
    files = drivers(t.kernel, ["pps_core", "ptp", "ptp_vmclock"]) if t.kernel.name == "sid-cloud" else {}
    extra = [*with_table("vmclock"), *with_files(t.initrd(True, patch), files)] if files else with_table("vmclock")
    vm = t.boot(guid=guid, ram_file=True, patch=patch, smp=smp, append=f"memmap=8K${RESERVED:#x}", extra=extra)
    say(vm)
    for name in ("pps_core", "ptp", "ptp_vmclock"):
        if f"lib/{name}.ko" in files:
            assert vm.run("insmod", f"/lib/{name}.ko").ok
    if files:
        wait_until(lambda: vm.exists("/dev/vmclock0"), 20, "the kernel's own driver")
    return vm


def resumed(t: Context, state: State, guid: str, counter: int, **more: int) -> VM:
    """A clone, whose hypervisor has written both ids before the first instruction."""
    clone = t.clone(state, guid, paused=True, ram_file=True)
    say(clone, counter, **more)
    clone.resume()
    return clone


def told(vm: VM, line: str) -> None:
    wait_until(lambda: f"sysgenid: {line}" in vm.dmesg(), 30, line)


def check_cases(t: Context, vm: VM) -> None:
    """One restore is one generation, whichever id says so."""
    vm.spawn("mapped", "mapped-only")
    vm.wait_output("mapped", "^ready$", limit=20)
    state = vm.snapshot()

    clone = resumed(t, state, SAME, 8)
    clone.wait_output("mapped", "^changed 1$", limit=30)
    told(clone, "generation 1 (vmclock), without entropy: clones may draw equal random bytes")
    assert (generation(clone), sysfs(clone, "source")) == (1, "vmclock")
    assert instance_error(clone) == errno.ENODATA, "an instance id, and siblings do not differ"
    clone.close()

    for counter in (7, 8):
        clone = resumed(t, state, SIBLING, counter)
        clone.wait_output("mapped", "^changed 1$", limit=30)
        told(clone, "generation 1 (vmgenid)")
        assert (generation(clone), sysfs(clone, "source")) == (1, "vmgenid")
        assert instance_error(clone) == 0
        clone.read(STATUS)
        assert generation(clone) == 1, "two generations of one restore"
        assert "generation 2" not in clone.dmesg() + clone.out("mapped").out
        clone.close()

    # A live migration: the host's clock is another one, and the machine is the same.
    clone = resumed(t, state, SAME, 7, seq=4, marker=2)
    clone.read(STATUS)
    assert (generation(clone), sysfs(clone, "source")) == (0, "none")
    assert instance_error(clone) == 0
    assert "changed" not in clone.out("mapped").out
    clone.close()


@vmtest(KERNELS, core=True, timeout=300)
def each_restore_is_one_generation_by_either_id(t: Context) -> None:
    vm = machine(t)
    assert vm.insmod() == 0
    assert sysfs(vm, "sources") == "vmgenid vmclock"
    assert vm.read(INTERVAL) == "0"
    check_cases(t, vm)


@vmtest("bookworm-cloud", timeout=300)
def counter_that_is_not_compared_is_seen(t: Context) -> None:
    """The control: a module that compares the VM generation id alone."""
    vm = machine(t, patch="vmclock-not-compared.patch")
    assert vm.insmod() == 0
    clone = resumed(t, vm.snapshot(), SAME, 8)
    assert generation(clone) == 0, "the mutant was not caught"


@vmtest("bookworm-cloud", timeout=300)
def counter_taken_for_entropy_is_seen(t: Context) -> None:
    """The control: a module that makes an instance id of the counter."""
    vm = machine(t, patch="vmclock-as-entropy.patch")
    assert vm.insmod() == 0
    clone = resumed(t, vm.snapshot(), SAME, 8)
    assert (generation(clone), instance_error(clone)) == (1, 0), "the mutant was not caught"


@vmtest(KERNELS, timeout=300)
def counter_alone_is_a_trigger_without_entropy(t: Context) -> None:
    vm = machine(t, guid=None)
    assert vm.insmod() == 0
    assert sysfs(vm, "sources") == "vmclock"
    assert "the same in all clones: generations come without entropy" in vm.dmesg()
    assert instance_error(vm) == errno.ENODATA
    _, found = doctor(vm)
    assert "it brings no entropy" in about(found, "sources")["text"], found
    assert "no VM generation id" in about(found, "hypervisor")["text"], found
    vm.spawn("clients", "clients", "reader")
    vm.wait_output("clients", "^ready", limit=20)
    vm.memory[PAGE + 0x68] = 8
    # Nobody asks: the notification wakes who sleeps.
    vm.run("cat", STATUS)
    vm.wait_output("clients", "^reader 1$", limit=20)
    told(vm, "generation 1 (vmclock), without entropy")


@vmtest("bookworm-cloud", timeout=300)
def vmclock_that_is_none_is_not_used(t: Context) -> None:
    vm = machine(t, guid=None)
    for why, page in (
        ("does not begin with VCLK", {"magic": b"VCLX"}),
        ("its version is not 1", {"version": 2}),
        ("it has no generation counter", {"flags": NOTIFIES}),
    ):
        say(vm, **page)  # type: ignore[arg-type]
        vm.run("dmesg", "-c")
        assert vm.insmod() == errno.ENODEV
        said = vm.dmesg()
        assert "vmclock is not used: " in said and why in said, said
        assert "not loaded: no VM generation id" in said and "no vmclock counter" in said, said
    # Where nobody notifies, the counter is compared now and then.
    say(vm, flags=COUNTER_PRESENT)
    assert vm.insmod() == 0
    assert vm.read(INTERVAL) == "2000"


def exact_by(vm: VM, uid: int) -> tuple[bool, bool]:
    """For this user: is the check exact, and is it so by vmclock?"""
    found = json.loads(vm.run("sysgenidctl", "get", "--json", uid=uid, gid=uid).out)
    return found["exact"], found["exact_by_vmclock"]


@vmtest(KERNELS, timeout=300)
def page_of_vmclock_is_for_everybody(t: Context) -> None:
    vm = machine(t)
    assert vm.insmod() == 0
    assert sysfs(vm, "vmclock_page_error") == "0"
    assert exact_by(vm, 0) == (True, False)
    assert exact_by(vm, 1000) == (True, True)
    assert about(doctor(vm, uid=1000)[1], "check")["text"].startswith("exact, by vmclock")
    # What is behind the counter would be compared, too.
    say(vm, beyond=1)
    assert exact_by(vm, 1000) == (False, False)
    assert int(sysfs(vm, "vmclock_page_error")) == errno.EBUSY
    say(vm)
    assert exact_by(vm, 1000) == (True, True)
    say(vm, size=0x800)
    assert exact_by(vm, 1000) == (False, False)
    say(vm)
    assert vm.rmmod() == 0
    assert vm.insmod("vmclock_page=0") == 0
    assert exact_by(vm, 1000) == (False, False)
    assert int(sysfs(vm, "vmclock_page_error")) == errno.ENODEV
    assert sysfs(vm, "sources") == "vmgenid vmclock"


@vmtest(KERNELS, cpus=2, timeout=600)
def exact_check_of_an_ordinary_user_is_never_stale(t: Context) -> None:
    """Nobody tells the guest, so the counter page is always late."""
    vm = machine(t, smp=2)
    assert vm.insmod("guard=0 compare_interval_ms=0") == 0
    vm.spawn("spin", "spin", "vmclock", "100000", uid=1000, gid=1000)
    vm.wait_output("spin", "^ready$", limit=20)
    state = vm.snapshot()
    for _ in range(t.count(2, full=10)):
        clone = t.clone(state, SAME, ram_file=True)
        clone.run("sleep", "0.1")
        clone.pause()
        say(clone, 8)
        clone.resume()
        said = clone.wait_output("spin", r"^checks (\d+) exact-stale (\d+) counter-stale (\d+) changed (\d+)$", limit=180)
        checks, stale, counter_stale, early = (int(n) for n in said.groups())
        t.log(f"checks {checks}, exact stale {stale}, counter page stale {counter_stale}, false alarms {early}")
        assert counter_stale == checks > 0
        assert (stale, early) == (0, 0)
        assert generation(clone) == 1
        clone.close()
