#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Answers each line of input with a token that no clone of this machine draws.

Python's random is a generator in memory: clones of a snapshot draw the same numbers until they seed anew.
"""

import random
import sys
from collections.abc import Callable

import sysgenid


class Tokens:
    def __init__(self, handle: sysgenid.Handle, reseed: Callable[[], None]) -> None:
        self.handle, self.reseed = handle, reseed
        self.renew()

    def renew(self) -> None:
        self.seen = self.handle.read()
        # After the read: a resume between the two is then seen.
        self.reseed()

    def draw(self) -> str:
        while True:
            token = f"{random.getrandbits(64):016x}"
            if not self.handle.changed(self.seen):
                return token
            self.renew()


def main() -> int:
    with sysgenid.Handle(soft="--soft" in sys.argv) as handle:
        tokens = Tokens(handle, random.seed)
        for _ in sys.stdin:
            print(tokens.draw(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
