# SPDX-License-Identifier: MIT
"""Build roots: a kernel's own suite with its compiler and headers, as a directory.

A module must be built with the compiler its kernel was built with, which the
headers bring along. One root serves all listed kernels of a suite. Kernels that
are built here have a root of their own in each suite.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from . import cache
from .apt import ARCHITECTURE, Apt
from .kernels import Kernel, of_suite, retry_after_look_up, version
from .limits import ToolError, Unavailable, run_tool

TOOLS = ("make", "kmod", "sparse")
KERNEL_TOOLS = ("bc", "bison", "cpio", "flex", "gcc", "libc6-dev", "libelf-dev", "libssl-dev", "lz4", "perl", "python3")
MAKE_LIMIT = 900.0
MARKER = "build-root"
# What apt says while a suite is in transition.
NOT_INSTALLABLE = ("unmet dependencies", "held broken packages")
IN_ROOT = Path(__file__).with_name("in-root")


def bootstrap(apt: Apt, variant: str, packages: Sequence[str], to: Path, more: Sequence[str] = ()) -> str:
    """Install a suite's minimal system and the packages into the directory; more are options. Returns the output."""
    options = [f"--aptopt={line}" for line in apt.options()]
    return run_tool(
        [
            # Its mounts go with it, also when it is killed.
            *("unshare", "--mount", "--propagation", "private", "--"),
            "mmdebstrap",
            "--mode=root",
            f"--variant={variant}",
            f"--architectures={ARCHITECTURE}",
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


def _root(kernel: Kernel) -> Path:
    headers: list[tuple[str, str]] = []
    tools: tuple[str, ...] = TOOLS + KERNEL_TOOLS
    if not kernel.fragments:
        headers = sorted((f"linux-headers-{v.release}", v.headers_version) for v in map(version, of_suite(kernel.suite)))
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
