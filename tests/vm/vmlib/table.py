# SPDX-License-Identifier: MIT
"""docs/kernels.md: a row for each kernel of kernels.list, written from a run of the tests.

A run replaces the rows of the kernels that it ran on, and leaves the others and the text around them alone.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from . import repo
from .kernels import Kernel, all_kernels, image, version
from .lab import Lab
from .limits import ToolError, run_tool
from .module import build_module

DOCUMENT = repo.TOP / "docs" / "kernels.md"
HEADING = (
    "kernel", "Debian suite", "version found", "compiler", "vmgenid driver", "sources, live",
    "text + data + bss", "tests passed",
)  # fmt: skip
TABLE = re.compile(rf"^\| {HEADING[0]} \|.*\n\|---.*\n(\|.*\n)*", re.MULTILINE)


@dataclass(frozen=True)
class Size:
    """What size(1) says about a module."""

    text: int
    data: int
    bss: int

    def __str__(self) -> str:
        return f"{self.text} + {self.data} + {self.bss} = {self.text + self.data + self.bss}"


def module_size(ko: Path) -> Size:
    _, row = run_tool(["size", ko], 30, "size").splitlines()
    text, data, bss = map(int, row.split()[:3])
    return Size(text, data, bss)


def _compiler(config: str) -> str:
    found = re.search(r'^CONFIG_CC_VERSION_TEXT="(?:[a-z0-9_]+-linux-gnu-)?(\S+) \(.*\) ([0-9.]+)', config, re.MULTILINE)
    if not found:
        raise ToolError("the kernel's configuration names no compiler")
    return f"{found[1]} ({found[2]})"


def facts(kernel: Kernel) -> list[str]:
    """The cells of a kernel's row but the last, the one of the tests."""
    today, ko = version(kernel), build_module(kernel)
    config = image(kernel).config.read_text("utf-8")
    driver = re.search(r"^CONFIG_VMGENID=([ym])$", config, re.MULTILINE)
    with Lab(kernel.name) as lab:
        sources = lab.boot(insmod="").read("/sys/class/misc/sysgenid/sources").split()
    return [
        f"{today.release}, {today.headers_version}",
        _compiler(config),
        {"y": "built in", "m": "module", None: "none"}[driver and driver[1]],
        " ".join(sources),
        str(module_size(ko)),
    ]


def row_names(text: str) -> list[tuple[str, str]]:
    """Name and suite of the rows of the document."""
    return [(name, cells.split(" | ")[0]) for name, cells in _rows(text)]


def _rows(text: str) -> list[tuple[str, str]]:
    found = TABLE.search(text)
    if not found:
        raise ToolError(f"{DOCUMENT} has no table that begins with {HEADING[0]!r}")
    return re.findall(r"^\| ([a-z0-9-]+) \| (.*) \|$", found[0].split("\n", 2)[2], re.MULTILINE)


def write(found: dict[Kernel, list[str]], counts: dict[Kernel, Counter[str]]) -> None:
    """Put the rows of these kernels into the document, in the order of kernels.list."""
    text = DOCUMENT.read_text("utf-8")
    rows = dict(_rows(text))
    for kernel, cells in found.items():
        count = counts[kernel]
        ran = count["ok"] + count["FAIL"]
        tests = f"{count['ok']} of {ran}" if ran else "loaded; none ran"
        if count["skip"]:
            tests += f", {count['skip']} skipped"
        rows[kernel.name] = " | ".join([kernel.suite, *cells, tests])
    head = f"| {' | '.join(HEADING)} |\n|{'---|' * len(HEADING)}\n"
    body = "".join(f"| {k.name} | {rows[k.name]} |\n" for k in all_kernels() if k.name in rows)
    DOCUMENT.write_text(TABLE.sub(lambda _: head + body, text, count=1), "utf-8")
