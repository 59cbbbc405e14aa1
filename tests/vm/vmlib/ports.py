# SPDX-License-Identifier: MIT
"""Architectures that have no guests here: static programs are cross-compiled, and run by QEMU's emulator of programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import cache, guests, repo
from .apt import Apt
from .limits import run_tool
from .roots import bootstrap, enter

SUITE = "bookworm"
LIMIT = 300.0


@dataclass(frozen=True)
class Port:
    """An architecture of Debian: the names that Debian, its compilers and QEMU have for it."""

    name: str
    triplet: str
    qemu: str


# 32 bits, little endian; 64 bits, big endian; and others that run in clouds.
PORTS = (
    Port("armhf", "arm-linux-gnueabihf", "arm"),
    Port("s390x", "s390x-linux-gnu", "s390x"),
    Port("ppc64el", "powerpc64le-linux-gnu", "ppc64le"),
    Port("riscv64", "riscv64-linux-gnu", "riscv64"),
)


def root() -> Path:
    """A root with the compilers of all of them, and the emulators."""
    packages = ["qemu-user-static", *(f"gcc-{p.triplet}" for p in PORTS), *(f"libc6-dev-{p.name}-cross" for p in PORTS)]

    def make(to: Path) -> list[str]:
        cache.note("making a root with compilers for other architectures (some minutes)")
        apt = Apt(SUITE)
        apt.update()
        bootstrap(apt, "essential", packages, to / "root")
        (to / "root" / "build").mkdir()
        return [f"root/usr/bin/{p.triplet}-gcc" for p in PORTS]

    return cache.entry("ports", {"suite": SUITE, "packages": packages, "layout": 1}, make) / "root"


def emulator(port: Port) -> Path:
    return root() / "usr" / "bin" / f"qemu-{port.qemu}-static"


def tool(port: Port) -> Path:
    """sysgenidctl with the library, static, warnings being errors."""
    parts = ("tools", "lib", "include", "module/uapi", "overseer")
    files = sorted(path for part in parts for path in (repo.TOP / part).rglob("*.[ch]"))
    sources = [f"/build/tree/{path.relative_to(repo.TOP)}" for part in ("tools", "lib") for path in guests.sources_in(repo.TOP / part)]
    recipe: cache.Recipe = {
        "sources": cache.tree_hash(repo.TOP, files),
        "flags": guests.FLAGS,
        "port": port.triplet,
        "root": root().parent.name,
    }

    def make(to: Path) -> list[str]:
        guests.copy(files, to, repo.TOP)
        include = [f"-I/build/tree/{name}" for name in guests.FOLDERS]
        command = [f"{port.triplet}-gcc", *guests.FLAGS, *include, "-o", "/build/program", *sources]
        enter(root(), to, command, LIMIT, f"sysgenidctl for {port.name}", network=False)
        run_tool(["rm", "-r", to / "tree"], 30, "removal of the copied sources")
        return ["program"]

    return cache.entry("port-tool", recipe, make) / "program"
