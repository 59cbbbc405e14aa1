# SPDX-License-Identifier: MIT
"""Snapshots at the worst moment, and clones that wake up in trouble. Real-time load is test_truth's business."""

import functools
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from vmlib import VM, Context, Guid, State, gdb, new_guid, vmtest

from test_smoke import generation
from test_sources import wait_until_awake

KERNEL = "bookworm-cloud"
SYSFS = "/sys/class/misc/sysgenid/"


def number(vm: VM, name: str) -> int:
    return int(vm.read(SYSFS + name))


def is_sound(t: Context, vm: VM) -> None:
    """The module goes on as if nothing had been: the next clone is one generation further, and it can be unloaded."""
    before = generation(vm)
    vm.run("sleep", "0.2")
    assert generation(vm) == before, "a generation came late"
    with t.cloned(vm.snapshot()) as clone:
        assert generation(clone) == before + 1
        assert number(clone, "reseed_error") == 0
        assert clone.rmmod() == 0
        assert not clone.exists("/dev/sysgenid")


def stops(
    t: Context, vm: VM, command: str, points: dict[str, int], check: Callable[[State, int], None]
) -> None:
    """Stop the guest while it runs a command, before it calls each of these functions in turn, and check a snapshot of
    that moment. One name can come several times: what is behind a blank is cut off."""
    where = {name: gdb.address(vm, name.split()[0]) for name in points}
    debugger = gdb.Debugger(vm)
    # The guest stands still, and reads this when it goes on.
    vm.control.send("spawn", "busy", "-", "-", *command.split())
    for name, expected in points.items():
        debugger.run_to(where[name])
        state = gdb.snapshot(vm)
        t.log(name)
        check(state, expected)
        state.discard()
    debugger.close()


# The function that the snapshot is before, and the generation of a clone in the end. In the first the guard publishes
# before the trigger, which then expects another generation: sysgenidctl triggers again.
TRIGGER = {"sysgenid_trigger_expected": 2, "sysgenid_reseed": 2, "ktime_get_with_offset": 2, "mod_delayed_work_on": 2}


@vmtest(KERNEL, timeout=300)
def snapshot_in_the_middle_of_a_publish(t: Context) -> None:
    """The publish is finished, and the clone's generation is one more; a plain restore has only the former."""
    vm = t.boot(insmod="")
    vm.spawn("clients", "clients", "reader", "tracked", "mapped", "exact")
    vm.wait_output("clients", "^ready", limit=20)

    def check(state: State, expected: int) -> None:
        for guid, last in (("auto", expected), ("same", 1)):
            with t.cloned(state, guid) as clone:
                assert clone.wait("busy").ok
                assert generation(clone) == last
                for kind in ("reader", "tracked", "mapped", "exact"):
                    clone.wait_output("clients", rf"^{kind} {last}$", limit=20)
                clone.run("sleep", "0.1")
                assert generation(clone) == last
                assert number(clone, "outdated") == 0

    stops(t, vm, "sysgenidctl trigger", TRIGGER, check)


# What a clone of the moment before the function has when the load is over: the id that is recorded is the last mixed.
LOAD = {
    "alloc_workqueue": 0,
    "prepare_kernel_cred": 0,
    "acpi_get_devices": 0,
    "add_device_randomness": 0,
    "register_pm_notifier": 1,
    "register_ftrace_function": 1,
    "acpi_install_notify_handler": 1,
    "misc_register": 1,
    "misc_register again": 1,
}


@vmtest(KERNEL, timeout=300)
def snapshot_in_the_middle_of_a_load(t: Context) -> None:
    """The load is finished; a generation comes of it only if the id had been mixed."""
    vm = t.boot()

    def check(state: State, expected: int) -> None:
        with t.cloned(state) as clone:
            assert clone.wait("busy").ok
            assert generation(clone) == expected
            is_sound(t, clone)

    stops(t, vm, "insmod /sysgenid.ko", LOAD, check)


