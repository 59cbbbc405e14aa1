# SPDX-License-Identifier: MIT
"""What programs that never heard of clones get across a resume: the counter through a plain mapping, random bytes.

The hardware id is compared on entry to every interrupt, and before the kernel's random generator uses a key. Each
test has a control: the same with the guard off.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from vmlib import VM, Context, State, gdb, repo, vmtest
from vmlib.extras import with_files
from vmlib.guests import c_library, compile_program
from vmlib.roots import root

from test_clones import instance
from test_smoke import generation
from test_truth import wait_until_busy

OFF = "guard=0"
KINDS = ("getrandom", "urandom", "uuid")
DRAWS = 500
# Draws in the vDSO after the first interrupt, as in window.c. Kernels of suites whose C library does so.
AFTER = 100
VDSO = ("trixie-cloud", "backports-cloud", "sid-cloud", "experimental-cloud")
# More than the threads of interrupts have.
REAL_TIME = ("fifo", "60")


@dataclass
class Loads:
    """Of all clones together; worst: the most stale ones of one clone."""

    made: int = 0
    stale: int = 0
    after_an_interrupt: int = 0
    clones_with_stale: int = 0
    worst: int = 0


def spawned(t: Context, smp: int, insmod: str, fifo: bool, patch: str | None, *options: str) -> State:
    """A snapshot of loops that run, one on each processor; fifo: they let nobody else run."""
    vm = t.boot(insmod=insmod, smp=smp, patch=patch)
    vm.spawn("window", "window", *options, *(REAL_TIME if fifo else ()))
    vm.wait_output("window", "^ready$", limit=20)
    if fifo:
        wait_until_busy(vm)
    state = vm.snapshot()
    vm.close()
    return state


@contextlib.contextmanager
def resumed(t: Context, state: State) -> Iterator[VM]:
    """A clone, which answers when its loops let it."""
    with t.cloned(state, paused=True) as clone:
        clone.resume(sync=False)
        clone.control.sync(60)
        yield clone


def loads(t: Context, smp: int, clones: int, insmod: str = "", fifo: bool = False, patch: str | None = None) -> Loads:
    """Loads of the counter through a plain mapping, without pause."""
    state = spawned(t, smp, insmod, fifo, patch, "loads")
    sums = Loads()
    for _ in range(clones):
        with resumed(t, state) as clone:
            said = clone.wait_output("window", r"^loads (\d+) stale (\d+) interrupted (\d+)$", limit=180)
        made, stale, interrupted = (int(n) for n in said.groups())
        sums.made += made
        sums.stale += stale
        sums.after_an_interrupt += interrupted
        sums.clones_with_stale += stale > 0
        sums.worst = max(sums.worst, stale)
    t.log(f"{t.image.release}, {smp} vCPUs, {clones} clones: {sums}")
    return sums


def equal_draws(
    t: Context, smp: int, pairs: int, insmod: str = "", fifo: bool = False, patch: str | None = None
) -> Counter[str]:
    """Draws without pause: of those that were made after the hardware id was new, how many of each kind were made in
    both clones of a pair."""
    state = spawned(t, smp, insmod, fifo, patch, "draws", str(DRAWS), "/tmp/draws")
    equal: Counter[str] = Counter()
    for _ in range(pairs):
        drawn: list[list[set[str]]] = []
        for _ in range(2):
            with resumed(t, state) as clone:
                clone.wait_output("window", "^drew$", limit=180)
                rows = [line.split() for line in clone.read("/tmp/draws").splitlines()]
            assert len(rows) == smp * DRAWS, len(rows)
            columns = [set(column) for column in zip(*rows, strict=True)]
            assert all(len(column) == len(rows) for column in columns), "a clone drew the same twice"
            drawn.append(columns)
        for kind, one, two in zip(KINDS, *drawn, strict=True):
            equal[kind] += len(one & two)
    t.log(f"{t.image.release}, {smp} vCPUs, {pairs} pairs of clones: equal draws {dict(equal)}")
    return equal


@vmtest(core="arm64", timeout=900)
def without_the_guard_mappings_are_stale_and_draws_repeat(t: Context) -> None:
    """The control of all that follows. The loops are real-time tasks, so that no handler gets to run before they end."""
    found = loads(t, 1, 1, OFF, fifo=True)
    assert found.after_an_interrupt > found.made // 2, f"the counter was not late, nothing is tested: {found}"
    if t.kernel.architecture.devicetree and t.image.has("VMGENID"):
        # There the kernel's own driver reseeds in the interrupt itself.
        return
    equal = equal_draws(t, 1, 1, OFF, fifo=True)
    assert all(equal[kind] == DRAWS for kind in KINDS), f"clones drew different bytes, nothing is tested: {equal}"


STATUS = "/sys/class/misc/sysgenid/guard"
ON = "interrupts: on; generator: on; reseeds: on"


def guarded(t: Context) -> None:
    """What follows is promised only where both callbacks may do it all at once."""
    if t.image.has("PREEMPT_RT"):
        t.skip("on a real-time kernel the guard only has the id compared by work")


def processors(t: Context) -> list[int]:
    return [1, 2, 4][: t.count(2, full=3)] if t.image.has("SMP") else [1]


@vmtest(core=True, cpus=2, timeout=900)
def mapping_is_new_after_the_first_interrupt(t: Context) -> None:
    """On one processor that is before the first instruction of any program. On more of them a program may go on for a
    while before its processor is interrupted."""
    guarded(t)
    for smp in processors(t):
        found = loads(t, smp, t.count(2, full=20))
        assert found.made and not found.after_an_interrupt, found
        assert smp > 1 or not found.stale, found
    found = loads(t, 1, t.count(1, full=4), fifo=True)
    assert found.made and not found.stale, found


@vmtest(core=True, cpus=2, timeout=900)
def first_draw_after_the_resume_differs(t: Context) -> None:
    guarded(t)
    for smp in processors(t):
        equal = equal_draws(t, smp, t.count(1, full=9))
        assert not any(equal.values()), f"{smp} vCPUs: {equal}"
    equal = equal_draws(t, 1, 1, fifo=True)
    assert not any(equal.values()), equal


@dataclass
class Repeated:
    """Draws that both clones of a pair made, in all pairs; of these, after its processor was interrupted in one clone."""

    draws: int = 0
    equal: int = 0
    after_an_interrupt: int = 0
    pairs_with_equal: int = 0
    worst: int = 0


def vdso_draws(t: Context, smp: int, pairs: int, insmod: str = "", fifo: bool = False) -> Repeated:
    """Draws of the C library alone, which enter no kernel: the guard at the generator does not see them."""
    files = {"bin/window-shared": compile_program(repo.GUEST / "window.c", shared=True), **c_library(root(t.kernel))}
    vm = t.boot(insmod=insmod, smp=smp, extra=with_files(t.initrd(), files))
    vm.spawn("window", "window-shared", "vdso", "10000", "/tmp/draws", *(REAL_TIME if fifo else ()))
    vm.wait_output("window", "^vdso\nready$", limit=30)
    if fifo:
        wait_until_busy(vm)
    state = vm.snapshot()
    vm.close()
    sums = Repeated()
    for _ in range(pairs):
        drawn: list[dict[str, bool]] = []
        for _ in range(2):
            with resumed(t, state) as clone:
                clone.wait_output("window", "^drew$", limit=180)
                rows = [line.split() for line in clone.read("/tmp/draws").splitlines()]
            drawn.append({value: interrupted == "1" for value, interrupted in rows})
            assert rows and len(drawn[-1]) == len(rows), "a clone drew the same twice"
        one, two = drawn
        equal = one.keys() & two.keys()
        sums.draws += len(one)
        sums.equal += len(equal)
        sums.after_an_interrupt += sum(one[value] or two[value] for value in equal)
        sums.pairs_with_equal += bool(equal)
        sums.worst = max(sums.worst, len(equal))
    t.log(f"{t.image.release}, {smp} vCPUs, {pairs} pairs of clones: {sums}")
    return sums


@vmtest("trixie-cloud", full_kernels=VDSO, cpus=2, timeout=900)
def draws_in_the_vdso_differ_after_the_first_interrupt(t: Context) -> None:
    """What is left: they repeat until their processor is interrupted, on one processor not at all."""
    for smp in processors(t):
        found = vdso_draws(t, smp, t.count(1, full=9))
        assert found.draws and not found.after_an_interrupt, found
        assert smp > 1 or not found.equal, found


@vmtest("trixie-cloud", timeout=900)
def without_the_guard_draws_in_the_vdso_repeat(t: Context) -> None:
    found = vdso_draws(t, 1, 1, OFF, fifo=True)
    assert found.after_an_interrupt >= AFTER, f"the draws did not repeat, nothing is tested: {found}"


@vmtest("bookworm-cloud", timeout=900)
def guard_that_has_work_compare_is_late(t: Context) -> None:
    """The control: callbacks that only have the id compared by work, which a real-time task does not let run."""
    found = loads(t, 1, 1, fifo=True, patch="guard-late.patch")
    assert found.after_an_interrupt > found.made // 2, f"the mutant was not caught: {found}"
    equal = equal_draws(t, 1, 1, fifo=True, patch="guard-late.patch")
    assert all(equal[kind] == DRAWS for kind in KINDS), f"the mutant was not caught: {equal}"


def halves(t: Context, patch: str | None = None) -> int:
    """The hypervisor takes its time between the halves of the id; nobody calls meanwhile."""
    vm = t.boot(insmod="compare_interval_ms=0", patch=patch, ram_file=True)
    for offset in (0, 8):
        vm.write_guid(bytes(range(8)), offset=offset)
        assert vm.run("sleep", "0.2").ok
    return generation(vm)


@vmtest()
def id_written_in_two_halves_is_one_generation(t: Context) -> None:
    assert halves(t) == 1


@vmtest("bookworm-cloud")
def two_halves_need_the_patience(t: Context) -> None:
    """The control: a guard that publishes as soon as one half has moved."""
    assert halves(t, "guard-half.patch") == 2, "the mutant was not caught"


@vmtest()
def silent_change_is_published_by_an_interrupt(t: Context) -> None:
    """Nobody calls, nothing tells of the new id, and nothing compares now and then: sleepers learn all the same."""
    guarded(t)
    vm = t.boot(insmod="compare_interval_ms=0", ram_file=True)
    vm.spawn("clients", "clients", "reader", "poll", "mapped")
    vm.wait_output("clients", "^ready", limit=60)
    vm.write_guid(bytes(range(16)))
    for kind in ("reader", "poll", "mapped"):
        vm.wait_output("clients", rf"^{kind} 1$", limit=60)
    assert generation(vm) == 1


@vmtest(quick=True, core=True)
def guard_tells_what_works(t: Context) -> None:
    real_time = t.image.has("PREEMPT_RT")
    switch = "/proc/sys/kernel/ftrace_enabled"
    vm = t.boot()
    # Some kernels let nobody write a 0, whether the module is loaded or not.
    may_disable = vm.run("sh", "-c", f"echo 0 > {switch}").ok
    vm.write(switch, "1")
    assert vm.insmod() == 0
    said = vm.read(STATUS)
    if real_time:
        assert said.count("off (PREEMPT_RT: ") == 3, said
    else:
        assert said == ON
    assert f"sysgenid: guard: {said}\n" in vm.dmesg()
    # Nothing ends it unseen.
    assert not vm.run("sh", "-c", f"echo 0 > {switch}").ok
    assert vm.read(switch) == "1"
    assert vm.read(STATUS) == said
    assert vm.rmmod() == 0

    # Where it is switched off, the line says so.
    assert vm.insmod("guard=0") == 0
    assert vm.read(STATUS) == "interrupts: off (guard=0); generator: off (guard=0); reseeds: off (guard=0)"
    assert vm.rmmod() == 0
    assert vm.run("sh", "-c", f"echo 0 > {switch}").ok == may_disable
    if not may_disable:
        return
    assert vm.insmod() == 0
    said = vm.read(STATUS)
    disabled = "off (kernel.ftrace_enabled is 0)"
    # Only on x86 a probe is a callback of ftrace, too.
    reseeds = "on" if t.kernel.architecture.foreign else "off ("
    assert said.startswith(f"interrupts: {disabled}; generator: {disabled}; reseeds: {reseeds}"), said
    assert said in vm.dmesg()
    with t.cloned(vm.snapshot()) as clone:
        assert generation(clone) == 1


# The second processor will stand still. What answers the test must not be woken, or interrupted, there.
ON_THE_FIRST = """
    for to in /proc/irq/*/smp_affinity /sys/devices/virtual/workqueue/cpumask; do echo 1 > $to; done
    taskset -p 1 1
"""
EVERY = "50"
EACH_WAY = 40


def in_flight(t: Context, insmod: str = "", patch: str | None = None) -> int:
    """The snapshot is taken while the kernel reseeds itself, on the second processor: it has taken a key from the pool,
    and has not stored it. Clones let that processor go on only when the first one has long been told of the new
    generation. Of the values that it draws from then on, how many come in both clones."""
    vm = t.boot(insmod=insmod, patch=patch, smp=2)
    vm.run("sh", "-c", ON_THE_FIRST)
    vm.spawn("every", "taskset", "1", "every", EVERY)
    vm.wait_output("every", "^0 ", limit=30)
    where = gdb.address(vm, "extract_entropy")
    debugger = gdb.Debugger(vm)
    vm.control.send("spawn", "reseed", "-", "-", "taskset", "2", "every", "reseed")
    # The first processor may reseed, too: its turn comes by itself.
    debugger.run_processor_to(2, where)
    debugger.run_processor_to(2, debugger.return_address())
    state = gdb.snapshot(vm)
    debugger.close()
    vm.close()

    drawn, ids = [], []
    for _ in range(2):
        with t.cloned(state, paused=True) as clone:
            debugger = gdb.Debugger(clone)
            debugger.let_only(1)
            clone.control.sync(60)
            clone.wait_output("every", "^1 ", limit=60, count=EACH_WAY)
            debugger.close()
            assert clone.wait("reseed", limit=60).ok
            before = clone.out("every").out.count("\n1 ")
            clone.wait_output("every", "^1 ", limit=60, count=before + EACH_WAY)
            drawn.append(re.findall("^1 ([0-9a-f]+)$", clone.out("every").out, re.MULTILINE))
            ids.append(instance(clone))
    assert len(set(ids)) == 2, f"equal instance ids: {ids}"
    equal = len(set(drawn[0]) & set(drawn[1]))
    t.log(f"{t.image.release}: {[len(values) for values in drawn]} values, {equal} of them in both clones")
    return equal


@vmtest("bookworm-cloud", full_kernels="amd64", cpus=2, timeout=300)
def reseed_in_flight_is_repeated_at_once(t: Context) -> None:
    guarded(t)
    assert in_flight(t) == 0


@vmtest("bookworm-cloud", full_kernels="amd64", cpus=2, timeout=300)
def reseed_in_flight_is_repeated_by_work(t: Context) -> None:
    """Without the probe: some 25 ms after it has put the key back, and a value is drawn each 50 ms."""
    guarded(t)
    assert in_flight(t, OFF) <= 1


@vmtest("bookworm-cloud", cpus=2, timeout=300)
def reseed_in_flight_needs_the_repetition(t: Context) -> None:
    """The control: a module that does not reseed again. Where another processor is the first to draw by the key that
    was put back, in one clone and not in the other, the clones differ all the same."""
    for _ in range(4):
        if in_flight(t, patch="reseed-undone.patch") >= EACH_WAY // 2:
            return
    raise AssertionError("the mutant was not caught in four pairs")


# Instructions, by a clock that counts them. The second is a factor.
INTERRUPT_MOST = 60
GETRANDOM_MOST = 1.10


def cost(t: Context, insmod: str) -> tuple[int, int]:
    """Of an interrupt, and of a getrandom(2) of 8 bytes."""
    vm = t.boot(insmod=insmod, extra=("-icount", "shift=0,sleep=on"))
    said = re.fullmatch(r"interrupt (\d+) getrandom (\d+)\n", vm.run("cost", limit=120).out)
    vm.close()
    assert said
    return int(said[1]), int(said[2])


@vmtest("bookworm-cloud", full_kernels="amd64", timeout=300)
def guard_costs_little(t: Context) -> None:
    guarded(t)
    (interrupt, draw), (interrupt_without, draw_without) = cost(t, ""), cost(t, OFF)
    more = interrupt - interrupt_without
    t.log(f"{t.image.release}: an interrupt takes {more} instructions more than {interrupt_without}")
    t.log(f"{t.image.release}: a getrandom(2) of 8 bytes takes {draw} instead of {draw_without}")
    assert 0 < more <= INTERRUPT_MOST, f"{interrupt} - {interrupt_without}"
    assert draw_without < draw <= GETRANDOM_MOST * draw_without, f"{draw} / {draw_without}"
