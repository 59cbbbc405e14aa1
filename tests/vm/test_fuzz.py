# SPDX-License-Identifier: MIT
"""Random calls from a seed, checked against a model of what each has to answer: tests/guest/fuzz."""

import re
from collections.abc import Sequence

from vmlib import VM, Context, vmtest


def boot(t: Context, **options: object) -> VM:
    vm = t.boot(insmod="", smp=2, **options)  # type: ignore[arg-type]
    # A line per generation on a serial port would be most of the work; warnings are still shown.
    vm.write("/proc/sys/kernel/printk", "4")
    return vm


def fuzz(t: Context, vm: VM, *options: str, limit: float) -> dict[str, str]:
    """The numbers of the last line; fails with what the fuzzer says, which reproduces it."""
    result = vm.run("fuzz", *options, limit=limit)
    t.log(result.out)
    assert result.ok, result.out
    words = result.out.splitlines()[-1].split()
    return dict(zip(words[::2], words[1::2]))


@vmtest("bookworm-cloud", cpus=2, timeout=200)
def calls(t: Context) -> None:
    vm = boot(t)
    numbers = fuzz(t, vm, "--seconds", "15", limit=150)
    assert int(numbers["operations"]) > 0
    assert vm.rmmod() == 0