UNLOAD = dict.fromkeys(
    (
        "misc_deregister",
        "misc_deregister again",
        "acpi_remove_notify_handler",
        "unregister_ftrace_function",
        "unregister_pm_notifier",
        "destroy_workqueue",
        "xa_destroy",
    ),
    0,
)


@vmtest(KERNEL, timeout=300)
def snapshot_in_the_middle_of_an_unload(t: Context) -> None:
    """The unload is finished, and the clone can load it again."""
    vm = t.boot(insmod="")

    def check(state: State, expected: int) -> None:
        with t.cloned(state) as clone:
            assert clone.wait("busy").ok
            assert not clone.exists("/dev/sysgenid")
            assert clone.insmod() == 0
            assert generation(clone) == expected
            is_sound(t, clone)

    stops(t, vm, "rmmod sysgenid", UNLOAD, check)


def storms(t: Context, count: int) -> None:
    """So many storms, three snapshots of each."""
    seed = int(os.environ.get("SYSGENID_SEED", time.time_ns() % 10**6))
    for number_of_storm in range(count):
        t.log(f"SYSGENID_SEED={seed + number_of_storm}")
        moments = random.Random(seed + number_of_storm)
        vm = t.boot(insmod="", smp=2)
        vm.spawn("storm", "storm", "2", str(seed + number_of_storm))
        vm.wait_output("storm", "^seed", limit=20)
        for _ in range(3):
            time.sleep(moments.uniform(0, 0.1))
            state = vm.snapshot(live=True)
            with t.cloned(state) as clone:
                ended = clone.wait("storm", limit=60)
                assert ended.ok, ended
                assert clone.dmesg().count("(vmgenid)") == 1
                assert number(clone, "watchers") == number(clone, "outdated") == 0
                assert clone.rmmod() == 0
            state.discard()
            vm.resume()
        vm.close()


@vmtest(KERNEL, full_kernels="all", cpus=2, timeout=240, full_timeout=3000)
def snapshots_in_the_middle_of_a_confirm_storm(t: Context) -> None:
    """All counts are right in the end, no wait ended early, and the hardware made one generation among the many."""
    storms(t, t.count(1, full=30))


@vmtest(KERNEL, timeout=300)
def disk_full_of_core_dumps(t: Context) -> None:
    """Watchers that crash are not waited for, although their dump can be written nowhere."""
    vm = t.boot(insmod="")
    vm.run("mkdir", "/cores")
    vm.run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", "/cores")
    vm.write("/proc/sys/kernel/core_pattern", "/cores/%p")
    vm.run("dd", "if=/dev/zero", "of=/cores/old", "bs=4k")
    assert "No space" in vm.run("sh", "-c", "echo more > /cores/new").out
    for name in ("now", "later"):
        vm.spawn(name, "sh", "-c", "ulimit -c unlimited; exec opens /dev/sysgenid 1 track")
        vm.wait_output(name, "^ready 1$", limit=20)
    # The first crashes just before the snapshot.
    where = gdb.address(vm, "do_coredump")
    debugger = gdb.Debugger(vm)
    vm.control.send("kill", "now", "11")
    debugger.run_to(where)
    state = gdb.snapshot(vm)
    debugger.close()
    with t.cloned(state) as clone:
        assert clone.wait("now").status == "signal"
        assert generation(clone) == 1
        assert number(clone, "watchers") == number(clone, "outdated") == 1
        clone.kill("later", 11)
        assert clone.wait("later").status == "signal"
        assert number(clone, "watchers") == number(clone, "outdated") == 0
        assert clone.run("sysgenidctl", "trigger").ok
        is_sound(t, clone)


SMALL = "/sys/fs/cgroup/small"


