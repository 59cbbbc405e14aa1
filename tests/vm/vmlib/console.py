# SPDX-License-Identifier: MIT
"""Finds a kernel's complaints in its console."""

from __future__ import annotations

import re
from pathlib import Path

# "INFO:" lines are those of lockdep, RCU stalls and hung tasks.
COMPLAINT = re.compile(
    r"\bBUG\b|\bOops\b|\bWARNING: |Kernel panic|general protection fault|: [0-9a-f]{4} \[#\d|possible .* detected|"
    r"INFO: (task |rcu|possible|suspicious|trying to register)|rcu: INFO|\bKASAN\b|\bKCSAN\b|\bUBSAN\b|"
    r"kmemleak: [1-9]|unreferenced object|refcount_t:|list_(add|del) corruption|Bad page|Call Trace|soft lockup|hard LOCKUP|"
    r"^init: "
)

# A kernel that is searched strictly for races has some of its own, also below calls of the module (printk, timers). A
# report is our business if one of the two functions that race, which its first line names, is the module's.
FOREIGN_RACE = re.compile(r"BUG: KCSAN: (?!.*sysgenid)")


def text(console: Path) -> str:
    return console.read_text("utf-8", "replace") if console.exists() else ""


def _suspicious(line: str) -> bool:
    return bool(COMPLAINT.search(line)) and not FOREIGN_RACE.search(line)


def complaints(console: Path, limit: int = 5) -> list[str]:
    """The first suspicious lines of a console file."""
    return [line.strip() for line in text(console).splitlines() if _suspicious(line)][:limit]


def last_words(console: Path, limit: int = 30) -> list[str]:
    """A console file from its first suspicious line on; its end if there is none."""
    lines = text(console).splitlines()
    first = next((number for number, line in enumerate(lines) if _suspicious(line)), -limit)
    return lines[first:][:limit]
