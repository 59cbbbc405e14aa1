# SPDX-License-Identifier: MIT
"""Compiles the programs that run in the guest: static, so that an initramfs of one file each is enough.

tests/guest/NAME.c is the program NAME, and so is a folder tests/guest/NAME with several files. sysgenidctl is there, too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from . import cache, repo
from .limits import run_tool

COMPILE_LIMIT = 120.0
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-s")
FOLDERS = ("include", "module/uapi", "lib")
# Programs that also run as 32-bit ones, to try the compat paths of the module: NAME becomes NAME-32.
ALSO_32_BIT = ("conformance",)


@functools.cache
def _compiler() -> str:
    return run_tool(["gcc", "--version"], 30, "gcc --version").splitlines()[0]


def _headers() -> list[Path]:
    return [p for name in FOLDERS for p in (repo.TOP / name).rglob("*.h")] + [*repo.GUEST.glob("*.h"), *repo.EXAMPLES.glob("*.h")]


def _includes(sources: list[Path], header: str) -> bool:
    pattern = rf'^\s*#\s*include\s*[<"]{re.escape(header)}[>"]'
    return any(re.search(pattern, source.read_text("utf-8"), re.MULTILINE) for source in sources)


def compile_program(source: Path, bits: int = 64) -> Path:
    """The static program of a source file or folder, linked with the library or libcheck if it includes their header."""
    sources = sorted(source.glob("*.c")) if source.is_dir() else [source]
    own = sources + (sorted(source.glob("*.h")) if source.is_dir() else [])
    libraries: list[str] = []
    if _includes(own, "check.h"):
        libraries = run_tool(["pkg-config", "--static", "--libs", "check"], 30, "pkg-config check").split()
    if _includes(own, "sysgenid.h"):
        sources += sorted((repo.TOP / "lib").glob("*.c"))
    flags = [*FLAGS, *(["-m32"] if bits == 32 else [])]
    recipe: cache.Recipe = {
        "sources": cache.tree_hash(repo.TOP, {*sources, *own, *_headers()}),
        "main": str(source.relative_to(repo.TOP)),
        "flags": flags,
        "libraries": libraries,
        "compiler": _compiler(),
    }

    def make(to: Path) -> list[str]:
        include = [f"-I{repo.TOP / name}" for name in FOLDERS]
        command: list[str | Path] = ["gcc", *flags, *include, "-o", to / "program", *sources, *libraries]
        run_tool(command, COMPILE_LIMIT, f"compiling {source.name}, {bits} bits")
        return ["program"]

    return cache.entry("program", recipe, make) / "program"


def init() -> Path:
    """PID 1."""
    return compile_program(repo.VM / "init.c")


def programs() -> dict[str, Path]:
    """All programs of tests/guest and examples, by the name they have in the guest."""
    found = {}
    folders = {path.parent for path in repo.GUEST.glob("*/*.c")}
    for source in sorted([*repo.GUEST.glob("*.c"), *repo.EXAMPLES.glob("*.c"), *folders]):
        found[source.stem] = compile_program(source)
        if source.stem in ALSO_32_BIT:
            found[f"{source.stem}-32"] = compile_program(source, bits=32)
    found["sysgenidctl"] = compile_program(repo.TOP / "tools")
    return found
