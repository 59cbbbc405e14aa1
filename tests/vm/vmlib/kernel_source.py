# SPDX-License-Identifier: MIT
"""A few files out of Debian's kernel source package: a large download, once."""

from __future__ import annotations

from pathlib import Path

from . import cache
from .apt import Apt
from .limits import run_tool

SUITE = "bookworm"
CHECKPATCH = ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")
MEMORY_MODEL = ("linux-kernel.bell", "linux-kernel.cat", "linux-kernel.cfg", "linux-kernel.def", "lock.cat")


def _folder() -> Path:
    wanted = [f"scripts/{name}" for name in CHECKPATCH] + [f"tools/memory-model/{name}" for name in MEMORY_MODEL]

    def make(to: Path) -> list[str]:
        apt = Apt(SUITE)
        apt.update()
        ((package, version),) = apt.depends("linux-source", r"linux-source-[0-9.]+")
        deb = apt.download(package, version, to)
        inner = f"./usr/src/{package}.tar.xz"
        names = [f"{package}/{name}" for name in wanted]
        script = 'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -xO "$2" | tar -xJ --strip-components=1 "${@:3}"'
        run_tool(["bash", "-c", script, "unpack", deb, inner, *names], 300, f"unpacking {package}", cwd=to)
        deb.unlink()
        return wanted

    return cache.entry("kernel-source", {"package": "linux-source", "suite": SUITE, "files": wanted}, make)


def checkpatch() -> Path:
    """The kernel's own style checker."""
    return _folder() / "scripts" / CHECKPATCH[0]


def memory_model() -> Path:
    """The folder of the kernel's memory model, for herd7."""
    return _folder() / "tools/memory-model"
