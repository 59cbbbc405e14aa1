# SPDX-License-Identifier: MIT
"""Clones of one snapshot, a thousand with --full, and in each every kind of client: one new generation each, and no more."""

import functools
import threading
import time

from vmlib import VM, Context, vmtest

from test_smoke import generation

# What runs in the guest, and the clients in each.
PROGRAMS = {
    "here": ("reader", "epoll-level", "mapped", "exact", "tracked", "forked"),
    "32-bit": ("reader", "tracked"),
    "container": ("reader", "tracked"),
}
CONTAINER = ("unshare", "-U", "-r", "-m", "-p", "-f")
# Every so many, a restore to the same identity.
CONTROL = 10


def start(vm: VM) -> None:
    # As the udev rule has it for the group.
    vm.run("chmod", "0666", "/dev/sysgenid")
    vm.spawn("here", "clients", *PROGRAMS["here"])
    vm.spawn("32-bit", "clients-32", *PROGRAMS["32-bit"])
    vm.spawn("container", *CONTAINER, "clients", *PROGRAMS["container"], uid=1000, gid=1000)
    for program in PROGRAMS:
        vm.wait_output(program, "^ready", limit=30)


def check(vm: VM, expected: int) -> None:
    """Every client has learned of each generation once."""
    for program, kinds in PROGRAMS.items():
        vm.wait_output(program, rf"\A(.*\n){{{1 + expected * len(kinds)}}}", limit=30)
    vm.run("sleep", "0.1")
    for program, kinds in PROGRAMS.items():
        said = vm.out(program).out.splitlines()
        assert sorted(said[1:]) == sorted(f"{kind} 1" for kind in kinds if expected), (program, said)
    assert generation(vm) == expected
    assert vm.read("/sys/class/misc/sysgenid/watchers") == "3"
    assert vm.read("/sys/class/misc/sysgenid/outdated") == "0"


@vmtest("bookworm-cloud", cpus=2, timeout=400, full_timeout=4000)
def every_client_of_every_clone_learns_once(t: Context) -> None:
    count = t.count(30, full=1000)
    vm = t.boot(insmod="")
    start(vm)
    state = vm.snapshot()
    vm.close()
    began = time.monotonic()
    lock = threading.Lock()
    done = 0

    def one(number: int) -> None:
        nonlocal done
        same = number % CONTROL == 0
        with t.cloned(state, "same" if same else "auto") as clone:
            check(clone, 0 if same else 1)
        with lock:
            done += 1
            t.progress(done, count)

    t.parallel([functools.partial(one, number) for number in range(count)])
    each = sum(map(len, PROGRAMS.values()))
    t.log(f"{count} clones with {each} clients each in {time.monotonic() - began:.0f} s")
