#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Packages bindings/node or bindings/java offline, and runs tests and example with what was packaged.

usage: attribute.py node|java TOP
"""

import shutil
import sys
import tempfile
from pathlib import Path

from commands import SKIP, draw_twice, run


def node(binding: Path, work: Path) -> tuple[str | Path, ...]:
    """The command of the example, installed from the package."""
    quiet = {"npm_config_cache": str(work / "npm"), "npm_config_update_notifier": "false"}
    package = run("npm", "pack", "--offline", "--pack-destination", work, binding, where=work, **quiet).split()[-1]
    (work / "package.json").write_text("{}", "ascii")
    run("npm", "install", "--offline", "--no-audit", "--no-fund", work / package, where=work, **quiet)
    installed = work / "node_modules" / "sysgenid"
    run("node", "--test", binding / "sysgenid.test.js", where=work, SYSGENID_INSTALLED=str(installed))
    return "node", installed / "examples" / "reseed.js"


def java(binding: Path, work: Path) -> tuple[str | Path, ...]:
    strict = ["javac", "--release", "17", "-Xlint:all", "-Werror"]
    run(*strict, "-d", work / "classes", *(binding / "src" / "sysgenid").glob("*.java"), where=work)
    run("jar", "--create", "--file", "sysgenid.jar", "-C", "classes", "sysgenid", where=work)
    sources = [binding / "tests" / "Played.java", binding / "examples" / "Reseed.java"]
    run(*strict, "-d", work / "programs", "-cp", "sysgenid.jar", *sources, where=work)
    command = ("java", "-cp", "sysgenid.jar:programs")
    run(*command, "Played", where=work)
    return *command, "Reseed"


def main() -> int:
    language, top = sys.argv[1], Path(sys.argv[2]).resolve()
    needed = {"node": ("node", "npm"), "java": ("java", "javac", "jar")}[language]
    missing = [program for program in needed if not shutil.which(program)]
    if missing:
        print(f"no {', '.join(missing)}")
        return SKIP
    with tempfile.TemporaryDirectory(prefix=f"sysgenid-{language}-") as name:
        work = Path(name)
        command = {"node": node, "java": java}[language](top / "bindings" / language, work)
        (work / "generation").write_text("5\n", "ascii")
        draw_twice(*command, work / "generation", where=work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
