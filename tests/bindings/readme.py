#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the program in a binding's README by the commands there, but those that install; offline.

usage: readme.py LANGUAGE TOP SYSGENIDCTL LIBRARY
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from commands import SKIP, run
from printed import check, printed

NEEDED = {
    "python": ("python3",), "go": ("go",), "rust": ("cargo",), "node": ("node", "npm"), "java": ("java", "javac", "jar")
}  # fmt: skip


def main() -> int:
    language = sys.argv[1]
    top, tool, library = (Path(word).resolve() for word in sys.argv[2:])
    missing = [program for program in NEEDED[language] if not shutil.which(program)]
    if missing:
        print(f"no {', '.join(missing)}")
        return SKIP
    name, program, commands = printed(top, language)
    if "simulate" in commands[-1] and (
        Path("/dev/sysgenid").exists() or subprocess.run(["unshare", "--user", "true"], check=False).returncode
    ):
        print("no simulation here")
        return SKIP
    with tempfile.TemporaryDirectory(prefix=f"sysgenid-{language}-") as folder:
        work = Path(folder)
        # Some commands leave files beside the sources.
        shutil.copytree(top / "bindings", work / "bindings")
        (work / name).write_text(program, "utf-8")
        environment = {
            "PATH": f"{tool.parent}:{Path(shutil.which(NEEDED[language][0]) or '').parent}:/usr/bin:/bin",
            "LD_LIBRARY_PATH": str(library.parent),
            "LIBRARY_PATH": str(library.parent),
            "GOPROXY": "off",
            "GOFLAGS": "-mod=mod",
            "GO111MODULE": "on",
            "npm_config_cache": str(work / "npm"),
            "npm_config_offline": "true",
            "npm_config_update_notifier": "false",
        }
        chosen = commands[1:]
        if language == "python":
            # The tests of the package install it; this one needs no network, and no venv.
            (work / "env" / "bin").mkdir(parents=True)
            (work / "env" / "bin" / "python").symlink_to("/usr/bin/python3")
            environment["PYTHONPATH"] = str(work / "bindings" / "python")
            chosen = commands[-1:]
        check(language, run("bash", "-euc", "\n".join(chosen), where=work, **environment))
    return 0


if __name__ == "__main__":
    sys.exit(main())
