# SPDX-License-Identifier: MIT
"""Many at once: threads that do everything, clones by the hundred, a crowd of watchers."""

from vmlib import VM, Context, vmtest

from test_smoke import generation


@vmtest(quick=True, cpus=2)
def storm_of_calls(t: Context) -> None:
    seconds = t.count(10, quick=5, full=60)
    vm = t.boot(insmod="", smp=2)
    result = vm.run("storm", str(seconds), limit=seconds + 60)
    t.log(result.out)
    assert result.ok, result.out
    assert vm.rmmod() == 0


def many(t: Context, clones: int, guid: str, expected: int) -> None:
    """So many clones of one snapshot, each looked at twice."""
    vm = t.boot(insmod="")
    state = vm.snapshot()

    def one() -> None:
        with t.cloned(state, guid) as clone:
            assert generation(clone) == expected
            clone.run("sleep", "0.1")
            assert generation(clone) == expected

    t.parallel([one] * clones)


@vmtest(cpus=2, timeout=300, full_timeout=900)
def many_clones_are_one_generation_each(t: Context) -> None:
    many(t, t.count(30, full=500), "auto", 1)


@vmtest(cpus=2, timeout=300)
def restores_to_the_same_identity_are_no_generation(t: Context) -> None:
    many(t, t.count(20, full=100), "same", 0)


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


SLEEPERS = 10_000
TRACING = "/sys/kernel/tracing"
# The queue of the module that is woken, and each sleeper in it. The queue's lock is held, with interrupts off.
COUNT = """
    /: __wake_up <-sysgenid_watchers_wake/ { queues++; n = 0 }
    /: ep_poll_callback <-/ { woken++; if (++n > most) most = n }
    END { print queues + 0, woken + 0, most + 0 }
"""


@vmtest("bookworm-cloud", full_kernels="all", timeout=300)
def interrupts_are_off_for_a_hundredth_of_the_sleepers(t: Context) -> None:
    vm = t.boot(insmod="")
    filters = f"{TRACING}/set_ftrace_filter"
    assert vm.run("sh", "-c", f"echo __wake_up > {filters} && echo ep_poll_callback >> {filters}").ok
    vm.write(f"{TRACING}/buffer_size_kb", "8192")
    vm.write(f"{TRACING}/current_tracer", "function")
    crowd(vm, SLEEPERS)
    result = vm.run("awk", COUNT, f"{TRACING}/trace", limit=60)
    assert result.ok, result
    queues, woken, most = (int(n) for n in result.out.split())
    t.log(f"{queues} queues, {woken} sleepers woken, at most {most} in one queue")
    assert queues > 1 and woken >= SLEEPERS, result.out
    assert most <= SLEEPERS // 100, result.out
