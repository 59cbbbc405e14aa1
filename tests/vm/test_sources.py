# SPDX-License-Identifier: MIT
"""Where generations come from, what feeds the kernel RNG, and what the module lets people see."""

import errno
import os
import signal
import threading
import time

from vmlib import VM, Context, Timeout, vmtest, wait_until

from test_clones import instance_error
from test_smoke import generation

SYSFS = "/sys/class/misc/sysgenid/"


def sysfs(vm: VM, name: str) -> str:
    return vm.read(SYSFS + name).strip()


def refused(vm: VM) -> int:
    return int(sysfs(vm, "hw_page_error"))


@vmtest(quick=True, core=True)
def live_sources_are_named(t: Context) -> None:
    vm = t.boot(insmod="")
    assert sysfs(vm, "sources") == "vmgenid"
    assert "sources: vmgenid\n" in vm.dmesg() + "\n"
    assert sysfs(vm, "source") == "none"
    with t.cloned(vm.snapshot()) as clone:
        assert sysfs(clone, "source") == "vmgenid"
        wait_until(lambda: "sysgenid: generation 1 (vmgenid)" in clone.dmesg(), 30, "the line of generation 1")
        clone.run("sysgenidctl", "trigger")
        assert sysfs(clone, "source") == "software"


@vmtest()
def without_urandom_a_generation_is_published_all_the_same(t: Context) -> None:
    vm = t.boot()
    vm.run("mv", "/dev/urandom", "/dev/elsewhere")
    assert vm.insmod() == 0
    assert "cannot open /dev/urandom yet" in vm.dmesg()
    state = vm.snapshot()
    with t.cloned(state) as clone:
        assert generation(clone) == 1
        assert int(sysfs(clone, "reseed_error")) == errno.ENOENT
        assert instance_error(clone) == errno.ENODATA, "an instance id, and nothing says that siblings differ"
        wait_until(lambda: "could not be reseeded" in clone.dmesg(), 30, "the warning")
        # Root who uses the device with the RNG in its /dev fixes it.
        clone.run("mv", "/dev/elsewhere", "/dev/urandom")
        assert clone.run("sysgenidctl", "get", uid=1000, gid=1000).ok
        assert int(sysfs(clone, "reseed_error")) == errno.ENOENT, "an ordinary user's idea of /dev was followed"
        clone.run("sysgenidctl", "get")
        assert int(sysfs(clone, "reseed_error")) == 0
    with t.cloned(state) as clone:
        # Something else by that name is not even opened.
        for imposter in (("mkfifo", "/dev/urandom"), ("mknod", "/dev/urandom", "c", "1", "3")):
            clone.run(*imposter)
            assert clone.run("sysgenidctl", "get", limit=10).ok
            clone.run("sysgenidctl", "trigger")
            assert int(sysfs(clone, "reseed_error")) == errno.ENOENT
            clone.run("rm", "/dev/urandom")


@vmtest()
def rng_that_is_not_ready_is_no_failure(t: Context) -> None:
    vm = t.boot(insmod="", credit=False)
    with t.cloned(vm.snapshot()) as clone:
        assert generation(clone) == 1
        assert int(sysfs(clone, "reseed_error")) == 0
        wait_until(lambda: "generation 1 (vmgenid)" in clone.dmesg(), 30, "the line of generation 1")
        assert "could not be reseeded" not in clone.dmesg()


def draws_after_load(t: Context, patch: str | None, parameters: str = "") -> list[bytes]:
    """What clones draw first that load the module only when they have been cloned."""
    vm = t.boot(patch=patch)
    # A young kernel reseeds itself each second: be in the middle of one.
    vm.random()
    state = vm.snapshot()
    found = []
    for _ in range(6):
        with t.cloned(state) as clone:
            assert clone.insmod(parameters) == 0
            found.append(clone.random())
    return found


@vmtest()
def loaded_after_the_snapshot_it_reseeds_too(t: Context) -> None:
    found = draws_after_load(t, None)
    assert len(set(found)) == len(found), found


@vmtest("bookworm-cloud")
def loaded_after_the_snapshot_needs_the_reseed(t: Context) -> None:
    """The control: a module that mixes the id when it is loaded, and does not reseed. The guard would do so later."""
    found = draws_after_load(t, "no-reseed-at-load.patch", "guard=0")
    assert len(set(found)) < len(found), f"the mutant was not caught: {found}"


@vmtest(timeout=120)
def id_that_changes_on_every_read_delays_nobody(t: Context) -> None:
    """A hypervisor gone wild: calls may take their time, but their processes can be killed."""
    vm = t.boot(insmod="", ram_file=True, smp=2)
    wild = threading.Event()

    def change() -> None:
        while not wild.is_set():
            vm.write_guid(os.urandom(16))

    changer = threading.Thread(target=change)
    vm.spawn("reader", "sh", "-c", "while :; do sysgenidctl get; done")
    changer.start()
    try:
        time.sleep(2)
        vm.kill("reader", signal.SIGKILL)
        assert vm.wait("reader", limit=30).status == "signal"
    finally:
        wild.set()
        changer.join()
    assert generation(vm) > 1
    settled = generation(vm)
    vm.run("sleep", "0.5")
    assert generation(vm) == settled


