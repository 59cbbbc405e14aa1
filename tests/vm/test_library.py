# SPDX-License-Identifier: MIT
"""The library and the tool on the real module, and in clones."""

import json
import signal

from vmlib import VM, Context, vmtest


@vmtest(quick=True)
def library(t: Context) -> None:
    vm = t.boot(insmod="", smp=2)
    result = vm.run("library", limit=60)
    assert result.ok and "100%" in result.out, result.out


def next_ids(vm: VM, program: str) -> set[str]:
    vm.kill(program, signal.SIGUSR1)
    return {*vm.wait_output(program, r"^[0-9a-f]{16}( [0-9a-f]{16}){4}$", limit=20)[0].split()}


@vmtest(cpus=2, timeout=180)
def ids_of_clones_are_disjoint(t: Context) -> None:
    """With the library no id is given twice, without it every one is."""
    vm = t.boot(insmod="")
    for program in ("ids", "ids-plain"):
        vm.spawn(program, program)
        vm.wait_output(program, "^ready$", limit=20)
    state = vm.snapshot()

    def one() -> tuple[set[str], set[str]]:
        with t.cloned(state) as clone:
            return next_ids(clone, "ids"), next_ids(clone, "ids-plain")

    count = t.count(10, full=40)
    found = t.parallel([one] * count)
    assert len(set.union(*(ids for ids, _ in found))) == count * 5, "an id was given twice"
    assert len(set.union(*(plain for _, plain in found))) == 5, "the control: these programs must collide"
    with t.cloned(state, "same") as first, t.cloned(state, "same") as second:
        assert next_ids(first, "ids") == next_ids(second, "ids"), "a restore to the same identity disturbs nobody"


@vmtest(quick=True)
def tool_follows_a_clone(t: Context) -> None:
    vm = t.boot(insmod="")
    assert vm.run("sysgenidctl", "get").out == "0\n"
    vm.spawn("watch", "sysgenidctl", "watch")
    vm.spawn("wait", "sysgenidctl", "wait")
    assert vm.run("sysgenidctl", "wait", "--timeout", "0.3").code == 5
    with t.cloned(vm.snapshot()) as clone:
        clone.wait_output("watch", "^1$", limit=20)
        result = clone.wait("wait", limit=20)
        assert result.ok and result.out == "1\n", result
        result = clone.run("sysgenidctl", "trigger")
        assert result.ok and result.out.endswith("\n2\n") and "without --entropy" in result.out, result
        clone.wait_output("watch", "^2$", limit=20)
        assert json.loads(clone.run("sysgenidctl", "get", "--json").out)["generation"] == 2
        # All that needs no privilege works without one.
        assert clone.run("sysgenidctl", "get", uid=1000, gid=1000).out == "2\n"
        refused = clone.run("sysgenidctl", "trigger", uid=1000, gid=1000)
        assert refused.code == 4 and "CAP_" in refused.out, refused


@vmtest(quick=True)
def tool_says_what_to_do(t: Context) -> None:
    vm = t.boot()
    result = vm.run("sysgenidctl", "get")
    assert result.code == 3 and "modprobe sysgenid" in result.out, result
