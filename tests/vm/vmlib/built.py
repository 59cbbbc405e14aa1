# SPDX-License-Identifier: MIT
"""Kernels built here: Debian's linux-source package, and fragments of configs/.

A kernel starts from nothing: what its fragments do not ask for is off. What is
kept is the image, and as much of the tree as modules need. Fragments serve
kernels of all ages: what one never heard of it does without. A fragment may
bring a patch of the same name.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from . import cache, mutants, repo
from .apt import Apt
from .kernels import Image, Kernel, Version, looked_up, retry_after_look_up
from .limits import ToolError, run_tool
from .roots import MARKER, root, run_in_root

BUILD_LIMIT = 7200.0
STEP_LIMIT = 1800.0
# Run on the tree of a kernel that has the module built in.
ADD = repo.TOP / "scripts" / "add-to-kernel-tree"
# What building a module reads; the rest of the tree is a gigabyte.
KEPT = ("include", "arch/x86/include", "scripts", "tools/objtool/objtool", "Module.symvers", ".config")
KEEP = """
find . \\( -name 'Makefile*' -o -name 'Kbuild*' -o -name 'Kconfig*' \\) -type f -print0 | xargs -0 cp --parents -t ../../tree
cp -a --parents -t ../../tree "$@"
"""


def _source_package(suite: str) -> tuple[str, str]:
    """Name and version of the suite's kernel source today."""

    def look() -> list[str]:
        cache.note(f"looking up the kernel source of {suite}")
        apt = Apt(suite)
        apt.update()
        ((package, version),) = apt.depends("linux-source", r"linux-source-[0-9.]+")
        return [package, version]

    package, version = looked_up(suite, f"source-{suite}", look)
    return package, version


def _tarball(suite: str, package: str, version: str) -> Path:
    def make(to: Path) -> list[str]:
        deb = Apt(suite).download(package, version, to)
        script = 'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/src/$2.tar.xz" > linux.tar.xz'
        run_tool(["bash", "-c", script, "unpack", deb, package], STEP_LIMIT, f"unpacking {package}", cwd=to)
        deb.unlink()
        return ["linux.tar.xz"]

    return cache.entry("source", {"package": package, "version": version}, make) / "linux.tar.xz"


def source(kernel: Kernel) -> Path:
    """The tarball of the kernel's source."""
    return retry_after_look_up(kernel, lambda: _tarball(kernel.suite, *_source_package(kernel.suite)))


def _config(kernel: Kernel) -> str:
    return "".join((repo.VM / "configs" / f"{name}.config").read_text("utf-8") for name in kernel.fragments)


def _patches(kernel: Kernel) -> list[Path]:
    named = [repo.VM / "configs" / f"{name}.patch" for name in kernel.fragments]
    return [patch for patch in named if patch.exists()]


def check_config(linux: Path, asked: str) -> None:
    """A dependency that is not met turns an option off silently. One that this kernel never heard of is no error. Of
    an option that two fragments name the last word counts."""
    has = set((linux / ".config").read_text("utf-8").splitlines())
    grep: list[str | Path] = ["grep", "-rhE", "--include=Kconfig*", r"^\s*(menu)?config [A-Z0-9_]+$", linux]
    known = run_tool(grep, STEP_LIMIT, "the list of options").split()
    last = {match[1]: line for line in asked.splitlines() if (match := re.match(r"(?:# )?CONFIG_(\w+)(?:=| is not set$)", line))}
    off = [line for name, line in last.items() if line.startswith("CONFIG_") and line not in has and name in known]
    off += [line for name, line in last.items() if line.startswith("#") and f"CONFIG_{name}=y" in has]
    if off:
        raise ToolError(f"options that the kernel's configuration did not take: {' '.join(off)}")


def _build(kernel: Kernel) -> Path:
    """The cache entry of the kernel."""
    package, version = _source_package(kernel.suite)
    config = _config(kernel)
    recipe: cache.Recipe = {
        "package": package,
        "version": version,
        "config": config,
        "tools": cache.file_hash(root(kernel).parent / MARKER),
        "layout": 1,
    }
    patches = _patches(kernel)
    if patches:
        recipe["patches"] = [cache.file_hash(patch) for patch in patches]
    with_module = "CONFIG_SYSGENID=y" in config.splitlines()
    if with_module:
        recipe["module"] = cache.tree_hash(repo.TOP, [*repo.module_sources(), ADD, repo.TOP / "VERSION"])

    def make(to: Path) -> list[str]:
        cache.note(f"building the kernel {kernel.name} of {package} (some minutes)")
        linux = to / "work" / "linux"
        linux.mkdir(parents=True)
        tarball = _tarball(kernel.suite, package, version)
        run_tool(["tar", "-xJf", tarball, "-C", linux, "--strip-components=1"], STEP_LIMIT, f"unpacking {package}")
        for patch in patches:
            mutants.apply(patch, linux)
        if with_module:
            run_tool([ADD, linux], STEP_LIMIT, "adding the module to the kernel")
        (linux / "fragment").write_text(config, "utf-8")
        name = f"the kernel {kernel.name}"
        inside = ["make", "-C", "/build/linux", "KBUILD_BUILD_TIMESTAMP=1970-01-01", "LOCALVERSION="]
        run_in_root(kernel, to / "work", [*inside, "KCONFIG_ALLCONFIG=fragment", "allnoconfig"], STEP_LIMIT, f"configuring {name}")
        check_config(linux, config)
        jobs = f"-j{os.cpu_count()}"
        run_in_root(kernel, to / "work", [*inside, jobs, "bzImage", "modules_prepare"], BUILD_LIMIT, name)
        release = (linux / "include/config/kernel.release").read_text("ascii")
        (linux / "vmlinux.symvers").rename(linux / "Module.symvers")
        (to / "tree").mkdir()
        run_tool(["sh", "-ec", KEEP, "keep", *KEPT], STEP_LIMIT, f"keeping what modules need of {name}", cwd=linux)
        (linux / "arch/x86/boot/bzImage").rename(to / "vmlinuz")
        (linux / ".config").rename(to / "config")
        (to / "release").write_text(release, "ascii")
        shutil.rmtree(to / "work")
        return ["vmlinuz", "config", "release"]

    return cache.entry("kernel", recipe, make)


def version(kernel: Kernel) -> Version:
    entry = _build(kernel)
    return Version((entry / "release").read_text("ascii").strip(), (_source_package(kernel.suite),), entry.name)


def image(kernel: Kernel) -> Image:
    entry = _build(kernel)
    return Image(version(kernel).release, entry / "vmlinuz", entry / "config")


def tree(kernel: Kernel) -> Path:
    """What modules for the kernel are built against."""
    return _build(kernel) / "tree"
