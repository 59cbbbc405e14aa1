# SPDX-License-Identifier: MIT
"""The module as such: its ABI by the conformance program, loading and unloading, permissions."""

import errno
import re

from vmlib import Context, build_module, vmtest
from vmlib.limits import run_tool


def conformance(t: Context, program: str, smp: int) -> None:
    vm = t.boot(insmod="", smp=smp)
    result = vm.run(program, limit=400)
    bad = [line for line in result.out.splitlines() if not re.match(r"ok|skip|\d+ passed", line)]
    assert result.ok, "\n".join(bad) or result
    passed = re.search(r"^(\d+) passed, 0 failed", result.out, re.M)
    assert passed and int(passed[1]) >= 81, result.out


@vmtest(quick=True, core=True, timeout=600)
def conforms(t: Context) -> None:
    conformance(t, "conformance", 1)


@vmtest(cpus=2, timeout=600)
def conforms_on_two_cpus(t: Context) -> None:
    conformance(t, "conformance", 2)


@vmtest(core="arm64", timeout=600)
def conforms_to_32_bit_programs(t: Context) -> None:
    if t.kernel.fragments and not t.image.has("COMPAT_32BIT_TIME"):
        t.skip("32-bit programs cannot sleep on this kernel")
    conformance(t, "conformance-32", 1)


@vmtest(quick=True)
def unload_is_refused_while_in_use(t: Context) -> None:
    vm = t.boot(insmod="")
    vm.spawn("open", "sh", "-c", "exec 3</dev/sysgenid; echo ready; sleep 60")
    vm.wait_output("open", "^ready$", limit=10)
    assert vm.rmmod() in (errno.EAGAIN, errno.EWOULDBLOCK)
    vm.kill("open", 9)
    vm.wait("open")
    for program in ("mapped-only", "mapped-only hw"):
        vm.spawn(program, *program.split())
        vm.wait_output(program, "^ready$", limit=10)
        assert vm.rmmod() in (errno.EAGAIN, errno.EWOULDBLOCK), program
        vm.kill(program, 9)
        vm.wait(program)
    assert vm.rmmod() == 0
    assert not vm.exists("/dev/sysgenid") and not vm.exists("/dev/sysgenid-hw")


@vmtest(quick=True)
def modes_of_the_nodes(t: Context) -> None:
    vm = t.boot(insmod="")
    assert vm.stat("/dev/sysgenid")[0] & 0o777 == 0o644
    assert vm.stat("/dev/sysgenid-hw")[0] & 0o777 == 0o440


@vmtest()
def a_second_driver_of_the_name_is_an_error(t: Context) -> None:
    """As on Amazon's kernels, where it is built in: a clear line, and nothing is harmed. Here it is a second copy of
    this module, under another name in the kernel's list."""
    vm = t.boot(insmod="")
    path = build_module(t.kernel)
    module = path.read_bytes()
    vm.run("cp", "/sysgenid.ko", "/tmp/other.ko")
    for section, name in ((".gnu.linkonce.this_module", b"sysgenid" + bytes(40)), (".modinfo", b"name=sysgenid")):
        copy = t.folder / "section"
        run_tool(["objcopy", "--dump-section", f"{section}={copy}", path, t.folder / "copy"], 30, "objcopy")
        data = copy.read_bytes()
        assert module.count(data) == data.count(name) == 1, section
        last = module.index(data) + data.index(name) + name.index(b"d")
        vm.run("sh", "-c", f"printf x | dd of=/tmp/other.ko bs=1 seek={last} conv=notrunc")
    assert vm.insmod(file="/tmp/other.ko") == errno.EBUSY
    assert "a driver of its own for /dev/sysgenid" in vm.dmesg()
    assert vm.run("conformance", "abi: read sizes").ok
    assert vm.rmmod() == 0
