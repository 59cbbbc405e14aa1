# SPDX-License-Identifier: MIT
"""What a test file needs: the decorator that makes a function a test, and the context that it gets."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from .lab import Lab

TIMEOUT = 600.0


class Skip(Exception):
    """The test does not apply here."""


class Context(Lab):
    """The lab of one test on one kernel."""

    def skip(self, reason: str) -> NoReturn:
        """End the test: it does not apply here."""
        raise Skip(reason)

    def log(self, text: str) -> None:
        """A line for people, shown when the test fails or with -v."""
        print(text, flush=True)

    def progress(self, done: int, total: int) -> None:
        """Show on the terminal, if there is one, how far a long test is; the runner has the output."""
        with contextlib.suppress(OSError), open("/dev/tty", "w", encoding="ascii") as terminal:
            terminal.write(f"\r{done}/{total} " + "\r" * (done == total))


Function = Callable[[Context], None]


@dataclass(frozen=True)
class Test:
    """A registered test; it runs once per kernel."""

    name: str
    function: Function
    kernels: tuple[str, ...] | None
    quick: bool
    core: bool
    full_only: bool
    timeout: float
    cpus: int
    expect_complaint: str | None


TESTS: list[Test] = []


def vmtest(
    kernels: str | Sequence[str] = "all",
    *,
    quick: bool = False,
    core: bool = False,
    full_only: bool = False,
    timeout: float = TIMEOUT,
    cpus: int = 1,
    expect_complaint: str | None = None,
) -> Callable[[Function], Function]:
    """Make a function of a test_*.py file a test.

    kernels: "all" of kernels.list, or names, also of built-kernels.list.
    quick: also part of --quick. full_only: only part of --full.
    core: also runs on the kernels whose row in kernels.list says so.
    timeout: seconds after which the test is killed and has failed.
    cpus: how many processors it keeps busy; the runner starts no more tests than there are.
    expect_complaint: a pattern; a console must have a complaint that matches, and then none is a failure.
    """

    def register(function: Function) -> Function:
        file = sys.modules[function.__module__].__name__.removeprefix("test_")
        chosen = None if kernels == "all" else tuple([kernels] if isinstance(kernels, str) else kernels)
        test = Test(
            f"{file}.{function.__name__}", function, chosen, quick, core, full_only, timeout, cpus, expect_complaint
        )
        TESTS.append(test)
        return function

    return register
