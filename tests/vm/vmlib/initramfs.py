# SPDX-License-Identifier: MIT
"""Writes an initramfs: a newc cpio archive, made here so that device nodes need no root."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from . import cache, cross, guests
from .architectures import AMD64, Architecture
from .limits import run_tool

BUSYBOX = Path("/bin/busybox")
FOLDERS = ("bin", "dev", "proc", "sys", "run", "tmp", "lib", "etc")
ETC = {
    "etc/passwd": "root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n",
    "etc/group": "root:x:0:\nuser:x:1000:\n",
}


class Newc:
    """A writer of the one archive format the kernel unpacks."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._inode = 0

    def add(self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self._inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(encoded), 0)
        self._write(b"070701" + b"".join(b"%08x" % f for f in fields) + encoded)
        self._write(data)

    def _write(self, data: bytes) -> None:
        self._out.write(data + b"\0" * (-len(data) % 4))

    def close(self) -> None:
        self.add("TRAILER!!!", 0)


@functools.cache
def _applets() -> list[str]:
    return run_tool([BUSYBOX, "--list"], 30, "busybox --list").split()


def _busybox(architecture: Architecture) -> Path:
    return cross.busybox(architecture) if architecture.foreign else BUSYBOX


def write(path: Path, files: Mapping[str, Path], architecture: Architecture = AMD64) -> None:
    """Write an archive with PID 1, busybox for people, and files by their path in the guest."""
    with path.open("wb") as out:
        archive = Newc(out)
        for name in FOLDERS:
            archive.add(name, stat.S_IFDIR | 0o755)
        archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
        archive.add("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))
        for name, text in ETC.items():
            archive.add(name, stat.S_IFREG | 0o644, text.encode())
        archive.add("init", stat.S_IFREG | 0o755, guests.init(architecture).read_bytes())
        archive.add("bin/busybox", stat.S_IFREG | 0o755, _busybox(architecture).read_bytes())
        for applet in _applets():
            if f"bin/{applet}" not in files and applet != "busybox":
                archive.add(f"bin/{applet}", stat.S_IFLNK | 0o777, b"busybox")
        for name, source in sorted(files.items()):
            mode = 0o755 if os.access(source, os.X_OK) else 0o644
            archive.add(name, stat.S_IFREG | mode, source.read_bytes())
        archive.close()


def build(module: Path | None, architecture: Architecture = AMD64) -> Path:
    """The archive with all guest programs in /bin, and the module as /sysgenid.ko if one is given."""
    files = {f"bin/{name}": path for name, path in guests.programs(architecture).items()}
    if module:
        files["sysgenid.ko"] = module
    recipe: cache.Recipe = {
        "init": str(guests.init(architecture)),
        "files": {name: str(path) for name, path in files.items()},
        "busybox": cache.file_hash(_busybox(architecture)),
        "layout": 1,
    }

    def make(to: Path) -> list[str]:
        write(to / "initrd", files, architecture)
        return ["initrd"]

    return cache.entry("initramfs", recipe, make) / "initrd"
