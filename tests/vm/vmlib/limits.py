# SPDX-License-Identifier: MIT
"""Everything has a time limit, and its error says what was waited for."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


# Limits are what two idle cores keep many times over; a busy machine gets more.
PATIENCE = 3
# Shorter ones are probes, which may well run out.
PROBE = 2.0


class Timeout(Exception):
    """Something did not come in time."""


class NotBooted(Timeout):
    """A guest did not boot."""


class Late(Timeout):
    """The test as a whole took too long."""


class ToolError(Exception):
    """A program that was called failed; the text holds the end of its output."""


def patient(limit: float) -> float:
    """The limit, on a machine that may have other things to do."""
    return limit if limit < PROBE else limit * PATIENCE


class Unavailable(ToolError):
    """The archive does not have it now: nothing here can be done about that."""


class Deadline:
    """A moment by which something must have come."""

    def __init__(self, limit: float, what: str) -> None:
        self.limit = patient(limit)
        self.what = what
        self.end = time.monotonic() + self.limit

    def left(self) -> float:
        """Seconds that are left; raises when there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise Timeout(f"waited {self.limit:g} s for {self.what}")
        return left

    def receive(self, sock: socket.socket) -> bytes:
        """What has come on a socket; nothing if the other end is closed."""
        sock.settimeout(self.left())
        try:
            return sock.recv(1 << 16)
        except TimeoutError as e:
            raise Timeout(f"waited {self.limit:g} s for {self.what}") from e


def wait_until(check: Callable[[], T | None], limit: float, what: str, interval: float = 0.005) -> T:
    """Call check until it returns something true, and return that."""
    deadline = Deadline(limit, what)
    while True:
        result = check()
        if result:
            return result
        time.sleep(min(interval, deadline.left()))


def run_tool(
    argv: Sequence[str | Path],
    limit: float,
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program of the host; returns standard output and error as one text."""
    limit = patient(limit)
    try:
        done = subprocess.run(
            [str(a) for a in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
            cwd=cwd,
            env=env,
            text=True,
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise Timeout(f"waited {limit:g} s for {what}") from e
    except FileNotFoundError as e:
        raise ToolError(f"{what}: {e.filename} is not installed (scripts/setup installs it)") from e
    if done.returncode:
        raise ToolError(f"{what}: exit status {done.returncode}\n{done.stdout[-6000:]}")
    return done.stdout
