# SPDX-License-Identifier: MIT
"""Where things are in the repository."""

from __future__ import annotations

from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
MODULE = TOP / "module"
GUEST = TOP / "tests" / "guest"
EXAMPLES = TOP / "examples"
MUTANTS = TOP / "tests" / "mutants"
VM = TOP / "tests" / "vm"
UNITS = VM / "units"
LOGS = TOP / "build" / "vm-logs"


def version() -> str:
    """The version, typed in one place only."""
    return (TOP / "VERSION").read_text("ascii").strip()
