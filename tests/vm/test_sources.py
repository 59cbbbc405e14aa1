# SPDX-License-Identifier: MIT
"""Where generations come from, what feeds the kernel RNG, and what the module lets people see."""

import errno
import os
import signal
import threading
import time

from vmlib import VM, Context, Timeout, vmtest, wait_until

from test_smoke import generation

SYSFS = "/sys/class/misc/sysgenid/"


def sysfs(vm: VM, name: str) -> str:
    return vm.read(SYSFS + name).strip()


def refused(vm: VM) -> int:
    return int(sysfs(vm, "hw_page_error"))


@vmtest(quick=True, core=True)
def live_sources_are_named(t: Context) -> None:
    """The vmfork notifier only where it is real: without CONFIG_VMGENID it is a stub that reports success."""
    vm = t.boot(insmod="")
    real = t.image.has("VMGENID")
    assert sysfs(vm, "sources") == ("vmgenid vmfork" if real else "vmgenid")
    assert ("vmgenid vmfork" if real else "sources: vmgenid\n") in vm.dmesg() + "\n"
    assert sysfs(vm, "source") == "none"
    with t.cloned(vm.snapshot()) as clone:
        assert sysfs(clone, "source") == "vmgenid"
        assert "sysgenid: generation 1 (vmgenid)" in clone.dmesg()
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
        assert "could not be reseeded" in clone.dmesg()
        # Root who uses the device with the RNG in its /dev mends it.
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
        assert "could not be reseeded" not in clone.dmesg()


def draws_after_load(t: Context, patch: str | None) -> list[bytes]:
    """What clones draw first that load the module only when they have been cloned."""
    vm = t.boot(patch=patch)
    # A young kernel reseeds itself each second: be in the middle of one.
    vm.random()
    state = vm.snapshot()
    found = []
    for _ in range(6):
        with t.cloned(state) as clone:
            assert clone.insmod() == 0
            found.append(clone.random())
    return found


@vmtest()
def loaded_after_the_snapshot_it_reseeds_too(t: Context) -> None:
    found = draws_after_load(t, None)
    assert len(set(found)) == len(found), found


@vmtest("bookworm-cloud")
def loaded_after_the_snapshot_needs_the_reseed(t: Context) -> None:
    """The control: a module that mixes the id when it is loaded, and does not reseed."""
    found = draws_after_load(t, "no-reseed-at-load.patch")
    assert len(set(found)) < len(found), f"the mutant was not caught: {found}"


@vmtest(timeout=120)
def an_id_that_never_rests_holds_nobody(t: Context) -> None:
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


def wait_until_suspended(vm: VM) -> None:
    def suspended() -> bool:
        return bool(vm.qmp.execute("query-status")["status"] == "suspended")

    wait_until(suspended, 30, "the machine to be suspended")


def wait_until_awake(vm: VM) -> None:
    def awake() -> bool:
        """What is said while the serial port is reset is lost."""
        try:
            vm.control.sync(1)
        except Timeout:
            return False
        return True

    wait_until(awake, 60, "the machine to wake", interval=0.5)


@vmtest(timeout=120)
def resume_from_suspend_compares(t: Context) -> None:
    """A clone of a suspended machine: nothing notifies it when it wakes, and nobody asks."""
    vm = t.boot(insmod="compare_interval_ms=0", ram_file=True)
    if not vm.exists("/sys/power/state") or "mem" not in vm.read("/sys/power/state"):
        t.skip("this kernel cannot suspend to RAM")
    # Calls that sleep are begun anew after a suspend, and compare: only a mapping shows who else did.
    vm.spawn("mapped", "mapped-only")
    vm.wait_output("mapped", "^ready$", limit=20)
    vm.spawn("sleep", "sh", "-c", "echo mem > /sys/power/state")
    wait_until_suspended(vm)
    vm.write_guid(bytes(range(16)))
    vm.qmp.execute("system_wakeup")
    wait_until_awake(vm)
    vm.wait_output("mapped", "^changed 1$", limit=30)
    assert generation(vm) == 1


@vmtest()
def page_with_other_data_is_not_offered(t: Context) -> None:
    vm = t.boot(ram_file=True)
    address = vm.guid_address
    vm.memory[(address & ~0xFFF) + 0x800] = 1
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


@vmtest(quick=True)
def parameters_are_checked(t: Context) -> None:
    vm = t.boot()
    assert vm.insmod("hw_page=perhaps") == errno.EINVAL
    assert vm.insmod("compare_interval_ms=12345 max_watchers_per_user=7 hw_page=off") == 0
    folder = "/sys/module/sysgenid/parameters/"
    assert vm.read(folder + "compare_interval_ms").strip() == "12345"
    assert vm.read(folder + "max_watchers_per_user").strip() == "7"
    assert vm.read(folder + "hw_page").strip() == "off"
