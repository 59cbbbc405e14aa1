# SPDX-License-Identifier: MIT
"""Modules of the distribution's kernel, for small guests: their initramfs has none."""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from pathlib import Path

from . import cache
from .kernels import Kernel, retry_after_look_up, version
from .limits import run_tool

UNPACK = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --wildcards "${@:3}" || test "${PIPESTATUS[0]}" = 0'
UNPACK_LIMIT = 300.0


def _fetch(kernel: Kernel, names: list[str]) -> Path:
    today = version(kernel)

    def make(to: Path) -> list[str]:
        tree = to / "tree"
        tree.mkdir()
        # Newer kernels have a package for modules alone, of the image's version.
        last = (f"linux-modules-{today.release}", today.image_packages[0][1])
        for package, package_version in (*today.image_packages, last):
            if any(tree.rglob("*.ko*")):
                break
            deb = kernel.apt.download(package, package_version, to)
            patterns = [f"*/{name}.ko*" for name in names]
            run_tool(["bash", "-c", UNPACK, "unpack", deb, tree, *patterns], UNPACK_LIMIT, f"unpacking {package}")
            deb.unlink()
        for path in sorted(tree.rglob("*.ko*")):
            data = path.read_bytes()
            (to / (path.name.split(".")[0] + ".ko")).write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
        run_tool(["rm", "-r", tree], 60, "removal of the unpacked package")
        return [path.name for path in to.glob("*.ko")]

    recipe: cache.Recipe = {"packages": [list(p) for p in today.image_packages], "names": names, "layout": 2}
    return cache.entry("drivers", recipe, make)


def drivers(kernel: Kernel, names: Iterable[str]) -> dict[str, Path]:
    """The files of these modules, by path in the guest. A kernel that was built here has them
    built in; so may others, and then there is no file."""
    wanted = list(names)
    if kernel.fragments:
        return {}
    folder = retry_after_look_up(kernel, lambda: _fetch(kernel, wanted))
    return {f"lib/{name}.ko": folder / f"{name}.ko" for name in wanted if (folder / f"{name}.ko").exists()}
