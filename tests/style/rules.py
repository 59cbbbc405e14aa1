# SPDX-License-Identifier: MIT
"""The rules of docs/style.md that a program can check. Each returns its complaints; none is good."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from . import cfiles, prose
from .tree import Commit, Tree

EXCEPTIONS = "tests/style/exceptions.list"
FORMATTER = 14
# Texts of others, data, and what holds bad sentences on purpose.
NOT_OUR_PROSE = re.compile(r"^LICENSES/|\.(abi|patch|svg|json|map|suppr)$|/corpus/|^debian/changelog$|^docs/style\.md$|^tests/style/(prose|test_rules)\.py$")
SUBJECT_MOST = 75
# No base form of a verb ends like that, but for these.
NOT_IMPERATIVE = re.compile(r"^(?!(?:\w*(?:eed|ss|ias|cus)|[^\Waeiouy]+ing|embed|shed)\b)\w+(?:ed|ing|s)\b", re.IGNORECASE)
UNFINISHED = re.compile(r"(?:fixup|squash|amend)! |WIP\b")


@dataclass(frozen=True)
class Exceptions:
    """Rows of "rule | what | why": what a rule lets pass."""

    rows: Mapping[tuple[str, str], str]

    @staticmethod
    def read(tree: Tree) -> Exceptions:
        rows = {}
        for line in tree.texts[EXCEPTIONS].splitlines():
            if line and not line.startswith("#"):
                rule, what, why = (part.strip() for part in line.split(" | ", 2))
                rows[rule, what] = why
        return Exceptions(rows)

    def apply(self, rule: str, found: Mapping[str, str]) -> list[str]:
        """What is found and is no exception, and exceptions that are not found."""
        allowed = {what for name, what in self.rows if name == rule}
        wrong = [f"{what}: {details}" for what, details in found.items() if what not in allowed]
        stale = [f"{EXCEPTIONS}: \"{rule} | {what}\" matches nothing: remove the row" for what in sorted(allowed - found.keys())]
        return wrong + stale


def empty_files(tree: Tree) -> list[str]:
    return [f"{name}: empty; remove the file" for name in tree.files if not (tree.top / name).stat().st_size]


def shared_functions(tree: Tree) -> list[str]:
    """One name, one function: a trace or a stack that names a function of the module means no other."""
    c = {name: text for name, text in tree.texts.items() if name.endswith((".c", ".h"))}
    module = {name: text for name, text in c.items() if name.startswith("module/")}
    others = {name: text for name, text in c.items() if name not in module}
    return Exceptions.read(tree).apply("shared function", cfiles.shared_functions(module, others))


def circles(tree: Tree) -> list[str]:
    """Of two files of a directory one is above the other."""
    return Exceptions.read(tree).apply("circle", cfiles.circles(cfiles.dependencies(tree.texts)))


def formatter() -> str | None:
    """The clang-format whose output the tree has; None if there is none of that version."""
    for program in (f"clang-format-{FORMATTER}", "clang-format"):
        try:
            done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
        except FileNotFoundError:
            continue
        if re.search(rf"version {FORMATTER}\.", done.stdout):
            return program
    return None


def c_format(tree: Tree, program: str) -> list[str]:
    files = [name for name in tree.files if name.endswith((".c", ".h"))]
    done = subprocess.run([program, "--dry-run", "-Werror", *files], cwd=tree.top, capture_output=True, text=True, timeout=300, check=False)
    found = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error: ", done.stderr, re.MULTILINE)))
    if done.returncode and not found:
        return [done.stderr.strip() or f"exit status {done.returncode}"]
    return [f"{name}: {program} -i {name}" for name in found]


def text(tree: Tree) -> list[str]:
    return [
        f"{name}:{complaint.line}: {complaint.text}"
        for name, content in tree.texts.items()
        if not NOT_OUR_PROSE.search(name)
        for complaint in prose.complaints(name, content)
    ]


def commit(one: Commit) -> list[str]:
    found = []
    subject = one.subject.rpartition(": ")[2]
    if len(one.subject) > SUBJECT_MOST:
        found.append(f"the subject has {len(one.subject)} characters, {SUBJECT_MOST} are the most")
    if UNFINISHED.match(one.subject):
        found.append("the commit is a part of another one: git rebase -i --autosquash")
    if one.subject.endswith(".") or NOT_IMPERATIVE.match(subject):
        found.append("the subject is an order, without a full stop: Fix the race, not Fixed the race.")
    reason = re.sub(r"^[A-Z][A-Za-z-]+: .*$", "", one.body, flags=re.MULTILINE)
    if not reason.strip():
        found.append("the body says why; there is none")
    if f"Signed-off-by: {one.author}" not in one.body.splitlines():
        found.append(f"no Signed-off-by of its author, {one.author}: git commit -s")
    return [f'"{one.subject}": {complaint}' for complaint in found]


def commits(tree: Tree) -> list[str]:
    """A commit that others build on cannot be changed: an exception names it."""
    found = {one.name: "; ".join(commit(one)) for one in tree.commits}
    exceptions = Exceptions.read(tree)
    # A newer base leaves out commits that exceptions name.
    rows = {key: why for key, why in exceptions.rows.items() if key[0] == "commit" and (not tree.given_base or key[1] in found)}
    return Exceptions(rows).apply("commit", {name: complaint for name, complaint in found.items() if complaint})