def wait_until_awake(vm: VM) -> None:
    def awake() -> bool:
        """What is said while the serial port is reset is lost."""
        try:
            vm.control.sync(1)
        except Timeout:
            return False
        return True

    wait_until(awake, 60, "the machine to wake", interval=0.5)


@vmtest("amd64", timeout=120)
def resume_from_suspend_compares(t: Context) -> None:
    """A clone of a suspended machine: nothing notifies it when it wakes, and nobody asks."""
    vm = t.boot(insmod="guard=0 compare_interval_ms=0", ram_file=True)
    if not vm.exists("/sys/power/state") or "mem" not in vm.read("/sys/power/state"):
        t.skip("this kernel cannot suspend to RAM")
    # Calls that sleep are begun anew after a suspend, and compare: only a mapping shows who else did.
    vm.spawn("mapped", "mapped-only")
    vm.wait_output("mapped", "^ready$", limit=20)
    vm.spawn("sleep", "sh", "-c", "echo mem > /sys/power/state")
    vm.wait_state("suspended")
    vm.write_guid(bytes(range(16)))
    vm.wake()
    wait_until_awake(vm)
    vm.wait_output("mapped", "^changed 1$", limit=30)
    assert generation(vm) == 1


@vmtest()
def page_with_other_data_is_not_offered(t: Context) -> None:
    vm = t.boot(ram_file=True)
    vm.poke((vm.guid_address & ~0xFFF) + 0x800, b"\1")
    assert vm.insmod() == 0
    assert refused(vm) == errno.EBUSY
    assert "Device or resource busy" in vm.run("cat", "/dev/sysgenid-hw").out
    assert vm.run("conformance", "hardware node").ok
    assert vm.rmmod() == 0
    assert vm.insmod("hw_page=force") == 0
    assert refused(vm) == 0
    assert vm.run("conformance", "hardware node").ok
    assert vm.rmmod() == 0
    assert vm.insmod("hw_page=off") == 0
    assert refused(vm) == errno.ENODEV
    assert vm.run("conformance", "hardware node").ok


@vmtest()
def page_that_gets_other_data_later_is_refused_from_then_on(t: Context) -> None:
    vm = t.boot(insmod="", ram_file=True)
    busy = "Device or resource busy"
    other = (vm.guid_address & ~0xFFF) + 0x800
    vm.spawn("late", "mapped-only", "hw", "late")
    vm.wait_output("late", "^open$", limit=20)

    def mapped(expected: str) -> None:
        vm.kill("late", signal.SIGUSR1)
        vm.wait_output("late", f"^{expected}$", limit=20)

    mapped("mapped")
    vm.poke(other, b"\1")
    mapped(busy)
    assert busy in vm.run("cat", "/dev/sysgenid-hw").out
    assert refused(vm) == errno.EBUSY
    vm.poke(other, b"\0")
    assert busy not in vm.run("cat", "/dev/sysgenid-hw").out
    assert refused(vm) == 0


@vmtest("bookworm-cloud")
def page_of_encrypted_memory_is_not_offered(t: Context) -> None:
    """Nothing here encrypts memory: the module is made to believe it."""
    vm = t.boot(insmod="", patch="memory-encrypted.patch")
    assert refused(vm) == errno.EOPNOTSUPP
    assert vm.run("conformance", "hardware node").ok
    with t.cloned(vm.snapshot()) as clone:
        assert generation(clone) == 1


@vmtest(quick=True, core=True)
def events_are_traced(t: Context) -> None:
    vm = t.boot(insmod="")
    vm.run("mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing")
    vm.write("/sys/kernel/tracing/events/sysgenid/enable", "1")
    assert vm.run("conformance", "abi: trigger by a user", "W10").ok
    trace = vm.read("/sys/kernel/tracing/trace")
    for event in (
        "sysgenid_publish: generation=1 source=3 outdated=1",
        "sysgenid_track: generation=0 tracked=1 watchers=1 outdated=0",
        "sysgenid_confirm: generation=1 tracked=1 watchers=1 outdated=0",
        "sysgenid_track: generation=1 tracked=0 watchers=0 outdated=0",
        "sysgenid_refuse: cmd=0xe403 error=-13",
    ):
        assert event in trace, f"no {event!r} in:\n{trace}"


@vmtest("bookworm-cloud")
def failed_load_takes_the_code_from_nobody(t: Context) -> None:
    """The first node is there, and the second cannot be made: nobody may have opened the first."""
    vm = t.boot(patch="second-node-fails.patch")
    vm.spawn("load", "insmod", "/sysgenid.ko")
    wait_until(lambda: vm.exists("/dev/sysgenid-hw"), 20, "the first node")
    opened = vm.run("sh", "-c", "exec 3</dev/sysgenid-hw && sleep 6")
    assert not vm.wait("load").ok
    assert not opened.ok and "No such device" in opened.out, opened
    assert vm.run("lsmod").out.find("sysgenid") < 0


@vmtest(quick=True)
def parameters_are_checked(t: Context) -> None:
    vm = t.boot()
    assert vm.insmod("hw_page=perhaps") == errno.EINVAL
    assert vm.insmod("compare_interval_ms=12345 max_watchers_per_user=7 hw_page=off") == 0
    folder = "/sys/module/sysgenid/parameters/"
    assert vm.read(folder + "compare_interval_ms").strip() == "12345"
    assert vm.read(folder + "max_watchers_per_user").strip() == "7"
    assert vm.read(folder + "hw_page").strip() == "off"
