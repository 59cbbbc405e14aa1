# SPDX-License-Identifier: MIT
"""An older version of this repository, out of its history: what machines run while they are upgraded."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import cache, repo
from .limits import run_tool

# The last one whose library has no sysgenid_open_at(), and no sysgenid_version().
COMMIT = "e3621c2acd2c152d2937fa46ecbb45bb336412ff"
ABSENT = f"NOT TESTED: this repository has no commit {COMMIT[:12]} (a shallow clone, or a tarball)"


def tree() -> Path | None:
    """Its files; None in a shallow clone and a tarball, which have no history."""
    git = ["git", "-C", str(repo.TOP)]
    if subprocess.run([*git, "cat-file", "-e", f"{COMMIT}^{{commit}}"], stderr=subprocess.DEVNULL, check=False).returncode:
        return None

    def make(to: Path) -> list[str]:
        archive = to / "archive.tar"
        run_tool([*git, "archive", f"--output={archive}", COMMIT], 60, "git archive")
        (to / "tree").mkdir()
        run_tool(["tar", "-C", to / "tree", "-xf", archive], 60, "tar")
        archive.unlink()
        return ["tree/VERSION"]

    return cache.entry("old", {"commit": COMMIT, "layout": 1}, make) / "tree"
