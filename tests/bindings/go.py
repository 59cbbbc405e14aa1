#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds bindings/go without cgo, and runs its tests and its example within sysgenidctl simulate.

usage: go.py SYSGENIDCTL TOP ABI; ABI is the program abi.c.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from commands import SKIP, draw_twice, run

OFFLINE = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GO111MODULE": "on"}


def main() -> int:
    tool, top, abi = (Path(word).resolve() for word in sys.argv[1:])
    if not shutil.which("go"):
        print("no go")
        return SKIP
    if Path("/dev/sysgenid").exists() or subprocess.run(["unshare", "--user", "true"], check=False).returncode:
        print("no simulation here")
        return SKIP
    module = top / "bindings" / "go"
    told = subprocess.run([abi], stdout=subprocess.PIPE, text=True, timeout=30, check=True).stdout
    assert not run("gofmt", "-l", ".", where=module), "gofmt would change a file"
    with tempfile.TemporaryDirectory(prefix="sysgenid-go-") as name:
        work = Path(name)
        run("go", "vet", ".", where=module, **OFFLINE)
        run("go", "test", "-c", "-o", work / "tests", ".", where=module, **OFFLINE)
        run(tool, "simulate", work / "tests", "-test.v", where=work, SYSGENIDCTL=str(tool), ABI=told)
        run("go", "build", "-o", f"{work}/", "./examples/...", where=module, **OFFLINE)
        draw_twice(tool, "simulate", work / "reseed", "--soft", where=work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
