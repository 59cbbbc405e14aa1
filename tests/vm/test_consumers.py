# SPDX-License-Identifier: MIT
"""Programs that do not look at the generation: what is equal in clones, and what helps; docs/consumers.md has their rows."""

import json
import re
import signal
from collections.abc import Callable, Sequence

from vmlib import VM, Context, Lab, State, repo, vmtest
from vmlib.askers import KERNEL, LIBRARIES, OPENSSL, PROGRAMS, Asker, small_guest, system

ON = "bookworm-cloud"
DOCUMENT = repo.TOP / "docs" / "consumers.md"
GENERATION = "/sys/class/misc/sysgenid/generation"
LIMIT = 480.0
REQUESTS = 3
# What tells clones apart is when they are asked: whether it does depends on the moment, and is not compared.
BY_CLOCK = "no, but for the clock"
AGAIN = "-again"
# What doctor calls the generators of the programs.
NAMED = ("a Java machine", "Erlang", "Python", "Node.js", "Redis", "OpenSSL")

# By asker and draw.
Values = dict[tuple[Asker, str], list[str]]
# Program, draw, unique without, unique with, the test.
Row = tuple[str, str, str, str, str]
Rows = list[Row]


def answers(vm: VM, askers: Sequence[Asker], requests: int, suffix: str = "") -> Values:
    """What they answered to so many requests since they were started."""
    found: Values = {}
    for asker in askers:
        for draw in asker.draws:
            line = rf"^{re.escape(draw)} (\S+)$"
            vm.wait_output(asker.name + suffix, line, LIMIT, count=requests)
            found[asker, draw] = re.findall(line, vm.out(asker.name + suffix).out, re.MULTILINE)
    return found


def ask(vm: VM, askers: Sequence[Asker], requests: int, before: int = 0, suffix: str = "") -> Values:
    """What they answer to so many requests, after so many that were answered before."""
    for asker in askers:
        vm.write(f"/tmp/{asker.name}{suffix}", "\n" * requests)
    found = answers(vm, askers, before + requests, suffix)
    assert all(len(values) == before + requests for values in found.values()), found
    return {key: values[before:] for key, values in found.items()}


def start(vm: VM, askers: Sequence[Asker], suffix: str = "") -> None:
    for asker in askers:
        name = asker.name + suffix
        assert vm.run("mkfifo", f"/tmp/{name}").ok
        vm.spawn(name, "sh", "-c", f"exec {asker.command} <>/tmp/{name}")


def restart(vm: VM, askers: Sequence[Asker]) -> None:
    """As somebody does after a resume."""
    for asker in askers:
        if asker.unit:
            done = vm.run("systemctl", "restart", asker.unit, limit=LIMIT)
            assert done.ok, done
        vm.kill(asker.name, signal.SIGKILL)
        vm.wait(asker.name, LIMIT)
    start(vm, askers, AGAIN)


def compared(lab: Lab, state: State, askers: Sequence[Asker], suffix: str = "", restarts: bool = False) -> dict[tuple[Asker, str], list[bool]]:
    """Whether two clones draw nothing twice: as they are, and restarted. Each was asked once before the snapshot."""

    def look() -> tuple[Values, Values]:
        with lab.cloned(state) as clone:
            # Nobody draws before the kernel is reseeded, which it is when this has been read.
            assert clone.read(GENERATION) == "1"
            after = ask(clone, askers, REQUESTS, 1, suffix)
            if not restarts:
                return after, {}
            restart(clone, askers)
            return after, ask(clone, askers, REQUESTS, suffix=AGAIN)

    (a, a_again), (b, b_again) = look(), look()
    found = {key: [not set(a[key]) & set(b[key])] for key in a}
    for key, values in a_again.items():
        # Nor what was drawn before.
        new = [set(values), set(b_again[key])]
        found[key].append(not new[0] & new[1] and not (new[0] | new[1]) & {*a[key], *b[key]})
    return found


def said(unique: bool) -> str:
    return "yes" if unique else "no"


def libraries(lab: Lab) -> Rows:
    vm = small_guest(lab)
    askers = (*LIBRARIES, KERNEL)
    start(vm, askers)
    ask(vm, askers, 1)
    doctor_names(vm, [asker.program for asker in LIBRARIES])
    found = compared(lab, vm.snapshot(), askers, restarts=True)
    assert found.pop((KERNEL, *KERNEL.draws)) == [True, True]
    return [row(key, *unique, "restarted", "libraries_repeat_until_restarted") for key, unique in found.items()]


def programs(lab: Lab) -> Rows:
    vm = system(lab)
    done = vm.run("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "psql", "-c", "CREATE EXTENSION pgcrypto", limit=LIMIT)
    assert done.ok, done
    askers = (*PROGRAMS, *OPENSSL)
    start(vm, askers)
    ask(vm, askers, 1)
    doctor_names(vm, NAMED)
    state = vm.snapshot()
    found = compared(lab, state, PROGRAMS, restarts=True)
    without = compared(lab, state, OPENSSL)

    vm.resume()
    for command in ("sysgenidctl openssl enable", *(f"systemctl restart {asker.unit}" for asker in OPENSSL)):
        done = vm.run(*command.split(), limit=LIMIT)
        assert done.ok, done
    start(vm, OPENSSL, AGAIN)
    ask(vm, OPENSSL, 1, suffix=AGAIN)
    provided = compared(lab, vm.snapshot(), OPENSSL, AGAIN)
    test = "programs_repeat_until_restarted_or_provided_for"
    rows = [row(key, *unique, "restarted", test) for key, unique in found.items()]
    rows += [row(key, *without[key], *provided[key], "with the [OpenSSL provider](openssl.md)", test) for key in without]
    return rows


def row(key: tuple[Asker, str], without: bool, fixed: bool, how: str, test: str) -> Row:
    asker, draw = key
    shown = draw if draw.startswith(("a ", "names ")) else f"`{draw}`"
    before = BY_CLOCK if draw in asker.by_clock else said(without)
    after = f"yes, {how}" if fixed and before != "yes" else said(fixed)
    return asker.program, shown, before, after, f"consumers.{test}"


def doctor_names(vm: VM, generators: Sequence[str]) -> None:
    """Each kind of generator has a line of its own, with what helps."""
    done = vm.run("sysgenidctl", "doctor", "--json", limit=120)
    found = [f for f in json.loads(done.out)["findings"] if f["about"] == "generators" and f["level"] == "note"]
    for name in generators:
        assert [f for f in found if f" with {name}, " in f["text"] and f["fix"]], (name, found)


def table() -> Rows:
    """Those of the document that come from here."""
    lines = re.findall(r"^\| (.*) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    rows = [tuple(line.split(" | ")) for line in lines if "| consumers." in line]
    return [(program, draw, without, fixed, test) for program, draw, without, fixed, test in rows]


def agrees(t: Context, measured: Rows, test: Callable[[Context], None]) -> None:
    t.log("\n".join(" | ".join(one) for one in measured))
    documented = [one for one in table() if one[-1] == f"consumers.{test.__name__}"]
    assert measured and measured == documented


@vmtest(ON)
def libraries_repeat_until_restarted(t: Context) -> None:
    agrees(t, libraries(t), libraries_repeat_until_restarted)


@vmtest(ON, full_only=True, timeout=3600)
def programs_repeat_until_restarted_or_provided_for(t: Context) -> None:
    agrees(t, programs(t), programs_repeat_until_restarted_or_provided_for)
