# SPDX-License-Identifier: MIT
"""A few files out of Debian's kernel source package: a large download, once."""

from __future__ import annotations

from pathlib import Path

from . import built, cache
from .kernels import get_kernel
from .limits import run_tool

KERNEL = "kasan"
CHECKPATCH = ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")
MEMORY_MODEL = ("linux-kernel.bell", "linux-kernel.cat", "linux-kernel.cfg", "linux-kernel.def", "lock.cat")


def _folder() -> Path:
    wanted = [f"scripts/{name}" for name in CHECKPATCH] + [f"tools/memory-model/{name}" for name in MEMORY_MODEL]

    def make(to: Path) -> list[str]:
        names = [f"*/{name}" for name in wanted]
        command = ["tar", "-xJf", built.source(get_kernel(KERNEL)), "-C", to, "--strip-components=1", "--wildcards", *names]
        run_tool(command, 300, "unpacking the kernel source")
        return wanted

    return cache.entry("kernel-source", {"package": "linux-source", "kernel": KERNEL, "files": wanted}, make)


def checkpatch() -> Path:
    """The kernel's own style checker."""
    return _folder() / "scripts" / CHECKPATCH[0]


def memory_model() -> Path:
    """The directory of the kernel's memory model, for herd7."""
    return _folder() / "tools/memory-model"