def open_in_cgroup(vm: VM, program: str, score: int) -> None:
    """Open and track until there is no memory left of what the program's cgroup may have."""
    steps = [
        f"echo 2M > {SMALL}/memory.max",
        f"echo $$ > {SMALL}/cgroup.procs",
        f"echo {score} > /proc/self/oom_score_adj",
        "ulimit -n 100000",
        "exec opens /dev/sysgenid 90000 track",
    ]
    vm.spawn(program, "sh", "-c", " && ".join(steps))


@vmtest(KERNEL, timeout=300, expect_complaint="Call Trace")
def out_of_memory(t: Context) -> None:
    """A caller whose cgroup has no page left gets ENOMEM, or is killed; nobody else notices. (The trace is the kernel's
    own report of who used how much.)"""
    vm = t.boot(insmod="")
    vm.write("/sys/fs/cgroup/cgroup.subtree_control", "+memory")
    vm.run("mkdir", SMALL)
    vm.spawn("other", "opens", "/dev/sysgenid", "3", "track")
    vm.wait_output("other", "^ready 3$", limit=20)
    # One that may not be killed: the call fails. What it then needs to say so, it gets.
    open_in_cgroup(vm, "spared", -1000)
    size = 2 * 2**20
    for _ in range(1000):
        said = re.search(r"^ready (\d+) (\w+)$", vm.out("spared").out, re.M)
        if said:
            break
        if "\noom 0\n" not in vm.read(f"{SMALL}/memory.events"):
            size += 2**16
            vm.write(f"{SMALL}/memory.max", str(size))
    assert said and said[2] == "ENOMEM", vm.out("spared")
    assert 0 < int(said[1]) == number(vm, "watchers") - 3
    vm.kill("spared", 9)
    vm.wait("spared")
    # One that may: all that it had is given back.
    open_in_cgroup(vm, "killed", 0)
    ended = vm.wait("killed", limit=60)
    assert (ended.status, ended.code) == ("signal", 9), ended
    assert number(vm, "watchers") == 3
    vm.kill("other", 9)
    vm.wait("other")
    assert vm.run("conformance", "W10").ok
    is_sound(t, vm)
    bad = [line for line in t.complaints() if "Call Trace" not in line]
    assert not bad, bad


@vmtest(KERNEL, timeout=300)
def clock_jumps(t: Context) -> None:
    """A wait with a limit does not follow the wall clock, and a clone that sets its own from the RTC, hours later, is one
    generation. (The RTC is moved before the snapshot: QEMU keeps a clone's.)"""
    vm = t.boot(insmod="")
    for date in ("2031-01-01 00:00", "1999-01-01 00:00"):
        vm.spawn("deadline", "deadline", "2000")
        vm.wait_output("deadline", "^ready$", limit=20)
        assert vm.run("date", "-s", date).ok
        ended = vm.wait("deadline", limit=60)
        assert ended.ok, ended
        why, milliseconds = ended.out.split()[1:]
        assert why == "ETIME" and int(milliseconds) >= 2000, ended
    vm.spawn("clients", "clients", "reader", "tracked", "exact")
    vm.wait_output("clients", "^ready", limit=20)
    vm.run("date", "-s", "2026-06-01 18:00")
    assert vm.run("hwclock", "-w", "-u").ok
    vm.run("date", "-s", "2026-06-01 12:00")
    with t.cloned(vm.snapshot()) as clone:
        assert clone.run("hwclock", "-s", "-u").ok
        assert clone.run("date", "-u", "+%F %H").out.strip() == "2026-06-01 18"
        for kind in ("reader", "tracked", "exact"):
            clone.wait_output("clients", f"^{kind} 1$", limit=20)
        assert generation(clone) == 1
        assert number(clone, "outdated") == 0


