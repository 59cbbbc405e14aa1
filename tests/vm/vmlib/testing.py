# SPDX-License-Identifier: MIT
"""What a test file needs: the decorator that makes a function a test, and the context that it gets."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from .booted import BootedStates
from .architectures import ALL
from .kernels import Kernel, all_kernels
from .lab import Lab

TIMEOUT = 600.0

Size = Literal["quick", "run", "full"]


class Skip(Exception):
    """The test does not apply here."""


class Context(Lab):
    """The lab of one test on one kernel."""

    def __init__(
        self, kernel: str, folder: Path | None = None, booted: BootedStates | None = None, size: Size = "run"
    ) -> None:
        super().__init__(kernel, folder, booted)
        self.size = size

    def count(self, run: int, *, quick: int | None = None, full: int | None = None) -> int:
        """How many of something: so many in every run, another number (if one is given) with --quick or --full."""
        chosen = {"quick": quick, "run": run, "full": full}[self.size]
        return run if chosen is None else chosen

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
Kernels = str | Sequence[str]


@dataclass(frozen=True)
class Test:
    """A registered test; it runs once per kernel. kernels is None for all of kernels.list."""

    name: str
    function: Function
    kernels: tuple[str, ...] | None = None
    quick: bool = False
    core: bool | str = False
    full_only: bool = False
    timeout: float = TIMEOUT
    cpus: int = 1
    expect_complaint: str | None = None
    full_kernels: tuple[str, ...] | None = None
    full_timeout: float = TIMEOUT

    def runs_on(self, kernel: Kernel, size: Size) -> bool:
        chosen = self.full_kernels if size == "full" else self.kernels
        return not kernel.fragments if chosen is None else kernel.name in chosen

    def is_core_on(self, kernel: Kernel) -> bool:
        return self.core is True or self.core == kernel.architecture.name

    def limit(self, size: Size) -> float:
        return self.full_timeout if size == "full" else self.timeout


TESTS: list[Test] = []


def _names(kernels: Kernels) -> tuple[str, ...] | None:
    if kernels == "all":
        return None
    if isinstance(kernels, str) and kernels in ALL:
        return tuple(kernel.name for kernel in all_kernels() if kernel.architecture.name == kernels)
    return tuple([kernels] if isinstance(kernels, str) else kernels)


def vmtest(
    kernels: Kernels = "all",
    *,
    full_kernels: Kernels | None = None,
    quick: bool = False,
    core: bool | str = False,
    full_only: bool = False,
    timeout: float = TIMEOUT,
    full_timeout: float | None = None,
    cpus: int = 1,
    expect_complaint: str | None = None,
) -> Callable[[Function], Function]:
    """Make a function of a test_*.py file a test.

    - kernels: "all" of kernels.list, or those of an architecture ("amd64"), or names, also of built-kernels.list.
     full_kernels: those of --full, if they differ.
    - quick: also part of --quick. full_only: only part of --full.
    - core: also runs on the kernels whose row in kernels.list says so; the name of an architecture: on those of it alone.
    - timeout: seconds after which the test is killed and has failed; full_timeout: with --full, if that differs. What the
     test does more of with --full is Context.count's business.
    - cpus: how many processors it keeps busy; runner.crowded() says how many tests may claim together.
    - expect_complaint: a pattern; a console must have a complaint that matches, and then none is a failure.
    """

    def register(function: Function) -> Function:
        file = sys.modules[function.__module__].__name__.removeprefix("test_")
        test = Test(
            f"{file}.{function.__name__}",
            function,
            _names(kernels),
            quick,
            core,
            full_only,
            timeout,
            cpus,
            expect_complaint,
            full_kernels=_names(kernels if full_kernels is None else full_kernels),
            full_timeout=full_timeout or timeout,
        )
        TESTS.append(test)
        return function

    return register
