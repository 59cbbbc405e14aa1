# SPDX-License-Identifier: MIT
"""Each allocation, and each copy from or to user space, fails in turn, in each call: tests/guest/faults.c."""

from __future__ import annotations

import contextlib

from vmlib import VM, Context, GuestError, QmpError, Timeout, vmtest, wait_until
from vmlib.console import complaints

from test_debug_kernels import check_leaks

# `gcov` is one of scripts/coverage, which counts what runs only when something fails.
KERNELS = ("faults", "gcov")
# Points of mapping the id, before it is looked at, and of the end of a load that is refused.
MAPPING = 20


def faults(t: Context, vm: VM, *words: str) -> None:
    result = vm.run("faults", *words, limit=3000)
    t.log(result.out)
    assert result.ok, result.out


@vmtest(KERNELS, timeout=3600, full_only=True)
def calls_fail_as_a_whole(t: Context) -> None:
    vm = t.boot(insmod="")
    faults(t, vm, "calls")
    assert vm.rmmod() == 0
    check_leaks(vm)


@vmtest(KERNELS, timeout=3600, full_only=True)
def loads_fail_as_a_whole(t: Context) -> None:
    """From where ADDR has been evaluated. Before that it is the kernel that loads, which warns, and its interpreter of
    ACPI, which oopses without memory; an id of zeros ends a load just there."""
    vm = t.boot(ram_file=True)
    guid = vm.guid_in_memory()
    vm.write_guid(bytes(16))
    found = vm.run("faults", "points", "/sysgenid.ko")
    assert found.ok, found.out
    vm.write_guid(guid.bytes_le)
    faults(t, vm, "load", "/sysgenid.ko", str(int(found.out) - MAPPING))
    check_leaks(vm)


@vmtest("faults", timeout=1200, full_only=True, expect_complaint="kmemleak: .* new suspected memory leaks")
def a_leak_at_a_failure_is_found(t: Context) -> None:
    """The control: a list whose copy fails."""
    vm = t.boot(insmod="", patch="leak-at-failure.patch")
    faults(t, vm, "calls")
    assert vm.rmmod() == 0
    try:
        check_leaks(vm)
    except AssertionError as e:
        assert "kvmalloc" in str(e) and "comm \"faults\"" in str(e), e
    else:
        raise AssertionError("the leak was not found")


@vmtest("faults", timeout=1200, full_only=True, expect_complaint="KASAN: null-ptr-deref")
def memory_that_is_taken_for_granted_is_found(t: Context) -> None:
    """The control: a list that does not look whether it got its memory."""
    vm = t.boot(insmod="", patch="no-memory-ignored.patch")
    with contextlib.suppress(GuestError, QmpError, Timeout, AssertionError):
        faults(t, vm, "calls")
    wait_until(lambda: complaints(vm.console), 60, "a complaint")
