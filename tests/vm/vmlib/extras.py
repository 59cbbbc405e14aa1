# SPDX-License-Identifier: MIT
"""Puts files into the guests of one test: the kernel unpacks archives that follow each other."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from . import cache
from .initramfs import Newc


def _archive(path: Path, files: Mapping[str, Path]) -> None:
    folders = {folder for name in files for folder in PurePosixPath(name).parents if str(folder) != "."}
    with path.open("ab") as out:
        archive = Newc(out)
        for folder in sorted(folders):
            archive.add(str(folder), stat.S_IFDIR | 0o755)
        for name, source in sorted(files.items()):
            archive.add(name, stat.S_IFREG | stat.S_IMODE(source.stat().st_mode) | 0o444, source.read_bytes())
        archive.close()


def with_files(initrd: Path, files: Mapping[str, Path]) -> list[str]:
    """What Lab.boot needs as extra so that files are in the guest, by their path there."""
    recipe: cache.Recipe = {
        "initrd": str(initrd),
        "files": {name: cache.file_hash(path) for name, path in files.items()},
        "layout": 1,
    }

    def make(to: Path) -> list[str]:
        data = initrd.read_bytes()
        (to / "initrd").write_bytes(data + b"\0" * (-len(data) % 4))
        _archive(to / "initrd", files)
        return ["initrd"]

    # The last one counts.
    return ["-initrd", str(cache.entry("initramfs", recipe, make) / "initrd")]
