#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds bindings/rust and runs its tests and examples with the played device; with cargo, packages the crates offline.

usage: rust.py LIBRARY TOP LAYOUT; as python.py.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from commands import SKIP, draw_twice, run

# The oldest that the crates promise to build with, if this is Debian 12.
RUSTC = shutil.which("rustc", path="/usr/bin:" + os.environ["PATH"])
CARGO = shutil.which("cargo")


def main() -> int:
    library, top, layout = (Path(word).resolve() for word in sys.argv[1:])
    if not RUSTC:
        print("no rustc")
        return SKIP
    crates = top / "bindings" / "rust"
    with tempfile.TemporaryDirectory(prefix="sysgenid-rust-") as name:
        work = Path(name)
        (work / "libsysgenid.so").symlink_to(library)
        common = ["--edition", "2021", "-D", "warnings", "-L", work, "--out-dir", work]
        uses = ["--extern", "sysgenid_sys", "--extern", "sysgenid"]
        load = {"LD_LIBRARY_PATH": str(library.parent)}
        run(RUSTC, *common, "--crate-type", "rlib", "--crate-name", "sysgenid_sys", crates / "sysgenid-sys/src/lib.rs")
        run(RUSTC, *common, "--crate-type", "rlib", "--crate-name", "sysgenid", *uses[:2], crates / "sysgenid/src/lib.rs")
        for source in (crates / "sysgenid" / "examples").glob("*.rs"):
            run(RUSTC, *common, *uses, source)
        run(RUSTC, *common, *uses, top / "tests/bindings/layout.rs")
        run(RUSTC, *common, *uses, "--test", crates / "sysgenid/tests/played.rs")
        run(work / "played", "--test-threads=1", **load)
        draw_twice(work / "reseed", **load)
        assert run(work / "layout", **load) == run(layout), "the declarations differ from the header"
        # Older ones cannot package a crate together with one that it needs.
        if CARGO and tuple(map(int, run(CARGO, "--version").split()[1].split(".")[:2])) >= (1, 90):
            copy = shutil.copytree(crates, work / "crates")
            run(CARGO, "package", "--workspace", "--offline", "--allow-dirty", "--no-verify", where=copy)
    return 0


if __name__ == "__main__":
    sys.exit(main())
