# SPDX-License-Identifier: MIT
"""Finds a kernel's complaints in its console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

# "INFO:" lines are those of lockdep, RCU stalls and hung tasks.
COMPLAINT = re.compile(
    r"\bBUG\b|\bOops\b|\bWARNING: |Kernel panic|general protection fault|possible .* detected|"
    r"INFO: (task |rcu|possible|suspicious|trying to register)|rcu: INFO|\bKASAN\b|\bKCSAN\b|\bUBSAN\b|"
    r"kmemleak: [1-9]|unreferenced object|refcount_t:|list_(add|del) corruption|Bad page|Call Trace|soft lockup|hard LOCKUP|"
    r"^init: "
)

# The frame of a report of KCSAN. A kernel that is searched strictly has races of its own, which are not our business;
# a report counts if a function of the module is anywhere in it.
KCSAN_FRAME = re.compile(r"={66}$")
KCSAN_HEAD = re.compile(r"BUG: KCSAN: ")


def _without_foreign_races(lines: list[str]) -> Iterator[str]:
    report: list[str] = []
    for line in lines:
        if report:
            report.append(line)
            if KCSAN_FRAME.search(line):
                if any("sysgenid" in part for part in report):
                    yield from report
                report = []
        elif KCSAN_HEAD.search(line):
            report = [line]
        else:
            yield line
    yield from report


def complaints(console: Path, limit: int = 5) -> list[str]:
    """The first suspicious lines of a console file."""
    if not console.exists():
        return []
    lines = console.read_text("utf-8", "replace").splitlines()
    return [line.strip() for line in _without_foreign_races(lines) if COMPLAINT.search(line)][:limit]
