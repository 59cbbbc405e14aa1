# SPDX-License-Identifier: MIT
"""Broken modules and programs, as patches in tests/mutants: each shows that a test can fail."""

from __future__ import annotations

from pathlib import Path

from .limits import ToolError, run_tool

OPTIONS = ("--batch", "--forward", "--fuzz=0", "--no-backup-if-mismatch", "--reject-file=-")


def apply(patch: Path, tree: Path, *options: str) -> None:
    """To a tree that looks like the repository's top."""
    try:
        run_tool(["patch", "-p1", *OPTIONS, *options, "-i", patch.resolve()], 30, f"patch {patch.name}", cwd=tree)
    except ToolError as e:
        raise ToolError(f"{patch.name} does not apply any more\n{e}") from e
