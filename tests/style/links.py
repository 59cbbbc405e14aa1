# SPDX-License-Identifier: MIT
"""Links of Markdown files lead to files and headings of the tree; names of VM tests are names of tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LINK = re.compile(r"\]\(([^()\s]*)\)")
CODE = re.compile(r"^```.*?^```$|^    .*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# A test in a table: the name of a file of tests/vm, and of a function in it.
TEST = re.compile(r"(?<![\w./])([a-z_]+)\.([a-z_]+_[a-z_]+)\b(?!\.)")


def slug(heading: str) -> str:
    """As the sites that show Markdown name a heading."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {slug(heading) for heading in HEADING.findall(CODE.sub("", path.read_text("utf-8")))} | {
        slug(heading) for heading in HEADING.findall(path.read_text("utf-8"))
    }


def broken(page: Path, top: Path) -> Iterator[str]:
    """What is wrong with the links of a page."""
    for number, line in enumerate(CODE.sub(lambda m: "\n" * m[0].count("\n"), page.read_text("utf-8")).splitlines(), 1):
        for target in LINK.findall(line):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            to = (page.parent / name).resolve() if name else page
            where = f"{page.relative_to(top)}:{number}: {target}: "
            if not to.is_relative_to(top):
                yield where + "leads out of the tree"
            elif not to.exists():
                yield where + "there is no such file"
            elif anchor and anchor not in anchors(to):
                yield where + f"{to.name} has no such heading"


def tests(top: Path) -> set[tuple[str, str]]:
    """File and function of each test in tests/vm."""
    found = set()
    for path in (top / "tests" / "vm").glob("test_*.py"):
        functions = re.findall(r"^def (\w+)\(", path.read_text("utf-8"), re.MULTILINE)
        found |= {(path.stem.removeprefix("test_"), function) for function in functions}
    return found


def strange_tests(page: Path, top: Path) -> Iterator[str]:
    """Names in tables that look like those of tests and are of none."""
    known = tests(top)
    files = {file for file, _ in known}
    rows = [line for line in page.read_text("utf-8").splitlines() if line.startswith("|")]
    for file, function in TEST.findall("\n".join(rows)):
        if file in files and (file, function) not in known:
            yield f"{page.relative_to(top)}: there is no test {file}.{function}"


def wrong(pages: list[Path], top: Path) -> list[str]:
    found = [line for page in pages for line in broken(page, top)]
    return found + [line for page in pages for line in strange_tests(page, top)]
