# SPDX-License-Identifier: MIT
"""Many at once: threads that do everything, clones by the hundred, a crowd of watchers."""

from vmlib import VM, Context, vmtest

from test_smoke import generation


def storm(t: Context, seconds: int) -> None:
    vm = t.boot(insmod="", smp=2)
    result = vm.run("storm", str(seconds), limit=seconds + 60)
    t.log(result.out)
    assert result.ok, result.out
    assert vm.rmmod() == 0


@vmtest(quick=True, cpus=2)
def storm_of_calls(t: Context) -> None:
    storm(t, 5)


@vmtest("bookworm-cloud", cpus=2, timeout=200)
def storm_of_calls_for_a_minute(t: Context) -> None:
    storm(t, 60)


@vmtest(cpus=2, full_only=True, timeout=200)
def storm_of_calls_for_a_minute_everywhere(t: Context) -> None:
    storm(t, 60)


def many(t: Context, clones: int, guid: str, expected: int) -> None:
    """So many clones of one snapshot, each looked at twice."""
    vm = t.boot(insmod="")
    state = vm.snapshot()

    def one() -> None:
        with t.cloned(state, guid) as clone:
            assert generation(clone) == expected
            clone.run("sleep", "0.05")
            assert generation(clone) == expected

    t.parallel([one] * clones)


@vmtest(cpus=2, timeout=300)
def hundred_clones(t: Context) -> None:
    many(t, 100, "auto", 1)


@vmtest("bookworm-cloud", cpus=2, timeout=900)
def five_hundred_clones(t: Context) -> None:
    many(t, 500, "auto", 1)


@vmtest("bookworm-cloud", cpus=2, timeout=300)
def hundred_restores_to_the_same_identity(t: Context) -> None:
    many(t, 100, "same", 0)


def crowd(vm: VM, count: int) -> dict[str, int]:
    result = vm.run("crowd", str(count), limit=120)
    assert result.ok, result
    return {name: int(value) for name, value in (line.split() for line in result.out.splitlines())}


@vmtest("bookworm-cloud", cpus=2, timeout=200)
def crowd_of_watchers(t: Context) -> None:
    """100,000 tracked watchers all learn and confirm. (Times are benchmarks/watchers' business.)"""
    vm = t.boot(insmod="", memory=1024, smp=2)
    found = crowd(vm, 100_000)
    assert found["memory"] < 1000, f"{found['memory']} bytes of kernel memory for each watcher"
    assert vm.rmmod() == 0
