#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds wheel and sdist offline, installs each, and runs the tests of bindings/python with what was installed.

usage: python.py LIBRARY TOP [LAYOUT]; LIBRARY is a libsysgenid whose device is played, LAYOUT the program layout.c.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from commands import SKIP, run

SYSTEM = "/usr/bin/python3"
NEEDED = ("pip", "setuptools", "wheel")
QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1"}


def build(tree: Path, work: Path) -> tuple[Path, Path]:
    """The wheel, and the sdist, of a copy: the build leaves files beside the sources."""
    copy = work / "source"
    shutil.copytree(tree, copy)
    backend = f"import os; os.chdir({str(copy)!r}); from setuptools.build_meta import *; "
    run(SYSTEM, "-I", "-c", f"{backend}build_wheel({str(work)!r}); build_sdist({str(work)!r})")
    (wheel,), (sdist,) = work.glob("*.whl"), work.glob("*.tar.gz")
    return wheel, sdist


def install(package: Path, target: Path) -> None:
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--root-user-action=ignore"]
    run(SYSTEM, "-m", "pip", "install", *options, "--target", target, package, **QUIET)


def main() -> int:
    library, top, layout = (Path(word).resolve() for word in sys.argv[1:])
    probe = f"import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, {NEEDED})))"
    if subprocess.run([SYSTEM, "-c", probe], check=False).returncode:
        print(f"{SYSTEM} lacks one of {', '.join(NEEDED)}")
        return SKIP
    version = (top / "VERSION").read_text("ascii").strip()
    with tempfile.TemporaryDirectory(prefix="sysgenid-python-") as name:
        work = Path(name)
        wheel, sdist = build(top / "bindings" / "python", work)
        assert wheel.name == f"sysgenid-{version}-py3-none-any.whl", wheel.name
        assert "sysgenid/py.typed" in zipfile.ZipFile(wheel).namelist()
        for package in (wheel, sdist):
            target = work / package.suffix[1:]
            install(package, target)
            assert (target / "sysgenid" / "py.typed").exists(), package.name
        with tarfile.open(sdist) as archive:
            archive.extractall(work, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(work)
        # The tests of the sdist, with the package of the wheel: what a distribution's package does.
        tests = work / sdist.name.removesuffix(".tar.gz") / "tests" / "test_sysgenid.py"
        told = subprocess.run([layout], stdout=subprocess.PIPE, text=True, timeout=30, check=True).stdout
        paths = {"PYTHONPATH": str(work / "whl"), "LD_LIBRARY_PATH": str(library.parent)}
        run(SYSTEM, "-B", "-W", "error", tests, LAYOUT=told, **paths)
    return 0


if __name__ == "__main__":
    sys.exit(main())
