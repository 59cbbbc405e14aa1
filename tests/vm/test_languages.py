# SPDX-License-Identifier: MIT
"""The programs of docs/languages.md, in clones: each says of itself what the table of docs/consumers.md says."""

import re
from collections.abc import Mapping
from pathlib import PurePath

from vmlib import VM, Context, State, consumers, repo, vmtest
from vmlib.testing import TESTS

KERNEL = "bookworm-cloud"
DOCUMENT = repo.TOP / "docs" / "languages.md"
TABLE = repo.TOP / "docs" / "consumers.md"
# What runs a program, by the end of its name.
INTERPRETED = {
    "py": "python3 /tmp/{}", "js": "node /tmp/{}", "pl": "perl /tmp/{}", "rb": "ruby /tmp/{}", "php": "php /tmp/{}"
}  # fmt: skip
# Large, and slow to start or to build.
COMPILED = {"go": "{}", "java": "java /tmp/{}", "rs": "{}"}
COMPILERS = ("cargo", "golang-go", "librust-rand-dev", "openjdk-17-jdk-headless", "rustc")
COMPILE = """
set -e
cd /mnt
export GO111MODULE=off GOCACHE=/tmp/go
for program in *.go; do
	go build -o "/usr/local/bin/$program" "$program"
done
mkdir -p /tmp/crate/src/bin /tmp/crate/.cargo
cp *.rs /tmp/crate/src/bin
cd /tmp/crate
cat >Cargo.toml <<'END'
[package]
name = "languages"
version = "0.0.0"
edition = "2021"
[dependencies]
rand = "0.8"
END
cat >.cargo/config.toml <<'END'
[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "/usr/share/cargo/registry"
END
cargo build --offline --release
for program in src/bin/*.rs; do
	name=$(basename "$program" .rs)
	cp "target/release/$name" "/usr/local/bin/$name.rs"
done
"""
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
    """Whether what a language draws is unique without sysgenid, and with it: yes or no; - if no program fixes it."""
    rows = [line.strip("| ").split(" | ") for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {(row[0], row[1].strip("`")): (row[2], row[3]) for row in rows if row[0] in NAMES.values()}


def tests_in_table() -> set[str]:
    """What the last column names."""
    rows = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return set(re.findall(r"\b[a-z_]+\.[a-z_]{6,}\b", " ".join(row.rsplit("|", 2)[-2] for row in rows)))


def draws(program: str) -> list[str]:
    """What its answer to a request has, a line each; a fixed.* one what had to be fixed."""
    rows = {draw: row for (language, draw), row in table().items() if language == NAMES[kind(program)]}
    if not program.startswith("fixed."):
        return [*rows]
    return [draw for draw, (without, fixed) in rows.items() if without == "no" and fixed != "-"]


def answers(vm: VM, program: str, requests: int) -> Values:
    """What it answered to so many requests, by the way to draw."""
    found = {}
    for draw in draws(program):
        line = rf"^{re.escape(draw)} (\S+)$"
        vm.wait_output(program, line, LIMIT, count=requests)
        found[draw] = re.findall(line, vm.out(program).out, re.MULTILINE)
    return found


def snapshot(vm: VM, commands: Mapping[str, str], text: Mapping[str, str]) -> State:
    """Each program has answered a request, and waits for the next."""
    for program in text:
        vm.write(f"/tmp/{program}", text[program])
        assert vm.run("mkfifo", f"/tmp/{program}.requests").ok
        command = commands[kind(program)].format(program)
        vm.spawn(program, "sh", "-c", f"exec {command} <>/tmp/{program}.requests")
        vm.write(f"/tmp/{program}.requests", "\n")
    for program in text:
        answers(vm, program, 1)
        names = {line.split()[0] for line in vm.out(program).out.splitlines()}
        assert names == set(draws(program)), f"{program} says {names}, and {TABLE.name} has {draws(program)}"
    return vm.snapshot()


def languages(t: Context, vm: VM, commands: Mapping[str, str]) -> None:
    """Asks the programs of these languages in two clones, and compares with the table."""
    text = {name: program for name, program in programs().items() if kind(name) in commands}
    state = snapshot(vm, commands, text)

    def ask() -> dict[str, Values]:
        with t.cloned(state) as clone:
            # Nobody draws before the kernel is reseeded, which it is when this has been read.
            assert clone.read("/sys/class/misc/sysgenid/generation") == "1"
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
        without, fixed = table()[NAMES[kind(program)], draw]
        said = fixed if program.startswith("fixed.") else without
        # What depends on the moment is said in other words, and not compared.
        assert said not in ("yes", "no") or unique == said, f"{program}: {draw} is unique: {unique}; {TABLE.name} says {said}"


@vmtest(KERNEL, cpus=2, timeout=2400)
def languages_in_clones(t: Context) -> None:
    strange = tests_in_table() - {test.name for test in TESTS}
    assert not strange, f"{TABLE.name} names what is no test: {strange}"
    languages(t, consumers.boot(t), INTERPRETED)


@vmtest(KERNEL, cpus=2, timeout=3600, full_only=True)
def compiled_languages_in_clones(t: Context) -> None:
    sources = {}
    for name, text in programs().items():
        if kind(name) in COMPILED:
            sources[name] = t.folder / name
            sources[name].write_text(text, "utf-8")
    root = consumers.root(t).installed(packages=["--no-install-recommends", *COMPILERS])
    languages(t, consumers.boot(t, root.changed(COMPILE, files=sources)), COMPILED)
