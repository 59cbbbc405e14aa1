# SPDX-License-Identifier: MIT
"""The module built into a kernel, as fleets do it that have no modules: docs/custom-kernels.md."""

import test_clones
import test_library
import test_limits
import test_module
import test_smoke
import test_sources
from vmlib import Context, vmtest

from test_smoke import generation

for function in (
    test_clones.every_client_learns,
    test_clones.random_bytes_differ,
    test_library.library,
    test_library.tool_follows_a_clone,
    test_limits.a_user_who_stalls_is_seen,
    test_limits.users_are_bounded,
    test_module.conforms,
    test_module.conforms_on_two_cpus,
    test_module.conforms_to_32_bit_programs,
    test_module.modes_of_the_nodes,
    test_smoke.clone_is_a_new_generation,
    test_smoke.generations_add_up,
    test_smoke.same_guid_is_no_new_generation,
    test_sources.live_sources_are_named,
    test_sources.rng_that_is_not_ready_is_no_failure,
):
    vmtest("builtin", cpus=2, timeout=300, full_only=True)(function)


@vmtest("builtin", full_only=True)
def needs_no_dev_to_reseed(t: Context) -> None:
    """It starts before there is a /dev, and no program of root has used it since."""
    vm = t.boot()
    assert "/dev/urandom" not in vm.dmesg()
    vm.run("rm", "/dev/urandom")
    with t.cloned(vm.snapshot()) as clone:
        assert generation(clone) == 1
        assert clone.read("/sys/class/misc/sysgenid/reseed_error") == "0"
        assert "could not be reseeded" not in clone.dmesg()


@vmtest("builtin", full_only=True)
def parameters_are_on_the_command_line(t: Context) -> None:
    vm = t.boot(guid=None, insmod="software=1 max_watchers_per_user=7")
    assert "software" in vm.read("/sys/class/misc/sysgenid/sources").split()
    assert vm.read("/sys/module/sysgenid/parameters/max_watchers_per_user") == "7"
    assert vm.run("sysgenidctl", "trigger").ok
    assert generation(vm) == 1


@vmtest("builtin", full_only=True)
def no_device_no_node(t: Context) -> None:
    vm = t.boot(guid=None)
    assert not vm.exists("/dev/sysgenid") and not vm.exists("/dev/sysgenid-hw")
    assert "not loaded: no VM generation id" in vm.dmesg()
