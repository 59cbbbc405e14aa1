#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fuzzes the module in a virtual machine until it is stopped, or something is found. See docs/testing.md."""

from __future__ import annotations

import argparse
import itertools
import secrets
import sys
from pathlib import Path

from vmlib import Context, ToolError, all_kernels
from vmlib.repo import TOP
from test_fuzz import FOLDER, boot

ROUND = 300


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz module", description=__doc__)
    parser.add_argument("--kernel", default=all_kernels()[0].name, help="of tests/vm/kernels.list (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="begin with this one, as a test has printed it")
    parser.add_argument("--rounds", type=int, help=f"end after so many rounds of {ROUND} seconds")
    parser.add_argument("--keep", type=Path, default=TOP / "build" / "fuzz" / "programs", metavar="FOLDER",
                        help="where programs that reach new code go, where the kernel has KCOV (default: %(default)s)")
    parser.add_argument("options", nargs="*", help="for tests/guest/fuzz, behind --: for example --exact --trace")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    seed = arguments.seed if arguments.seed is not None else secrets.randbits(48)
    for number in itertools.count():
        if number == arguments.rounds:
            return 0
        with Context(arguments.kernel) as t:
            vm = boot(t)
            vm.run("mkdir", "/tmp/found")
            options = [f"--seed {seed + number}", f"--seconds {ROUND}", "--save /tmp/found", *arguments.options]
            result = vm.run("sh", "-c", f"exec fuzz {' '.join(options)} {FOLDER}/*", limit=3 * ROUND)
            print(result.out, end="", flush=True)
            arguments.keep.mkdir(parents=True, exist_ok=True)
            for name in vm.list("/tmp/found") if vm.alive else []:
                (arguments.keep / name).write_text(vm.read(f"/tmp/found/{name}"), "ascii")
            found = t.complaints()
            if not result.ok or found or vm.rmmod():
                print("\n".join(found) or vm.dmesg())
                return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except ToolError as e:
        sys.exit(str(e))
