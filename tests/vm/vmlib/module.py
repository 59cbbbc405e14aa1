# SPDX-License-Identifier: MIT
"""Builds sysgenid.ko, as it is or with a patch (a mutant, to see a test go red).

The build works on a copy, so that the work tree stays clean, and warnings are
errors.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from . import built, cache, mutants, repo
from .architectures import HOST
from .kernels import Kernel, image, version
from .limits import ToolError, run_tool
from .roots import run_in_root

BUILD_LIMIT = 300.0
KO = "sysgenid.ko"


def _copy(to: Path, top: Path = repo.TOP) -> None:
    for path in repo.module_sources(top):
        target = to / path.relative_to(top)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def kbuild(kernel: Kernel, tree: Path, variables: list[str], what: str, top: Path = repo.TOP) -> str:
    """Build the modules of tree/module, whosever they are; returns what the build said."""
    against = built.tree(kernel) if kernel.fragments else None
    folder = "/build/linux" if against else f"/lib/modules/{version(kernel).release}/build"
    command = ["make", "-C", folder, "M=/build/module", "KCFLAGS=-Werror"]
    if kernel.architecture.foreign:
        # The headers ask dpkg-architecture's questions. Only the environment is older than their answers.
        cross = kernel.architecture.compiler.removesuffix("-")
        command[:0] = [f"DEB_BUILD_ARCH={HOST}", f"DEB_HOST_ARCH={kernel.architecture.name}", f"DEB_HOST_GNU_TYPE={cross}"]
    if not against or kernel.suite != "bullseye":
        # With few options 5.10's own headers have warnings.
        command.append("W=1")
    command += [f"SYSGENID_VERSION={repo.version(top)}", *variables, "modules"]
    return run_in_root(kernel, tree, command, BUILD_LIMIT, what, against)


def build_module(kernel: Kernel, patch: Path | None = None, top: Path = repo.TOP) -> Path:
    """The path of sysgenid.ko for this kernel; patch is applied with -p1 at the repository's top. top: another tree."""
    if not (top / "module" / "Kbuild").exists():
        raise ToolError("module/ has no Kbuild")
    recipe: cache.Recipe = {
        "sources": cache.tree_hash(top / "module", repo.module_sources(top)),
        "version": repo.version(top),
        "release": version(kernel).release,
        "headers": version(kernel).headers_version,
        "patch": cache.file_hash(patch) if patch else None,
        "layout": 1,
    }

    def make(to: Path) -> list[str]:
        what = f"build of the module for {kernel.name}" + (f" with {patch.name}" if patch else "")
        tree = to / "build"
        tree.mkdir()
        _copy(tree, top)
        if patch:
            mutants.apply(patch, tree)
        # On such a kernel the module counts its lines; the notes say which counter is which line.
        counts = image(kernel).has("GCOV_KERNEL")
        kbuild(kernel, tree, ["GCOV_PROFILE=y"] if counts else [], what, top)
        for path in [tree / "module" / KO, *(tree / "module").glob("*.gcno")]:
            shutil.move(path, to / path.name)
        shutil.rmtree(tree)
        return [KO]

    return cache.entry("module", recipe, make) / KO


def sparse(kernel: Kernel, work: Path) -> list[str]:
    """What sparse says about the module's own files."""
    _copy(work)
    output = kbuild(kernel, work, ["C=2"], f"sparse on the module for {kernel.name}")
    return [line for line in output.splitlines() if line.startswith("/build/module/")]
