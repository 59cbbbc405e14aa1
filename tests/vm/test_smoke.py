# SPDX-License-Identifier: MIT
"""The module's one promise, end to end: a clone with another GUID is a new generation, a restore is not."""

import errno

from vmlib import VM, Context, vmtest


def generation(vm: VM) -> int:
    """What the module shows to people."""
    return int(vm.read("/sys/class/misc/sysgenid/generation"))


@vmtest(quick=True)
def clone_is_a_new_generation(t: Context) -> None:
    vm = t.boot(insmod="")
    assert vm.exists("/dev/sysgenid")
    assert generation(vm) == 0
    state = vm.snapshot()
    for _ in range(2):
        with t.cloned(state) as clone:
            assert generation(clone) == 1


@vmtest(quick=True)
def same_guid_is_no_new_generation(t: Context) -> None:
    vm = t.boot(insmod="")
    state = vm.snapshot()
    with t.cloned(state, "same") as clone:
        # The event has come and gone when the second look is made.
        assert generation(clone) == 0
        clone.run("sleep", "0.5")
        assert generation(clone) == 0
        again = clone.snapshot()
    with t.cloned(again) as clone:
        assert generation(clone) == 1, "the module is awake"


@vmtest(quick=True)
def generations_add_up(t: Context) -> None:
    vm = t.boot(insmod="")
    for expected in (1, 2, 3):
        vm = t.clone(vm.snapshot())
        assert generation(vm) == expected


@vmtest(quick=True, core=True)
def no_device_no_module(t: Context) -> None:
    vm = t.boot(guid=None)
    assert vm.insmod() == errno.ENODEV
    assert not vm.exists("/dev/sysgenid")
    said = [line for line in vm.dmesg().splitlines() if "sysgenid" in line and "software" in line]
    assert said, "the log does not say what to do"


@vmtest()
def loads_again(t: Context) -> None:
    vm = t.boot(insmod="")
    for _ in range(3):
        assert vm.rmmod() == 0
        assert not vm.exists("/dev/sysgenid")
        assert vm.insmod() == 0
        assert vm.exists("/dev/sysgenid")
    with t.cloned(vm.snapshot()) as clone:
        assert generation(clone) == 1
