# SPDX-License-Identifier: MIT
"""Finds a kernel's complaints in its console."""

from __future__ import annotations

import re
from pathlib import Path

# "INFO:" lines are those of lockdep, RCU stalls and hung tasks.
COMPLAINT = re.compile(
    r"\bBUG\b|\bOops\b|\bWARNING: |Kernel panic|general protection fault|possible .* detected|"
    r"INFO: (task |rcu|possible|suspicious|trying to register)|rcu: INFO|\bKASAN\b|\bKCSAN\b|\bUBSAN\b|"
    r"kmemleak: [1-9]|refcount_t:|list_(add|del) corruption|Bad page|Call Trace|soft lockup|hard LOCKUP|"
    r"^init: "
)


def complaints(console: Path, limit: int = 5) -> list[str]:
    """The first suspicious lines of a console file."""
    if not console.exists():
        return []
    lines = console.read_text("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if COMPLAINT.search(line)][:limit]
