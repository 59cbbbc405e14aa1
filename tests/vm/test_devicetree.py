# SPDX-License-Identifier: MIT
"""Machines with a devicetree, on arm64: what is there in no other machine. All other tests run there, too.

The harness is the hypervisor's device: vmlib/devicetree.py.
"""

from vmlib import Context, new_guid, vmtest

from test_smoke import generation

NODE = "/sys/devices/platform/4f000000.vmgenid"
MODULES = "/lib/modules"


@vmtest("arm64", core=True)
def module_is_loaded_by_the_alias_of_the_node(t: Context) -> None:
    """What udev does in a distribution: the alias of the node is all that modprobe gets."""
    vm = t.boot()
    folder = f"{MODULES}/{t.image.release}"
    assert vm.run("sh", "-c", f"mkdir -p {folder} && cp /sysgenid.ko {folder} && depmod").ok
    alias = vm.read(f"{NODE}/modalias")
    assert "microsoft,vmgenid" in alias, alias
    result = vm.run("modprobe", alias)
    assert result.ok and generation(vm) == 0, result
    with t.cloned(vm.snapshot()) as clone:
        assert generation(clone) == 1


@vmtest("arm64", core=True)
def interrupt_of_the_node_is_shared_with_the_kernels_driver(t: Context) -> None:
    """The line is raised once for all; with an id that has not changed it makes nothing."""
    vm = t.boot(insmod="compare_interval_ms=0 guard=0")
    (line,) = (line for line in vm.read("/proc/interrupts").splitlines() if "sysgenid" in line)
    assert "9030000.pl061" in line and ("vmgenid" in line) == t.image.has("VMGENID"), line
    vm.spawn("reader", "clients", "reader")
    vm.wait_output("reader", "^ready", limit=60)
    vm.notify()
    vm.run("sleep", "0.3")
    assert "reader 1" not in vm.out("reader").out and generation(vm) == 0
    vm.write_guid(new_guid().bytes_le)
    vm.notify()
    vm.wait_output("reader", "^reader 1$", limit=60)
    assert generation(vm) == 1
