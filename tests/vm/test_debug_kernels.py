# SPDX-License-Identifier: MIT
"""The module on debug kernels: KASAN, lockdep, kmemleak and others in one, KCSAN in another.

The runner finds complaints, as in every test. Here is which tests run there besides, load and unload under traffic, and
leaks. And each of these nets must catch a build of the module with a bug in it.
"""

import contextlib
from collections.abc import Mapping, Sequence

import test_clones
import test_gate
import test_guard
import test_limits
import test_module
import test_smoke
import test_sources
import test_storms
import test_truth
from vmlib import VM, Context, Deadline, GuestError, QmpError, Timeout, vmtest, wait_until
from vmlib.console import complaints

EVERY_RUN = ("kasan",)
# The kernel's own races are not reported as ours, see vmlib/console.py; with KASAN the first complaint is a panic.
OTHER_SOURCES = ("kasan-oldest", "kasan-newest")
IN_FULL = (*EVERY_RUN, "kcsan", *OTHER_SOURCES)
# No debug kernel: one without SMP, for which a build alone may fail.
UNIPROCESSOR = "uniprocessor"
# With a network, which the others lack.
NET = "kasan-net"
LEAKS = "/sys/kernel/debug/kmemleak"

for function in (
    test_module.conforms_on_two_cpus,
    test_module.unload_is_refused_while_in_use,
    test_smoke.same_guid_is_no_new_generation,
    test_clones.every_client_learns,
):
    vmtest(EVERY_RUN, full_kernels=IN_FULL, cpus=2, timeout=400, full_timeout=1800)(function)

for function in (
    test_guard.guard_tells_what_works,
    test_module.conforms,
    test_module.conforms_to_32_bit_programs,
    test_module.a_second_driver_of_the_name_is_an_error,
    test_smoke.clone_is_a_new_generation,
    test_smoke.generations_add_up,
    test_smoke.no_device_no_module,
    test_guard.mapping_is_new_after_the_first_interrupt,
    test_guard.first_draw_after_the_resume_differs,
    test_guard.id_written_in_two_halves_is_one_generation,
    test_guard.silent_change_is_published_by_an_interrupt,
    test_clones.chain_of_clones,
    test_clones.only_half_of_the_id_changes,
    test_clones.silent_change,
    test_clones.software_only,
    test_limits.a_user_who_stalls_is_seen,
    test_limits.users_are_bounded,
    test_sources.live_sources_are_named,
    test_sources.without_urandom_a_generation_is_published_all_the_same,
    test_storms.storm_of_calls,
    test_truth.calls_are_never_stale_on_two_cpus,
    test_truth.exact_check_is_never_stale_on_two_cpus,
):
    vmtest(IN_FULL, cpus=2, timeout=1800, full_only=True)(function)


for function in (
    test_guard.guard_tells_what_works,
    test_guard.mapping_is_new_after_the_first_interrupt,
    test_guard.first_draw_after_the_resume_differs,
    test_guard.silent_change_is_published_by_an_interrupt,
    test_module.conforms,
    test_smoke.clone_is_a_new_generation,
    test_smoke.same_guid_is_no_new_generation,
    test_clones.every_client_learns,
    test_storms.storm_of_calls,
):
    vmtest(UNIPROCESSOR, timeout=600, full_timeout=1800, full_only=True)(function)


for function in (
    test_gate.gate_conforms_and_keeps_the_module_loaded,
    test_gate.devices_keep_the_gate_as_they_come_and_go,
    test_gate.exceptions_pass_where_they_are_meant_and_nothing_else,
):
    vmtest(NET, timeout=1800, full_only=True)(function)


@vmtest(NET, timeout=1800, full_only=True)
def no_packet_passes_in_ten_clones(t: Context) -> None:
    test_gate.compare_clones(t, 10)


def check_guarded(vm: VM) -> None:
    """What follows has the guard run on each interrupt and each draw."""
    assert vm.read(test_guard.STATUS) == test_guard.ON, vm.read(test_guard.STATUS)


def check_leaks(vm: VM) -> None:
    """Nothing that was allocated has no pointer to it any more. An object is a leak if two scans find it so, and is
    suspected only when it is some seconds old."""
    if not vm.exists(LEAKS):
        return
    for _ in range(2):
        vm.run("sleep", "6")
        vm.run("sh", "-c", f"echo scan > {LEAKS}", limit=120)
    found = vm.read(LEAKS)
    assert not found, found


