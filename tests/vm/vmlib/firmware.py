# SPDX-License-Identifier: MIT
"""ACPI tables of our own: what a firmware may answer that no hypervisor here does."""

from __future__ import annotations

import functools
from pathlib import Path

from . import cache, repo
from .limits import run_tool

COMPILE_LIMIT = 60.0


@functools.cache
def _compiler() -> str:
    return run_tool(["iasl", "-v"], 30, "iasl -v")


def with_table(name: str) -> list[str]:
    """What Lab.boot needs as extra so that the guest's firmware has the table tests/vm/acpi/NAME.asl."""
    source = repo.VM / "acpi" / f"{name}.asl"
    recipe: cache.Recipe = {"source": cache.file_hash(source), "compiler": _compiler()}

    def make(to: Path) -> list[str]:
        run_tool(["iasl", "-vs", "-we", "-p", to / name, source], COMPILE_LIMIT, f"compiling {source.name}")
        return [f"{name}.aml"]

    return ["-acpitable", f"file={cache.entry('acpi', recipe, make) / name}.aml"]
