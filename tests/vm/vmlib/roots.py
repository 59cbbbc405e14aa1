# SPDX-License-Identifier: MIT
"""Build roots: a kernel's own suite with its compiler and headers, as a directory.

A module must be built with the compiler its kernel was built with, which the
headers bring along. One root serves all listed kernels of a suite. Kernels that
are built here have a root of their own in each suite. So do kernels of another
architecture: with a cross compiler, and headers that are unpacked. Installed
ones would bring a compiler that runs on that architecture.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from . import cache
from .apt import Apt
from .architectures import HOST
from .kernels import Kernel, Version, beside, retry_after_look_up, version
from .limits import ToolError, Unavailable, run_tool

TOOLS = ("make", "kmod", "sparse")
# For kernel-doc, which W=1 runs; the others come with it.
CROSS_TOOLS = (*TOOLS, "perl")
KERNEL_TOOLS = ("bc", "bison", "cpio", "flex", "gcc", "libc6-dev", "libelf-dev", "libssl-dev", "lz4", "perl", "python3")
MAKE_LIMIT = 900.0
UNPACK_LIMIT = 120.0
UNPACK = 'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink'
MARKER = "build-root"
# What apt says while a suite is in transition.
NOT_INSTALLABLE = ("unmet dependencies", "held broken packages")
IN_ROOT = Path(__file__).with_name("in-root")


def bootstrap(
    apt: Apt, variant: str, packages: Sequence[str], to: Path, more: Sequence[str] = (), architectures: Sequence[str] = (HOST,)
) -> str:
    """Install a suite's minimal system and the packages into the directory; more are options. The system is of the first
    architecture. Returns the output."""
    options = [f"--aptopt={line}" for line in apt.options()]
    return run_tool(
        [
            # Its mounts go with it, also when it is killed.
            *("unshare", "--mount", "--propagation", "private", "--"),
            "mmdebstrap",
            "--mode=root",
            f"--variant={variant}",
            f"--architectures={','.join(architectures)}",
            f"--include={','.join(packages)}",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            *options,
            *more,
            apt.base if apt.base != "experimental" else "sid",
            to,
            *apt.sources(),
        ],
        MAKE_LIMIT,
        f"the root of {apt.suite}",
    )


def root(kernel: Kernel) -> Path:
    """The build root of the kernel's suite, from the cache or newly made."""
    return retry_after_look_up(kernel, lambda: _root(kernel))


def _bootstrap_kernel(kernel: Kernel, packages: Sequence[str], to: Path) -> None:
    try:
        bootstrap(Apt(kernel.suite), "essential", packages, to)
    except ToolError as e:
        if any(text in str(e) for text in NOT_INSTALLABLE):
            raise Unavailable(f"the compiler and headers of {kernel.suite} cannot be installed now\n{e}") from e
        raise


def _unpack(kernel: Kernel, packages: Sequence[tuple[str, str]], to: Path) -> None:
    for package, package_version in packages:
        deb = kernel.apt.download(package, package_version, to.parent)
        run_tool(["bash", "-c", UNPACK, "unpack", deb, to], UNPACK_LIMIT, f"unpacking {package}")
        deb.unlink()


def _cross_root(kernel: Kernel) -> Path:
    def needs(v: Version) -> tuple[list[str], list[tuple[str, str]]]:
        """What runs here, and what is unpacked."""
        headers = f"linux-headers-{v.release}"
        depends = kernel.apt.depends(headers, r"linux-(headers|kbuild)-.*|gcc-[0-9]+(-for-host)?")
        compilers = {f"{name.removesuffix('-for-host')}-{cross}" for name, _ in depends if name.startswith("gcc-")}
        if len(compilers) != 1:
            raise ToolError(f"{headers} depends on no compiler, or on several: {depends}")
        kbuild = [name for name, _ in depends if name.startswith("linux-kbuild-")]
        unpacked = [(name, version) for name, version in depends if name.startswith("linux-headers-")]
        return [*compilers, *kbuild], [(headers, v.headers_version), *unpacked]

    cross = kernel.architecture.compiler.removesuffix("-")
    found = [needs(version(k)) for k in beside(kernel)]
    tools = sorted({*CROSS_TOOLS, *(tool for tools, _ in found for tool in tools)})
    headers = sorted({package for _, packages in found for package in packages})

    def make(to: Path) -> list[str]:
        cache.note(f"making the cross-build root of {kernel.index} (some minutes)")
        _bootstrap_kernel(kernel, tools, to / "root")
        (to / "root" / "build").mkdir()
        _unpack(kernel, headers, to / "root")
        (to / MARKER).write_text("\n".join([*tools, *(f"{name} {v}" for name, v in headers)]) + "\n", "utf-8")
        symbols = [f"root/usr/src/{name}/Module.symvers" for name, _ in headers]
        return [MARKER, "root/usr/bin/make", *[s for s in symbols if (to / s).exists()]]

    recipe: cache.Recipe = {"index": kernel.index, "headers": [list(h) for h in headers], "tools": tools, "layout": 1}
    return cache.entry("root", recipe, make) / "root"


def _root(kernel: Kernel) -> Path:
    if kernel.architecture.foreign:
        return _cross_root(kernel)
    headers: list[tuple[str, str]] = []
    tools: tuple[str, ...] = TOOLS + KERNEL_TOOLS
    if not kernel.fragments:
        headers = sorted((f"linux-headers-{v.release}", v.headers_version) for v in map(version, beside(kernel)))
        tools = TOOLS
    names = [name for name, _ in headers]

    def make(to: Path) -> list[str]:
        cache.note(f"making the build root of {kernel.suite} (about a minute)")
        _bootstrap_kernel(kernel, [*tools, *names], to / "root")
        (to / "root" / "build").mkdir()
        database = (to / "root").joinpath("var", "lib", "dpkg")
        installed = run_tool(
            ["dpkg-query", f"--admindir={database}", "-W", "-f", "${Package} ${Version}\n"],
            30,
            "the list of installed packages",
        )
        missing = [f"{name} {v}" for name, v in headers if f"{name} {v}" not in installed.splitlines()]
        if missing:
            raise ToolError(f"the archive has moved on: no {', '.join(missing)}")
        (to / MARKER).write_text(installed, "utf-8")
        symbols = [f"root/usr/src/{name}/Module.symvers" for name in names]
        return [MARKER, "root/usr/bin/make", *[s for s in symbols if (to / s).exists()]]

    recipe: cache.Recipe = {"suite": kernel.suite, "headers": [list(h) for h in headers], "tools": tools, "layout": 1}
    return cache.entry("root", recipe, make) / "root"


def enter(
    base: Path,
    work: Path,
    command: Sequence[str],
    limit: float,
    what: str,
    network: bool = True,
    tree: Path | None = None,
) -> str:
    """Run a command in a root with work as /build, and tree as /build/linux; returns its output."""
    isolate = ["unshare", "--mount", "--propagation", "private", *([] if network else ["--net"]), "--"]
    if tree:
        (work / "linux").mkdir()
    with_tree = {**os.environ, "TREE": str(tree or "")}
    return run_tool([*isolate, IN_ROOT, base, work, *command], limit, what, env=with_tree)


def run_in_root(
    kernel: Kernel, work: Path, command: Sequence[str], limit: float, what: str, tree: Path | None = None
) -> str:
    """Run a command in the kernel's build root with work as /build, and tree as /build/linux; returns its output."""
    return enter(root(kernel), work, command, limit, what, tree=tree)
