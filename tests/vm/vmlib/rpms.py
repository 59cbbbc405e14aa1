# SPDX-License-Identifier: MIT
"""The RPM packages of this tree, built by Debian's rpmbuild, and a Debian root with dkms to try one in.

What is Fedora's is not there: macros, packages of build dependencies, kmodtool. The specs do without the
first, the second are looked after by scripts/setup, and sysgenid-kmod.spec is not built.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from . import cache, repo
from .apt import Apt
from .debs import copy, sources
from .kernels import get_kernel, retry_after_look_up, version
from .limits import run_tool
from .roots import bootstrap

SPECS = repo.TOP / "rpm"
BUILT = ("sysgenid", "sysgenid-dkms")
# The others as source packages: what they need is Fedora's.
ALL = (*BUILT, "sysgenid-kmod")
PARTS = (
    "HOMEPAGE", "LICENSES", "NEWS", "README.md", "VERSION", "containers", "criu", "data", "dkms.conf", "docs", "examples", "include",
    "lib", "man", "meson.build", "meson_options.txt", "module", "overseer", "providers", "tests/bindings", "tests/install",
    "tests/unit", "tools",
)  # fmt: skip
BUILD_LIMIT = 600.0
# The kernel that the RPM is tried with.
KERNEL = "bookworm-cloud"
DKMS_TOOLS = ("dkms", "kmod", "make", "openssl", "passwd", "procps", "rpm", "systemd-standalone-sysusers")


def build(
    spec: str, work: Path, as_version: str | None = None, release: int = 1, more_code: str | None = None, check: bool = False
) -> list[Path]:
    """Build the packages of a spec in the (empty) directory work; returns source and binary packages.

    as_version, release, more_code: be another version or release, with something at the end of the module's main.c."""
    name = as_version or repo.version()
    tree = work / f"sysgenid-{name}"
    copy(tree, sources(PARTS))
    (tree / "VERSION").write_text(f"{name}\n", "ascii")
    if more_code:
        with (tree / "module" / "main.c").open("a") as file:
            file.write(f"\n{more_code}\n")
    shutil.copyfile(tree / "VERSION", work / "VERSION")
    text = (SPECS / f"{spec}.spec").read_text("utf-8")
    (work / f"{spec}.spec").write_text(text.replace("1%{?dist}", f"{release}%{{?dist}}"), "utf-8")
    tar: list[str | Path] = ["tar", "--create", "--xz", "--sort=name", "--mtime=@0", "--owner=root:0", "--group=root:0", "-C", work]
    run_tool([*tar, "--file", work / f"{tree.name}.tar.xz", tree.name], 60, "tar")
    shutil.rmtree(tree)
    defines = {"_topdir": work, "_sourcedir": work, "_rpmdir": work / "made", "_srcrpmdir": work / "made"}
    what = "-ba" if spec in BUILT else "-bs"
    command: list[str | Path] = ["rpmbuild", what, "--nodeps", "--with" if check else "--without", "check"]
    for macro, path in defines.items():
        command += ["--define", f"{macro} {path}"]
    run_tool([*command, work / f"{spec}.spec"], BUILD_LIMIT, f"rpmbuild of {spec}", cwd=work)
    return sorted((work / "made").rglob("*.rpm"))


def rpms(
    spec: str, as_version: str | None = None, release: int = 1, more_code: str | None = None, check: bool = False
) -> list[Path]:
    """The packages of a spec, from the cache or newly built."""
    files = sources(PARTS)
    recipe: cache.Recipe = {
        "spec": cache.file_hash(SPECS / f"{spec}.spec"),
        "sources": cache.tree_hash(repo.TOP, files),
        "version": as_version,
        "release": release,
        "more code": more_code,
        "check": check,
        "rpm": run_tool(["rpmbuild", "--version"], 30, "rpmbuild --version"),
        "layout": 1,
    }

    def make(to: Path) -> list[str]:
        work = to / "work"
        work.mkdir()
        made = build(spec, work, as_version, release, more_code, check)
        for path in made:
            path.rename(to / path.name)
        shutil.rmtree(work)
        return [path.name for path in made]

    return sorted(cache.entry("rpms", recipe, make).glob("*.rpm"))


def dkms_root(name: str = KERNEL) -> Path:
    """A root with dkms, dpkg, rpm, and the headers of a kernel; from the cache or newly made."""
    kernel = get_kernel(name)

    def look() -> Path:
        today = version(kernel)
        headers = f"linux-headers-{today.release}"
        recipe: cache.Recipe = {
            "suite": kernel.suite,
            "headers": [headers, today.headers_version],
            "tools": DKMS_TOOLS,
            "layout": 1,
        }

        def make(to: Path) -> list[str]:
            cache.note(f"making the root of {kernel.suite} that the dkms packages are tried in (about a minute)")
            bootstrap(Apt(kernel.suite), "essential", [*DKMS_TOOLS, headers], to / "root")
            (to / "root" / "build").mkdir()
            return ["root/usr/sbin/dkms", "root/usr/bin/rpm", f"root/usr/src/{headers}/Module.symvers"]

        return cache.entry("dkms-root", recipe, make) / "root"

    return retry_after_look_up(kernel, look)
