#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The demonstration: one VM, two copies of a program, three resumes. scripts/demo does the set-up."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from vmlib import VM, Lab

KERNEL = "bookworm-cloud"
PROGRAMS = {"ids-plain": "without sysgenid", "ids": "with libsysgenid"}
HEADINGS = ("clone A", "clone B", "C, a plain restore")
LIMIT = 30.0


@dataclass
class Resumed:
    """What one resume of the snapshot showed."""

    name: str
    ids: dict[str, list[str]]
    milliseconds: float
    generation: int
    random: str


def step(text: str) -> None:
    print(f"  {text}", flush=True)


def line(title: str, values: Iterable[str]) -> None:
    print(f"    {title:32}{''.join(f'{value:18}' for value in values)}".rstrip(), flush=True)


def generation(vm: VM) -> int:
    return int(vm.run("sysgenidctl", "get").out)


def ids(vm: VM, program: str) -> list[str]:
    vm.kill(program, signal.SIGUSR1)
    line = vm.wait_output(program, r"^[0-9a-f]{16}( [0-9a-f]{16}){4}$", limit=LIMIT)[0]
    return line.split()


def resume(name: str, vm: VM) -> Resumed:
    """Let it run, and ask each program for its next ids; the one with the library first, with a stopwatch."""
    start = vm.resume()
    found = {"ids": ids(vm, "ids")}
    milliseconds = (time.monotonic() - start) * 1000
    found["ids-plain"] = ids(vm, "ids-plain")
    return Resumed(name, found, milliseconds, generation(vm), vm.random(8).hex())


def table(resumed: list[Resumed]) -> bool:
    """Print what a person has to compare; returns whether all is as it should be."""
    good = True
    a, b, c = resumed
    for program, title in PROGRAMS.items():
        print(f"\n  The next five ids, {title}:\n")
        line("", HEADINGS)
        for row in zip(a.ids[program], b.ids[program], c.ids[program], strict=True):
            line("", row)
        same = bool(set(a.ids[program]) & set(b.ids[program]))
        line("", ["A and B: the same ids, twice" if same else "A and B: all different"])
        good &= same == (program == "ids-plain")
    print()
    line("", HEADINGS)
    rows = {
        "generation (0 in the snapshot)": [f"{r.generation}" for r in resumed],
        "next bytes of getrandom(2)": [r.random for r in resumed],
        "resume to first safe id": [f"{r.milliseconds:.0f} ms" for r in resumed],
    }
    for title, values in rows.items():
        line(title, values)
    print()
    return good and [r.generation for r in resumed] == [1, 1, 0] and a.random != b.random


def main() -> int:
    with Lab(KERNEL) as lab:
        step(f"booting a virtual machine: Linux {lab.image.release}, sysgenid.ko, QEMU's vmgenid, a CPU without RDRAND")
        vm = lab.boot(insmod="")
        step("starting two copies of a program that hands out ids: one as usual, one that links libsysgenid")
        for program in PROGRAMS:
            vm.spawn(program, program)
            vm.wait_output(program, "^ready$", limit=LIMIT)
        if generation(vm) != 0:
            raise AssertionError("the machine has not been cloned yet, and its generation is not 0")
        step("taking one snapshot")
        state = vm.snapshot()
        vm.close()
        step("resuming it as clone A and clone B, each with a GUID of its own, and as C with the GUID it had")
        clones = [lab.clone(state, guid, paused=True) for guid in ("auto", "auto", "same")]
        resumed = [resume(name, clone) for name, clone in zip("ABC", clones, strict=True)]
        good = table(resumed)
    print("  That is what sysgenid is for." if good else "  THIS IS NOT AS IT SHOULD BE.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
