# SPDX-License-Identifier: MIT
"""The Debian packages of this tree, built in a minimal root of their suite.

A build root has what Debian promises every build, and the Build-Depends; no
network, no privileges. Packages are cached by the contents of the files that
they are made from. debian/control is the only list of what is needed.

Packages of another architecture are cross-built, without the tests of the build.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import cache, repo
from .apt import Apt
from .architectures import HOST
from .limits import ToolError, run_tool
from .roots import bootstrap, enter

BUILD_LIMIT = 1200.0
# What packages are made from: changes elsewhere build nothing anew.
PARTS = (
    "HOMEPAGE", "LICENSES", "NEWS", "VERSION", "containers", "criu", "data", "debian", "dkms.conf", "docs/containers.md",
    "docs/hot-path.md", "docs/scaling.md", "examples", "include", "lib", "man", "meson.build", "meson_options.txt", "module",
    "overseer", "providers", "tests/bindings", "tests/install", "tests/unit", "tools",
)  # fmt: skip
# Suites that cannot build the packages, and the one whose packages for all architectures they take.
BORROWS = {"bullseye": "bookworm"}
# By suite: what is not there, and what debian/control has after the "|".
SECOND_CHOICE = {"bookworm": {"libcriu-dev": "criu"}}
CONTROL = repo.TOP / "debian" / "control"


@dataclass(frozen=True)
class Manner:
    """What must not show in a package: where, when, by whom and how it was built."""

    folder: str = "sysgenid"
    account: int = 1000
    umask: str = "022"
    environment: tuple[str, ...] = ()
    backwards: bool = False


UNTESTED = Manner(environment=("DEB_BUILD_OPTIONS=nocheck",))


def sources(parts: Sequence[str] = PARTS, top: Path = repo.TOP) -> list[Path]:
    """The files of the work tree that git knows, or would; of another tree, and of a tarball's, all but those of builds."""
    if top != repo.TOP or not (repo.TOP / ".git").exists():
        found = {path for part in parts for path in (top / part, *(top / part).rglob("*")) if path.is_file()}
        return sorted(path for path in found if path.relative_to(top).parts[0] != "build" and path.suffix != ".pyc")
    listing = ["git", "-C", repo.TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *parts]
    names = run_tool(listing, 30, "git ls-files").split("\0")
    return [path for path in (repo.TOP / name for name in sorted(names) if name) if path.is_file()]


def build_depends(kinds: str = "Build-Depends", suite: str = "") -> list[str]:
    """The names in debian/control; dpkg-buildpackage looks at the versions. Of alternatives, the one that the suite has."""
    field = re.search(rf"^{kinds}:(.*(?:\n .*)*)", CONTROL.read_text("utf-8"), re.MULTILINE)
    if not field:
        raise ToolError(f"debian/control has no {kinds}")
    names = re.findall(r"^\s*([a-z0-9][a-z0-9+.-]+)", field[1].replace(",", "\n"), re.MULTILINE)
    return sorted(SECOND_CHOICE.get(suite, {}).get(name, name) for name in names)


def _cross_depends(suite: str, architecture: str) -> list[str]:
    """What is linked is of the other architecture; what runs is not."""
    names = build_depends(suite=suite)
    libraries = [f"{name}:{architecture}" for name in names if name.startswith("lib")]
    return [*(name for name in names if not name.startswith("lib")), *libraries, f"crossbuild-essential-{architecture}"]


def root(suite: str, architecture: str = HOST) -> Path:
    """A root of the suite with the Build-Depends and no more, from the cache or newly made."""
    cross = architecture != HOST
    packages = _cross_depends(suite, architecture) if cross else build_depends(suite=suite)
    recipe: cache.Recipe = {"suite": suite, "packages": packages, "layout": 1}

    def make(to: Path) -> list[str]:
        cache.note(f"making the package build root of {suite} for {architecture} (about a minute)")
        architectures = [HOST, architecture] if cross else [HOST]
        bootstrap(Apt(suite), "buildd", packages, to / "root", architectures=architectures)
        (to / "root" / "build").mkdir()
        return ["root/usr/bin/dpkg-buildpackage"]

    return cache.entry("deb-root", recipe, make) / "root"


