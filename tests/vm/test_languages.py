# SPDX-License-Identifier: MIT
"""The programs of docs/languages.md, in clones: each says of itself what the table of docs/consumers.md says."""

import re
from collections.abc import Mapping
from pathlib import PurePath

from vmlib import VM, Context, State, consumers, repo, vmtest

KERNEL = "bookworm-cloud"
DOCUMENT = repo.TOP / "docs" / "languages.md"
TABLE = repo.TOP / "docs" / "consumers.md"
# What runs a program, by the end of its name.
INTERPRETERS: Mapping[str, str] = {"py": "python3", "js": "node", "pl": "perl", "rb": "ruby", "php": "php"}
# Names of languages, by the end of their programs' names.
NAMES = {
    "py": "Python", "js": "Node.js", "pl": "Perl", "rb": "Ruby", "php": "PHP", "go": "Go", "java": "Java", "rs": "Rust"
}  # fmt: skip
LIMIT = 240.0
REQUESTS = 3

Values = dict[str, list[str]]


def programs() -> dict[str, str]:
    """Those of the document, by name."""
    return dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL))


def kind(program: str) -> str:
    return PurePath(program).suffix[1:]


def table() -> dict[tuple[str, str], tuple[str, str]]:
    """Whether what a language draws is unique without sysgenid, and with it: yes, no, or - if there is no program."""
    rows = [line.strip("| ").split(" | ") for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {(row[0], row[1].strip("`")): (row[2], row[3]) for row in rows if row[0] in NAMES.values()}


def draws(program: str) -> list[str]:
    """What its answer to a request has, a line each."""
    mended = program.startswith("mended.")
    language = NAMES[kind(program)]
    return [draw for (of, draw), (without, _) in table().items() if of == language and not (mended and without == "yes")]


def answers(vm: VM, program: str, requests: int) -> Values:
    """What it answered to so many requests, by the way to draw."""
    found = {}
    for draw in draws(program):
        line = rf"^{re.escape(draw)} (\S+)$"
        vm.wait_output(program, rf"(?:{line}(?s:.*?)){{{requests}}}", LIMIT)
        found[draw] = re.findall(line, vm.out(program).out, re.MULTILINE)
    return found


def snapshot(vm: VM, commands: Mapping[str, str], text: Mapping[str, str]) -> State:
    """Each program has answered a request, and waits for the next."""
    for program in text:
        vm.write(f"/tmp/{program}", text[program])
        assert vm.run("mkfifo", f"/tmp/{program}.requests").ok
        vm.spawn(program, "sh", "-c", f"exec {commands[kind(program)]} /tmp/{program} <>/tmp/{program}.requests")
        vm.write(f"/tmp/{program}.requests", "\n")
    for program in text:
        answers(vm, program, 1)
    return vm.snapshot()


def languages(t: Context, vm: VM, commands: Mapping[str, str]) -> None:
    """Asks the programs of these languages in two clones, and compares with the table."""
    text = {name: program for name, program in programs().items() if kind(name) in commands}
    state = snapshot(vm, commands, text)

    def ask() -> dict[str, Values]:
        with t.cloned(state) as clone:
            for program in text:
                clone.write(f"/tmp/{program}.requests", "\n" * REQUESTS)
            return {program: answers(clone, program, 1 + REQUESTS) for program in text}

    a, b = t.parallel([ask, ask])
    found = {}
    for program in text:
        for draw in draws(program):
            # The first was before the snapshot.
            one, other = a[program][draw], b[program][draw]
            assert one[0] == other[0] and len(one) == len(other) == 1 + REQUESTS, (program, one, other)
            found[program, draw] = "no" if set(one[1:]) & set(other[1:]) else "yes"
    t.log("\n".join(f"{program} {draw}: {unique}" for (program, draw), unique in found.items()))
    for (program, draw), unique in found.items():
        without, mended = table()[NAMES[kind(program)], draw]
        said = mended if program.startswith("mended.") else without
        assert unique == said, f"{program}: {draw} is unique: {unique}; {TABLE.name} says {said}"


@vmtest(KERNEL, cpus=2, timeout=900)
def languages_in_clones(t: Context) -> None:
    languages(t, consumers.boot(t), INTERPRETERS)