@vmtest(KERNEL, cpus=2, timeout=300)
def cpu_unplugged(t: Context) -> None:
    """Who slept on a processor that is gone learns on another; a generation may come while one goes or comes."""
    vm = t.boot(insmod="", smp=2)
    online = "/sys/devices/system/cpu/cpu1/online"
    kinds = ("reader", "tracked", "epoll-level", "mapped", "exact")
    vm.spawn("clients", "clients", *kinds)
    vm.wait_output("clients", "^ready", limit=20)
    with t.cloned(vm.snapshot()) as clone:
        clone.write(online, "0")
        for kind in kinds:
            clone.wait_output("clients", f"^{kind} 1$", limit=20)
        state = clone.snapshot()
    with t.cloned(state) as clone:
        clone.write(online, "1")
        for kind in kinds:
            clone.wait_output("clients", f"^{kind} 2$", limit=20)
        assert generation(clone) == 2
        assert number(clone, "outdated") == 0


@vmtest(KERNEL, timeout=300)
def snapshot_on_the_way_to_sleep(t: Context) -> None:
    """The clone falls asleep (to RAM) with an id that nobody has seen yet; woken, it is one generation, seen by who
    only maps. (QEMU 7.2 wakes a machine that it snapshots asleep; test_sources changes the id of one that sleeps.)"""
    vm = t.boot(insmod="compare_interval_ms=0")
    vm.spawn("mapped", "mapped-only")
    vm.wait_output("mapped", "^ready$", limit=20)
    where = gdb.address(vm, "acpi_suspend_enter")
    debugger = gdb.Debugger(vm)
    vm.control.send("spawn", "sleep", "-", "-", "sh", "-c", "echo mem > /sys/power/state")
    debugger.run_to(where)
    state = gdb.snapshot(vm)
    debugger.close()
    for guid, expected in (("auto", 1), ("same", 0)):
        clone = t.clone(state, guid, paused=True)
        clone.resume(sync=False)
        clone.wake()
        wait_until_awake(clone)
        assert clone.wait("sleep").ok
        if expected:
            clone.wait_output("mapped", "^changed 1$", limit=30)
        clone.run("sleep", "0.2")
        assert clone.out("mapped").out.count("changed") == expected
        assert generation(clone) == expected
        clone.close()


def drive(disk: Path) -> tuple[str, ...]:
    return "-drive", f"file={disk},if=none,id=disk,format=raw", "-device", "nvme,serial=disk,drive=disk"


@vmtest(KERNEL, cpus=2, timeout=300)
def hibernated_for_hours(t: Context) -> None:
    """A copy of a hibernated machine's disk goes on in another machine, years later by its clock: one generation, seen
    by who only maps. In a machine with the same id it is none."""
    disk = t.folder / "disk"
    with disk.open("wb") as file:
        file.truncate(400 * 2**20)
    vm = t.boot(insmod="compare_interval_ms=0", extra=drive(disk), fresh=True)
    vm.spawn("mapped", "mapped-only")
    vm.wait_output("mapped", "^ready$", limit=20)
    assert vm.run("mkswap", "/dev/nvme0n1").ok
    assert vm.run("swapon", "/dev/nvme0n1").ok
    device = vm.read("/sys/block/nvme0n1/dev")
    vm.write("/sys/power/disk", "shutdown")
    vm.spawn("hibernate", "sh", "-c", "echo disk > /sys/power/state")
    vm.ended(60)

    def resumed(guid: Guid) -> VM:
        copy = t.folder / f"disk-{guid}"
        shutil.copyfile(disk, copy)
        later = (*drive(copy), "-rtc", "base=2031-01-01T00:00:00")
        other = t.boot(guid, extra=later, fresh=True)
        # The hibernated system goes on in the place of this program.
        other.control.send("write", "/sys/power/resume", device)
        wait_until_awake(other)
        assert other.wait("hibernate").ok
        assert other.run("date", "-u", "+%Y").out.strip() == "2031"
        return other

    assert vm.guid
    one, other = t.parallel([functools.partial(resumed, guid) for guid in (new_guid(), vm.guid)])
    one.wait_output("mapped", "^changed 1$", limit=30)
    assert generation(one) == 1
    other.run("sleep", "0.2")
    assert other.out("mapped").out == "ready\n"
    assert generation(other) == 0
