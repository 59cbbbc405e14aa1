# SPDX-License-Identifier: MIT
"""Devicetrees: what QEMU makes of its machine, and what tests/vm/devicetree adds to that."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from . import cache, repo
from .architectures import Architecture
from .limits import run_tool

LIMIT = 60.0
# Of vmgenid.dts. A guest of 256 MiB has this page; its kernel and its initramfs are below.
GUID_ADDRESS = 0x4F000000
BASE, VMGENID = "base", "vmgenid"


@functools.cache
def _versions(qemu: str) -> str:
    return run_tool([qemu, "--version"], 30, f"{qemu} --version") + run_tool(["dtc", "--version"], 30, "dtc --version")


def build(architecture: Architecture, cpu: str, memory: int, smp: int, parts: Sequence[str]) -> Path:
    """The devicetree of such a machine with these parts, files of tests/vm/devicetree; the later ones change what the
    ones before them say."""
    sources = [repo.VM / "devicetree" / f"{name}.dts" for name in (BASE, *parts)]
    machine = [architecture.qemu, "-nodefaults", "-cpu", cpu, "-m", str(memory), "-smp", str(smp)]
    recipe: cache.Recipe = {
        "machine": machine,
        "versions": _versions(architecture.qemu),
        "parts": [cache.file_hash(source) for source in sources],
        "layout": 1,
    }

    def make(to: Path) -> list[str]:
        dumped, text, result = to / "dumped.dtb", to / "tree.dts", to / "tree.dtb"
        run_tool([*machine, "-machine", f"{architecture.machine},dumpdtb={dumped}"], LIMIT, "QEMU's devicetree")
        run_tool(["dtc", "-q", "-I", "dtb", "-O", "dts", "-o", text, dumped], LIMIT, "reading QEMU's devicetree")
        with text.open("a", encoding="utf-8") as out:
            for source in sources:
                out.write(source.read_text("utf-8"))
        run_tool(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", result, text], LIMIT, f"the devicetree of {' '.join(parts)}")
        return ["tree.dtb"]

    return cache.entry("devicetree", recipe, make) / "tree.dtb"
