# SPDX-License-Identifier: MIT
"""Random calls from a seed, checked against a model of what each has to answer: tests/guest/fuzz."""

from __future__ import annotations

import re

from vmlib import VM, Context, vmtest
from vmlib.extras import with_files
from vmlib.repo import GUEST

from test_debug_kernels import check_leaks

FOLDER = "/corpus"


def boot(t: Context, patch: str | None = None) -> VM:
    """A machine with the module and the kept programs."""
    files = {f"{FOLDER[1:]}/{path.name}": path for path in (GUEST / "fuzz" / "corpus").iterdir()}
    vm = t.boot(insmod="", smp=2, patch=patch, extra=with_files(t.initrd(patch=patch), files))
    # The serial port would have a line for each generation. What the kernel complains of is in its taint, which the
    # fuzzer looks at, and with the dead on the console all the same.
    vm.write("/proc/sys/kernel/printk", "4")
    return vm


def fuzz(t: Context, vm: VM, options: str, limit: float) -> dict[str, str]:
    """The numbers of the last line; fails with what the fuzzer says, which reproduces it."""
    result = vm.run("sh", "-c", f"exec fuzz {options} {FOLDER}/*", limit=limit)
    t.log(result.out)
    assert result.ok, result.out
    words = result.out.splitlines()[-1].split()
    return dict(zip(words[::2], words[1::2], strict=True))


def for_a_while(t: Context, seconds: int) -> None:
    vm = boot(t)
    said = fuzz(t, vm, f"--seconds {seconds}", seconds + 400)
    assert int(said["programs"]) > 0
    # The fuzzer was guided, where the kernel says what a program reached.
    assert int(said.get("edges", 0)) > 0 or not t.image.has("KCOV")
    # What the kernel frees later it has freed by then, or the module would be in use.
    assert vm.rmmod() == 0
    check_leaks(vm)


@vmtest("bookworm-cloud", full_kernels="all", cpus=2, timeout=300, full_timeout=600)
def calls(t: Context) -> None:
    for_a_while(t, t.count(20, full=60))


@vmtest("faults", full_only=True, cpus=2, timeout=1200)
def guided_calls_for_five_minutes(t: Context) -> None:
    for_a_while(t, 300)


@vmtest("bookworm-cloud", timeout=300)
def kept_programs(t: Context) -> None:
    """Each program of the corpus, alone, as every kind of user."""
    vm = boot(t)
    fuzz(t, vm, "--replay", 200)
    assert vm.rmmod() == 0


@vmtest("bookworm-cloud", timeout=300)
def a_seed_is_a_sequence(t: Context) -> None:
    """Whatever is found can be had again: calls and results are the same."""
    vm = boot(t)
    first, again, other = (fuzz(t, vm, f"--exact --seed {seed} --ops 1000", 90) for seed in (1, 1, 2))
    assert first["digest"] == again["digest"] != other["digest"]
    assert first["operations"] == again["operations"]


def finds(t: Context, patch: str, expected: str) -> None:
    """The control: a module with a mistake in it."""
    vm = boot(t, patch)
    result = vm.run("sh", "-c", f"exec fuzz --seed 1 --seconds 120 {FOLDER}/*", limit=200)
    t.log(result.out)
    assert result.code == 1 and re.search(rf"^wrong: .*{expected}", result.out, re.M), result.out


@vmtest("bookworm-cloud", timeout=600)
def a_size_that_is_not_checked_is_found(t: Context) -> None:
    finds(t, "fuzz-size.patch", "memory at")


@vmtest("bookworm-cloud", timeout=600)
def a_count_that_is_not_kept_is_found(t: Context) -> None:
    finds(t, "fuzz-count.patch", "outdated|watchers")


@vmtest("bookworm-cloud", timeout=600, full_only=True)
def a_gate_that_is_armed_by_a_call_that_failed_is_found(t: Context) -> None:
    finds(t, "fuzz-gate.patch", "SYSGENID_GATE")


@vmtest("faults", cpus=2, timeout=1200, full_only=True)
def a_pid_that_is_not_put_is_found(t: Context) -> None:
    """Costs memory only: no count is wrong."""
    vm = boot(t, "leak-pid.patch")
    fuzz(t, vm, "--seed 1 --seconds 30", 400)
    assert vm.rmmod() == 0
    try:
        check_leaks(vm)
    except AssertionError as e:
        assert "alloc_pid" in str(e), e
    else:
        raise AssertionError("the leak was not found")
