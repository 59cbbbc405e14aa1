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

# What a build in the work tree may have left beside the module's sources.
_NOT_SOURCES = (".o", ".ko", ".cmd", ".mod", ".mod.c", ".symvers", ".order", ".d")


def module_sources(top: Path = TOP) -> list[Path]:
    """The module's source files."""
    folder = top / "module"
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(_NOT_SOURCES)]
    return [p for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts)]


def version(top: Path = TOP) -> str:
    """The version, typed in one place only."""
    return (top / "VERSION").read_text("ascii").strip()