def copy(to: Path, files: Sequence[Path], top: Path = repo.TOP) -> None:
    """Copy files of the tree as git would: with a mode of 644 or 755, and new."""
    for path in files:
        target = to / path.relative_to(top)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def tarball(to: Path) -> Path:
    """What "meson dist" makes of the files of the work tree, committed or not."""
    with tempfile.TemporaryDirectory(prefix="sysgenid-dist-") as name:
        tree = Path(name) / "tree"
        copy(tree, sources(["."]))
        git = ["git", "-C", tree, "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        run_tool(["git", "init", "-q", tree], 30, "git init")
        run_tool([*git, "add", "--all", "--force"], 60, "git add")
        run_tool([*git, "commit", "-q", "-m", "The work tree"], 60, "git commit")
        parts = [f"-D{part}=false" for part in ("man", "tests", "tools")] + ["-Dopenssl=disabled"]
        run_tool(["meson", "setup", *parts, tree / "build", tree], 120, "meson setup")
        run_tool(["meson", "dist", "-C", tree / "build", "--no-tests"], 120, "meson dist")
        (made,) = (tree / "build" / "meson-dist").glob("*.tar.xz")
        return Path(shutil.move(made, to / made.name))


def _rename(tree: Path, version: str) -> None:
    """Make it another version, in the three places that name it."""
    (tree / "VERSION").write_text(version + "\n", "ascii")
    changelog = tree / "debian" / "changelog"
    changelog.write_text(re.sub(r"\(.*?\)", f"({version}-1)", changelog.read_text("utf-8"), count=1), "utf-8")
    header = tree / "include" / "sysgenid.h"
    text = header.read_text("utf-8")
    for part, number in zip(("MAJOR", "MINOR", "PATCH"), version.split("."), strict=True):
        text, count = re.subn(rf"(define LIBSYSGENID_VERSION_{part}) \d+", rf"\1 {number}", text)
        assert count == 1, part
    header.write_text(text, "utf-8")


def build(
    suite: str,
    work: Path,
    version: str | None = None,
    manner: Manner = Manner(),
    top: Path = repo.TOP,
    architecture: str = HOST,
) -> list[Path]:
    """Build the packages of the tree in the (empty) directory work; returns the .debs."""
    tree = work / manner.folder
    files = sources(top=top)
    copy(tree, files[::-1] if manner.backwards else files, top)
    if version:
        _rename(tree, version)
    work.chmod(0o755)
    for path in [work, *work.rglob("*")]:
        os.chown(path, manner.account, manner.account)
    # Debian 12 has criu's headers in the program's package, whose Python cannot be installed here. So its check would fail.
    cross = f"--build=any --host-arch={architecture} --build-profiles=cross,nocheck --no-check-builddeps"
    kind = "--build=binary" if architecture == HOST else cross
    script = f'umask {manner.umask}; cd "/build/$1"; shift; exec env "$@" dpkg-buildpackage {kind} --no-sign'
    command = ["setpriv", f"--reuid={manner.account}", f"--regid={manner.account}", "--clear-groups"]
    command += ["sh", "-euc", script, "build", manner.folder, *manner.environment]
    enter(root(suite, architecture), work, ["nice", *command], BUILD_LIMIT, f"build of the packages of {suite}", network=False)
    return sorted(work.glob("*.deb"))


def debs(suite: str, version: str | None = None, top: Path = repo.TOP, architecture: str = HOST) -> Path:
    """A directory with the packages that the suite can install, and nothing else but what dpkg says about them. Those of
    another version, tree or architecture are not tested while they are built."""
    lender = BORROWS.get(suite)
    if lender:
        return _borrowed(debs(lender, version))
    manner = UNTESTED if version or top != repo.TOP or architecture != HOST else Manner()
    files = sources(top=top)
    recipe: cache.Recipe = {
        "suite": suite,
        "build depends": build_depends(),
        "sources": cache.tree_hash(top, files),
        "executable": [str(p.relative_to(top)) for p in files if os.access(p, os.X_OK)],
        "version": version,
        "layout": 1,
    }
    if manner.environment:
        recipe["environment"] = manner.environment
    if architecture != HOST:
        recipe["architecture"] = architecture

    def make(to: Path) -> list[str]:
        cache.note(f"building the packages of {suite} for {architecture} (about a minute)")
        work = to / "work"
        work.mkdir()
        build(suite, work, version, manner, top, architecture)
        made = [path for path in work.iterdir() if path.is_file()]
        for path in made:
            path.rename(to / path.name)
            os.chown(to / path.name, 0, 0)
        shutil.rmtree(work)
        return [path.name for path in made]

    return cache.entry("debs", recipe, make)


def _borrowed(folder: Path) -> Path:
    """The packages for all architectures alone."""

    def make(to: Path) -> list[str]:
        names = [path.name for path in folder.glob("*_all.deb")]
        for name in names:
            os.link(folder / name, to / name)
        return names

    return cache.entry("debs", {"borrowed from": folder.name, "layout": 1}, make)