def cycles(t: Context, count: int) -> None:
    """Load and unload, while others use the device whenever it is there."""
    vm = t.boot(smp=2)
    vm.spawn("traffic", "traffic", "trigger")
    script = f"""
        i=0
        while [ $i -lt {count} ]; do
            insmod /sysgenid.ko || exit 1
            until rmmod sysgenid 2>/dev/null; do :; done
            i=$((i + 1))
        done
    """
    result = vm.run("sh", "-c", script, limit=5 * count + 60)
    assert result.ok, result
    vm.wait_output("traffic", "^ready$")
    vm.kill("traffic", 9)
    vm.wait("traffic")
    assert vm.insmod() == 0
    check_guarded(vm)
    assert vm.run("sysgenidctl", "get").out == "0\n"
    assert vm.rmmod() == 0
    check_leaks(vm)


@vmtest(EVERY_RUN, full_kernels=IN_FULL, cpus=2, timeout=600, full_timeout=3600)
def loads_and_unloads_under_traffic(t: Context) -> None:
    cycles(t, t.count(8, full=200))


@vmtest(EVERY_RUN, full_kernels=IN_FULL, cpus=2, timeout=600, full_timeout=1800)
def storm_leaves_nothing(t: Context) -> None:
    """A storm, in a clone too, and all that it took is given back."""
    vm = t.boot(insmod="", smp=2)
    check_guarded(vm)
    state = vm.snapshot()
    vm.close()
    vm = t.clone(state)
    result = vm.run("storm", "5", limit=180)
    t.log(result.out)
    assert result.ok, result.out
    assert vm.rmmod() == 0
    check_leaks(vm)


@vmtest(EVERY_RUN, full_kernels=IN_FULL, cpus=2, timeout=600, full_timeout=3600)
def clones_of_a_busy_guest_are_one_generation_each(t: Context) -> None:
    vm = t.boot(insmod="", smp=2)
    check_guarded(vm)
    vm.spawn("traffic", "traffic")
    vm.wait_output("traffic", "^ready$", limit=60)
    state = vm.snapshot()
    vm.close()

    def one() -> None:
        with t.cloned(state) as clone:
            assert test_smoke.generation(clone) == 1
            clone.run("sleep", "0.3")
            assert test_smoke.generation(clone) == 1

    t.parallel([one] * t.count(8, full=200))


def planted(t: Context, patch: str, *commands: Sequence[str], written: Mapping[str, str] | None = None) -> None:
    """Use a module with a bug until the kernel complains; then it panics, or goes on. written: to files, when the module
    is loaded."""
    vm = t.boot(patch=patch, insmod="", smp=2)
    for path, text in (written or {}).items():
        vm.write(path, text)
    deadline = Deadline(300, f"a complaint about {patch}")
    with contextlib.suppress(GuestError, QmpError, Timeout):
        while not complaints(vm.console) and deadline.left():
            for command in commands:
                vm.run(*command, limit=60)
    wait_until(lambda: complaints(vm.console), deadline.left(), deadline.what)


@vmtest("kasan", timeout=400, expect_complaint="KASAN: (slab-)?use-after-free in ")
def use_after_free_is_caught(t: Context) -> None:
    planted(t, "use-after-free.patch", ["conformance", "abi: "])


@vmtest("kasan", timeout=400, expect_complaint="sleeping function called from invalid context")
def sleep_in_atomic_is_caught(t: Context) -> None:
    planted(t, "sleep-in-atomic.patch", ["conformance", "additions: list of a user"])


@vmtest("kasan", timeout=400, expect_complaint="possible .* detected")
def lock_inversion_is_caught(t: Context) -> None:
    planted(t, "lock-inversion.patch", ["conformance", "additions: declare"])


@vmtest("kcsan", full_only=True, cpus=2, timeout=400, expect_complaint="KCSAN: data-race in .*sysgenid")
def race_is_caught(t: Context) -> None:
    # Looks at more accesses, and longer at each, than usual: only one is wrong. Not when the kernel boots, nor when ftrace
    # looks for the functions of the guard: both would take minutes.
    parameters = "/sys/module/kcsan/parameters"
    planted(t, "race.patch", ["storm", "2"], written={f"{parameters}/skip_watch": "100", f"{parameters}/udelay_task": "500"})


@vmtest("kasan", timeout=400, expect_complaint="kmemleak: .* new suspected memory leaks")
def leak_is_caught(t: Context) -> None:
    vm = t.boot(patch="leak.patch", insmod="", smp=2)
    for _ in range(10):
        assert vm.run("sysgenidctl", "watchers").ok
    try:
        check_leaks(vm)
    except AssertionError as e:
        assert "unreferenced object" in str(e) and "sysgenid" in str(e), e
    else:
        raise AssertionError("the leak was not found")
