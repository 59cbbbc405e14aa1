# SPDX-License-Identifier: MIT
"""Compiles the programs that run in the guest: static, so that an initramfs of one file each is enough.

tests/guest/NAME.c is the program NAME, and so is a directory tests/guest/NAME with several files. sysgenidctl is there, too.
Examples other than those of the demonstration are made for the tests that ask for them, also from patched copies.
"""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from . import cache, mutants, repo
from .limits import run_tool

COMPILE_LIMIT = 120.0
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-s")
FOLDERS = ("include", "module/uapi", "lib")
# Programs that also run as 32-bit ones, to try the compat paths of the module: NAME becomes NAME-32.
ALSO_32_BIT = ("clients", "conformance")
# Examples that every guest has.
EVERYWHERE = ("ids", "ids-plain")


@functools.cache
def _compiler() -> str:
    return run_tool(["gcc", "--version"], 30, "gcc --version").splitlines()[0]


def _headers(top: Path) -> list[Path]:
    own = [top / folder.relative_to(repo.TOP) for folder in (repo.GUEST, repo.EXAMPLES)]
    return [p for name in FOLDERS for p in (top / name).rglob("*.h")] + [p for folder in own for p in folder.glob("*.h")]


def _includes(sources: list[Path], header: str) -> bool:
    pattern = rf'^\s*#\s*include\s*[<"]{re.escape(header)}[>"]'
    return any(re.search(pattern, source.read_text("utf-8"), re.MULTILINE) for source in sources)


def _files(folder: Path) -> list[Path]:
    """Its sources. Of NAME.c and no-NAME.c, which does without a library, the second."""
    found = sorted(folder.glob("*.c"))
    left_out = {path.name.removeprefix("no-") for path in found if path.name.startswith("no-")}
    return [path for path in found if path.name not in left_out]


def patched(source: Path, patch: Path, to: Path) -> Path:
    """A copy of the source's directory in which the patch was applied with -p1; returns the source in it."""
    folder = to / source.parent.relative_to(repo.TOP)
    shutil.copytree(source.parent, folder)
    mutants.apply(patch, to)
    return folder / source.name


def compile_program(
    source: Path,
    bits: int = 64,
    patch: Path | None = None,
    defines: Iterable[str] = (),
    shared: bool = False,
    top: Path = repo.TOP,
) -> Path:
    """The static program of a source file or directory, linked with the library or libcheck if it includes their header.

    - patch: one of tests/mutants, for a source that is a file; it is applied to a copy.
    - shared: not static; the guest has to have a C library (c_library()).

    The tree of the source, its headers and its library is top.
    """
    sources = _files(source) if source.is_dir() else [source]
    own = sources + (sorted(source.glob("*.h")) if source.is_dir() else [])
    libraries: list[str] = []
    if _includes(own, "check.h"):
        libraries = run_tool(["pkg-config", "--static", "--libs", "check"], 30, "pkg-config check").split()
    if _includes(own, "sysgenid.h"):
        sources += sorted((top / "lib").glob("*.c"))
    flags = [flag for flag in FLAGS if flag != "-static" or not shared]
    flags += [*(["-m32"] if bits == 32 else []), *(f"-D{name}" for name in defines)]
    recipe: cache.Recipe = {
        "sources": cache.tree_hash(top, {*sources, *own, *_headers(top)}),
        "main": str(source.relative_to(top)),
        "flags": flags,
        "libraries": libraries,
        "compiler": _compiler(),
    }
    if patch:
        recipe["patch"] = cache.file_hash(patch)

    def make(to: Path) -> list[str]:
        include = [f"-I{top / name}" for name in FOLDERS]
        inputs = sources
        if patch:
            inputs = [patched(source, patch, to / "tree"), *sources[1:]]
            include.append(f"-I{repo.GUEST}")
        command: list[str | Path] = ["gcc", *flags, *include, "-o", to / "program", *inputs, *libraries]
        run_tool(command, COMPILE_LIMIT, f"compiling {source.name}, {bits} bits")
        shutil.rmtree(to / "tree", ignore_errors=True)
        return ["program"]

    return cache.entry("program", recipe, make) / "program"


def c_library(root: Path) -> dict[str, Path]:
    """The C library of a build root's suite, by path in a guest that has none."""
    names = ("lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6")
    return {name: (root / "usr" / name).resolve() for name in names}


def init() -> Path:
    """PID 1."""
    return compile_program(repo.VM / "init.c")


def programs() -> dict[str, Path]:
    """All programs of tests/guest, and some of examples, by the name they have in the guest."""
    found = {}
    folders = {path.parent for path in repo.GUEST.glob("*/*.c")}
    examples = {repo.EXAMPLES / f"{name}.c" for name in EVERYWHERE}
    for source in sorted([*repo.GUEST.glob("*.c"), *examples, *folders]):
        found[source.stem] = compile_program(source)
        if source.stem in ALSO_32_BIT:
            found[f"{source.stem}-32"] = compile_program(source, bits=32)
    found["sysgenidctl"] = compile_program(repo.TOP / "tools")
    return found
