#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No program of an installation links libnftables (GPL-2.0-only) together with OpenSSL (Apache-2.0), not through others either.

usage: links.py BUILD_DIRECTORY
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys

APART = ("libnftables.so", "libcrypto.so")


def installed(build: str) -> list[str]:
    """What "meson install" would install and the loader would load."""
    text = subprocess.run([*os.environ.get("MESONINTROSPECT", "meson introspect").split(), "--installed", build], check=True,
                          capture_output=True, text=True, timeout=60).stdout
    found = []
    for path in json.loads(text):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    found.append(path)
    return sorted(set(found))


def libraries(path: str) -> list[str]:
    done = subprocess.run(["ldd", path], check=False, capture_output=True, text=True, timeout=60)
    if done.returncode or "not found" in done.stdout:
        sys.exit(f"{path}: ldd: {done.stdout}{done.stderr}")
    return re.findall(r"^\s+(\S+)", done.stdout, re.MULTILINE)


def main() -> None:
    both = []
    seen = set()
    programs = installed(sys.argv[1])
    for path in programs:
        has = {name for name in APART if any(library.startswith(name) for library in libraries(path))}
        seen |= has
        if len(has) == len(APART):
            both.append(path)
    if both:
        sys.exit("\n".join(f"{path} links {' and '.join(APART)}" for path in both))
    if not programs:
        sys.exit("nothing is installed")
    if seen != set(APART):
        print(f"only {', '.join(sorted(seen)) or 'neither'} is linked by anything here")
        sys.exit(77)
    print(f"{len(programs)} programs and libraries")


main()
