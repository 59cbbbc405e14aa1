# SPDX-License-Identifier: MIT
"""What an ordinary user can do to others: bounds on watchers, and memory that is charged to who uses it."""

import re

from vmlib import VM, Context, vmtest

NODE = "/dev/sysgenid"


def opened(vm: VM, name: str, *words: str, uid: int | None = None) -> str:
    vm.spawn(name, "opens", *words, uid=uid, gid=uid)
    return vm.wait_output(name, r"^ready (.*)$", limit=60)[1]


def watchers(vm: VM) -> int:
    return int(vm.read("/sys/class/misc/sysgenid/watchers"))


@vmtest(quick=True)
def users_are_bounded(t: Context) -> None:
    vm = t.boot(insmod="max_watchers_per_user=10 max_watchers_unprivileged=25")
    vm.run("chmod", "0666", NODE)
    assert opened(vm, "one", NODE, "100", "track", uid=1001) == "10 EDQUOT"
    assert opened(vm, "again", NODE, "100", "track", uid=1001) == "0 EDQUOT"
    assert opened(vm, "two", NODE, "100", "track", uid=1002) == "10 EDQUOT"
    assert opened(vm, "three", NODE, "100", "track", uid=1003) == "5 EDQUOT", "all of them together"
    assert opened(vm, "root", NODE, "100", "track") == "100"
    assert watchers(vm) == 125
    vm.kill("one", 9)
    vm.wait("one")
    assert watchers(vm) == 115, "a watcher is gone with its last descriptor"
    assert opened(vm, "three more", NODE, "100", "track", uid=1003) == "5 EDQUOT"
    vm.write("/sys/module/sysgenid/parameters/max_watchers_per_user", "12")
    assert opened(vm, "more", NODE, "100", "track", uid=1002) == "2 EDQUOT"


@vmtest(quick=True)
def a_user_who_stalls_is_seen(t: Context) -> None:
    """An overseer waits with a limit, and then knows who it was."""
    vm = t.boot(insmod="")
    vm.run("chmod", "0666", NODE)
    pid = vm.spawn("stall", "opens", NODE, "1", "track", uid=1001, gid=1001)
    vm.wait_output("stall", "^ready 1$", limit=10)
    vm.run("sysgenidctl", "trigger")
    said = vm.run("sysgenidctl", "watchers", "--outdated").out
    assert re.search(rf"\b{pid}\b.*\bopens\b", said), said


@vmtest()
def memory_is_charged_to_the_cgroup(t: Context) -> None:
    count = 4000

    def used(name: str, node: str) -> int:
        folder = f"/sys/fs/cgroup/{name}"
        vm.run("mkdir", folder)
        command = f"echo $$ > {folder}/cgroup.procs && ulimit -n 5000 && exec opens {node} {count}"
        vm.spawn(name, "sh", "-c", command)
        vm.wait_output(name, rf"^ready {count}$", limit=60)
        found = re.search(r"^slab_unreclaimable (\d+)$", vm.read(f"{folder}/memory.stat"), re.M)
        assert found
        return int(found[1])

    vm = t.boot(insmod="")
    vm.run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    vm.write("/sys/fs/cgroup/cgroup.subtree_control", "+memory")
    each = (used("ours", NODE) - used("null", "/dev/null")) / count
    t.log(f"{each:.0f} bytes for each open file beyond those of /dev/null")
    # The struct alone has 40; without an account only its place in the table would be seen, of 9 bytes.
    assert 35 < each < 1000, each


@vmtest("bookworm-cloud")
def no_memory_is_an_error_and_no_more(t: Context) -> None:
    vm = t.boot(insmod="", patch="fail-allocations.patch")
    result = vm.run("conformance", "no memory")
    assert "1 passed, 0 failed, 0 skipped" in result.out, result.out
    assert watchers(vm) == 0
    assert vm.rmmod() == 0
