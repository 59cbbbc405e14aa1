#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Says when this machine has resumed as a clone."""

import sys

import sysgenid


def main() -> int:
    with sysgenid.Handle() as handle:
        seen = handle.read()

        def tell() -> None:
            """A program checks like this after each use of what may not be used twice."""
            print(f"generation {seen}, {'changed' if handle.changed(seen) else 'current'}", flush=True)

        while True:
            tell()
            current = handle.wait(seen)
            tell()
            seen = current


if __name__ == "__main__":
    sys.exit(main())
