# SPDX-License-Identifier: MIT
"""Every recipe of examples/ keeps its promise: nothing comes out of two clones. Without its second check none does."""

import re
import signal
from collections import Counter
from collections.abc import Iterable, Sequence

from vmlib import VM, Context, State, vmtest, wait_until
from vmlib.extras import with_files
from vmlib.guests import EVERYWHERE, compile_program
from vmlib.repo import EXAMPLES, MUTANTS

# An answer; its groups must be of this clone alone.
ID = r"id (\w{16})"
RECIPES = {
    "cached-secret": r"cookie (\w{16}) ticket (\w{16})",
    "event-loop": ID,
    "fork-worker": ID,
    "id-allocator": r"id (\w{16})-\d+",
    "no-device": ID,
    "prng": r"key (\w{32})",
    "sandbox": ID,
    "session": r"sent (\w{16}) \d+ (\w{16})",
    "threads": r"\n(?:between\n)*".join([ID] * 4),
}
ONE_TOKEN = "cached-secret-one-token"
OUTDATED = "/sys/class/misc/sysgenid/outdated"

Answers = dict[str, tuple[str, ...]]


def between(name: str) -> str:
    """The name of the copy that stops between its act and its second check."""
    return f"{name}-between"


def unchecked(name: str) -> str:
    """The name of the copy that also stops there, and has no second check."""
    return f"{name}-unchecked"


def answer(vm: VM, program: str, number: int = 1) -> tuple[str, ...]:
    """What the program answered to this request, from 1."""
    recipe = RECIPES[re.sub("-(between|unchecked|one-token)$", "", program)]
    return vm.wait_output(program, f"^{recipe}$", limit=40, count=number).groups()


def let_go(vm: VM) -> None:
    """Those that are between their act and their second check go on, however often they come there."""
    vm.write("/tmp/go", "x" * 200)


def twice(found: Sequence[Answers]) -> set[str]:
    """The programs of which something came out of two clones."""
    counts = {program: Counter(part for answers in found for part in answers.get(program, ())) for program in found[0]}
    return {program for program, count in counts.items() if max(count.values()) > 1}


def start(t: Context, *, stopped: Iterable[str], free: Iterable[str] = ()) -> tuple[State, Answers]:
    """A snapshot with some programs between act and second check, and some at rest that have answered once."""
    files = {}
    for name in RECIPES:
        source, patch = EXAMPLES / f"{name}.c", MUTANTS / f"example-{name}.patch"
        files[name] = compile_program(source)
        files[between(name)] = compile_program(source, patch=patch)
        files[unchecked(name)] = compile_program(source, patch=patch, defines=["UNCHECKED"])
    files[ONE_TOKEN] = compile_program(EXAMPLES / "cached-secret.c", patch=MUTANTS / f"example-{ONE_TOKEN}.patch")
    extra = with_files(t.initrd(), {f"bin/{name}": path for name, path in files.items()})
    vm = t.boot(insmod="", extra=extra)
    assert vm.run("mkfifo", "/tmp/go").ok
    for program in (*stopped, *free):
        vm.spawn(program, program)
        vm.wait_output(program, "^ready$", limit=40)
        vm.kill(program, signal.SIGUSR1)
    for program in stopped:
        vm.wait_output(program, "^between$", limit=40, count=4 if "threads" in program else 1)
    before = {program: answer(vm, program) for program in free}
    state = vm.snapshot()
    vm.close()
    return state, before


def ask(vm: VM, free: Iterable[str]) -> Answers:
    for program in free:
        vm.kill(program, signal.SIGUSR1)
    return {program: answer(vm, program, 2) for program in free}


def recipes_work(t: Context, clones: int) -> None:
    free = [*RECIPES]
    stopped = [between(name) for name in RECIPES]
    state, before = start(t, stopped=stopped, free=free)

    def settled(vm: VM) -> bool:
        return vm.read(OUTDATED) == "0"

    def one() -> Answers:
        with t.cloned(state) as clone:
            answers = ask(clone, free)
            assert clone.read(OUTDATED) == "1", "the event loop that was stopped has confirmed too early"
            let_go(clone)
            answers |= {program: answer(clone, program) for program in stopped}
            wait_until(lambda: settled(clone), 40, "both event loops to confirm")
            for program in ("fork-worker", between("fork-worker")):
                clone.wait_output(program, "^reopened$")
            return answers

    found = t.parallel([one] * clones)
    again = twice([*found, before])
    assert not again, f"came out of two clones: {again}"

    def same() -> Answers:
        with t.cloned(state, "same") as clone:
            answers = ask(clone, free)
            let_go(clone)
            return answers | {program: answer(clone, program) for program in stopped}

    assert twice([same(), same()]) == {*free, *stopped}, "a restore to the same identity disturbs nobody"


@vmtest("amd64", quick=True, cpus=2, timeout=180, full_timeout=300)
def recipes_work_in_clones(t: Context) -> None:
    recipes_work(t, t.count(8, quick=2, full=50))


@vmtest("bookworm-cloud", quick=True, timeout=180)
def recipes_fail_without_the_second_check(t: Context) -> None:
    """The control: the same moment, but nobody looks again. And a program with one token for two secrets."""
    assert {path.stem for path in EXAMPLES.glob("*.c")} == {*RECIPES, *EVERYWHERE}, "an example is not tested"
    stopped = [unchecked(name) for name in RECIPES]
    state, _ = start(t, stopped=stopped, free=[ONE_TOKEN])
    found = []
    for _ in range(2):
        with t.cloned(state) as clone:
            let_go(clone)
            found.append(ask(clone, [ONE_TOKEN]) | {program: answer(clone, program) for program in stopped})
    expected = {*stopped, ONE_TOKEN}
    assert twice(found) == expected, f"not noticed: {sorted(expected - twice(found))}"


@vmtest("bookworm-cloud", quick=True)
def no_device_example_takes_ids_of_the_kernel(t: Context) -> None:
    vm = t.boot(extra=with_files(t.initrd(), {"bin/no-device": compile_program(EXAMPLES / "no-device.c")}))
    vm.spawn("no-device", "no-device")
    vm.wait_output("no-device", "^ready$", limit=40)
    ids = set()
    for number in range(1, 4):
        vm.kill("no-device", signal.SIGUSR1)
        ids.add(answer(vm, "no-device", number))
    assert len(ids) == 3
    assert "each id is the kernel's" in vm.out("no-device").out
