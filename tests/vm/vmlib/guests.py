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

from . import cache, cross, mutants, repo
from .architectures import AMD64, Architecture
from .limits import run_tool

COMPILE_LIMIT = 120.0
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-s")
FOLDERS = ("include", "module/uapi", "lib")
# Programs that also run as 32-bit ones, to try the compat paths of the module: NAME becomes NAME-32.
ALSO_32_BIT = ("clients", "conformance")
# Of programs that only x86 has: ports, and the time stamp counter.
ONLY_X86 = ("fw-cfg.h", "x86intrin.h")
# Examples that every guest has.
EVERYWHERE = ("ids", "ids-plain")


@functools.cache
def _compiler(architecture: Architecture) -> str:
    if architecture.foreign:
        return str(cross.root(architecture))
    return run_tool(["gcc", "--version"], 30, "gcc --version").splitlines()[0]


@functools.cache
def _libcheck(architecture: Architecture) -> list[str]:
    if architecture.foreign:
        return ["-lcheck", "-lsubunit", "-lm", "-lrt"]
    return run_tool(["pkg-config", "--static", "--libs", "check"], 30, "pkg-config check").split()


def headers(top: Path) -> list[Path]:
    own = [top / folder.relative_to(repo.TOP) for folder in (repo.GUEST, repo.EXAMPLES, repo.TOP / "overseer")]
    return [p for name in FOLDERS for p in (top / name).rglob("*.h")] + [p for folder in own for p in folder.glob("*.h")]


def _includes(sources: list[Path], header: str) -> bool:
    pattern = rf'^\s*#\s*include\s*[<"]{re.escape(header)}[>"]'
    return any(re.search(pattern, source.read_text("utf-8"), re.MULTILINE) for source in sources)


def sources_in(folder: Path) -> list[Path]:
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
    architecture: Architecture = AMD64,
) -> Path:
    """The static program of a source file or directory, linked with the library or libcheck if it includes their header.

    - patch: one of tests/mutants, for a source that is a file; it is applied to a copy.
    - shared: not static; the guest has to have a C library (c_library()).

    The tree of the source, its headers and its library is top.
    """
    sources = sources_in(source) if source.is_dir() else [source]
    own = sources + (sorted(source.glob("*.h")) if source.is_dir() else [])
    libraries: list[str] = []
    if _includes(own, "check.h"):
        libraries = _libcheck(architecture)
    if _includes(own, "sysgenid.h"):
        sources += sorted((top / "lib").glob("*.c"))
    flags = [flag for flag in FLAGS if flag != "-static" or not shared]
    flags += [*(["-m32"] if bits == 32 and not architecture.foreign else []), *(f"-D{name}" for name in defines)]
    compiler = f"{architecture.compiler32 if bits == 32 else architecture.compiler}gcc"
    recipe: cache.Recipe = {
        "sources": cache.tree_hash(top, {*sources, *own, *headers(top)}),
        "main": str(source.relative_to(top)),
        "flags": flags,
        "libraries": libraries,
        "compiler": _compiler(architecture),
    }
    if architecture.foreign:
        recipe["program"] = compiler
    if patch:
        recipe["patch"] = cache.file_hash(patch)

    def make(to: Path) -> list[str]:
        include = [f"-I{top / name}" for name in FOLDERS]
        inputs = sources
        if patch:
            inputs = [patched(source, patch, to / "tree"), *sources[1:]]
            include.append(f"-I{repo.GUEST}")
        command: list[str | Path] = [compiler, *flags, *include, "-o", to / "program", *inputs, *libraries]
        what = f"compiling {source.name}, {bits} bits"
        if architecture.foreign:
            copy({*inputs, *own, *headers(top)}, to, top)
            cross.run(architecture, to, [_inside(word, to, top) for word in command], COMPILE_LIMIT, what)
        else:
            run_tool(command, COMPILE_LIMIT, what)
        shutil.rmtree(to / "tree", ignore_errors=True)
        return ["program"]

    return cache.entry("program", recipe, make) / "program"


def copy(files: Iterable[Path], to: Path, top: Path) -> None:
    """Into the tree of a build in a root, where the patched ones are already."""
    for path in files:
        target = to / "tree" / path.relative_to(top) if path.is_relative_to(top) else path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _inside(word: str | Path, to: Path, top: Path) -> str:
    """A word of the compiler's command line, in a root with the directory as /build."""
    return str(word).replace(str(to), "/build").replace(str(top), "/build/tree")


def c_library(root: Path) -> dict[str, Path]:
    """The C library of a build root's suite, by path in a guest that has none."""
    names = ("lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6")
    return {name: (root / "usr" / name).resolve() for name in names}


def init(architecture: Architecture = AMD64) -> Path:
    """PID 1."""
    return compile_program(repo.VM / "init.c", architecture=architecture)


def _runs_on(source: Path, architecture: Architecture) -> bool:
    return architecture == AMD64 or source.is_dir() or not any(_includes([source], header) for header in ONLY_X86)


def programs(architecture: Architecture = AMD64) -> dict[str, Path]:
    """All programs of tests/guest, and some of examples, by the name they have in the guest."""
    found = {}
    folders = {path.parent for path in repo.GUEST.glob("*/*.c")}
    examples = {repo.EXAMPLES / f"{name}.c" for name in EVERYWHERE}
    for source in sorted([*repo.GUEST.glob("*.c"), *examples, *folders]):
        if not _runs_on(source, architecture):
            continue
        found[source.stem] = compile_program(source, architecture=architecture)
        if source.stem in ALSO_32_BIT:
            found[f"{source.stem}-32"] = compile_program(source, bits=32, architecture=architecture)
    found["sysgenidctl"] = compile_program(repo.TOP / "tools", architecture=architecture)
    return found
