# SPDX-License-Identifier: MIT
"""Programs for guests of another architecture: cross compilers in a root of their own.

Never on the host: Debian's cross compilers and gcc-multilib, which the host has, exclude each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import cache
from .apt import Apt
from .architectures import Architecture
from .limits import run_tool
from .roots import UNPACK, bootstrap, enter

# Static programs run on kernels of any suite.
SUITE = "bookworm"
COMPILERS = {
    "arm64": ("gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"),
}
# Of the other architecture: unpacked, not installed.
UNPACKED = ("busybox-static", "check", "libsubunit-dev")
BUSYBOX = "bin/busybox"
UNPACK_LIMIT = 60.0


def root(architecture: Architecture) -> Path:
    """A root of this machine's architecture with compilers for the other one."""
    compilers = COMPILERS[architecture.name]

    def make(to: Path) -> list[str]:
        cache.note(f"making a root with cross compilers for {architecture.name} (some minutes)")
        own, other = Apt(SUITE), Apt(SUITE, architecture.name)
        own.update()
        other.update()
        bootstrap(own, "essential", compilers, to / "root")
        (to / "root" / "build").mkdir()
        # As /bin/busybox, which the root has not.
        for package in UNPACKED:
            deb = other.download(package, other.show(package)["Version"], to)
            run_tool(["bash", "-c", UNPACK, "unpack", deb, to / "root"], UNPACK_LIMIT, f"unpacking {package}")
            deb.unlink()
        return [f"root/usr/bin/{architecture.compiler}gcc", f"root/{BUSYBOX}"]

    recipe: cache.Recipe = {"suite": SUITE, "compilers": compilers, "unpacked": UNPACKED, "architecture": architecture.name, "layout": 1}
    return cache.entry("cross", recipe, make) / "root"


def busybox(architecture: Architecture) -> Path:
    return root(architecture) / BUSYBOX


def run(architecture: Architecture, work: Path, command: Sequence[str], limit: float, what: str) -> str:
    """Run a command in the root with work as /build; returns its output."""
    return enter(root(architecture), work, command, limit, what, network=False)
