# SPDX-License-Identifier: MIT
"""Runs checks that need no VM, side by side, and counts them as scripts/test wants it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .limits import Timeout, ToolError

MOST_LINES = 60


class Failure(Exception):
    """Something is not as it should be."""


@dataclass(frozen=True)
class Verdict:
    name: str
    complaints: str = ""


# A check returns when all is well and raises when not; one that makes several verdicts returns them.
Check = Callable[[], list[Verdict] | None]


def _run(name: str, check: Check) -> list[Verdict]:
    try:
        found = check()
    except (Failure, ToolError, Timeout, subprocess.TimeoutExpired) as e:
        return [Verdict(name, str(e) or "failed")]
    return [Verdict(name)] if found is None else found


def report(checks: Iterable[tuple[str, Check]]) -> int:
    """Run the checks, as many at a time as there are processors; print verdicts and counts. Return: the exit status."""
    passed = failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for verdicts in pool.map(lambda named: _run(*named), checks):
            for verdict in verdicts:
                print(f"{'FAIL' if verdict.complaints else 'ok  '} {verdict.name}", flush=True)
                for line in verdict.complaints.splitlines()[-MOST_LINES:]:
                    print(f"    | {line}", flush=True)
                passed += not verdict.complaints
                failed += bool(verdict.complaints)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0
