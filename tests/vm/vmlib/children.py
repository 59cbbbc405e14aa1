# SPDX-License-Identifier: MIT
"""Runs jobs in processes of their own, so many at a time, each with a time limit.

A process can be killed whatever it does, and takes its VMs along; a thread
cannot.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .limits import Timeout

PR_SET_PDEATHSIG = 1
# A late job is told so by an exception, which shows where it was; if that does not end it, it is killed.
GRACE = 15.0


@dataclass
class Job:
    """A function to call in a child; what it returns is the verdict, an exception is a failure."""

    name: str
    call: Callable[[Path], tuple[str, str]]
    timeout: float
    folder: Path
    cpus: int = 1


@dataclass
class Outcome:
    """How a job ended: verdict "ok", "FAIL" or "skip", and why."""

    job: Job
    verdict: str
    reason: str
    seconds: float
    output: str


@dataclass
class _Running:
    job: Job
    pid: int
    start: float
    data: bytearray = field(default_factory=bytearray)


def _child(job: Job, pipe: int, parent: int) -> None:
    status = 1
    try:
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def late(*_: object) -> None:
            raise Timeout(f"the test's {job.timeout:g} s are over")

        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, job.timeout)
        output = os.open(job.folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            verdict = job.call(job.folder)
        except BaseException as e:
            traceback.print_exc()
            verdict = "FAIL", f"{type(e).__name__}: {e}".strip(": ").splitlines()[0]
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(pipe, json.dumps(verdict).encode())
        status = 0
    finally:
        os._exit(status)


def _start(job: Job) -> tuple[int, int]:
    job.folder.mkdir(parents=True)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(job, write_end, parent)
    os.close(write_end)
    return pid, read_end


def _kill(pid: int) -> None:
    for target in (-pid, pid):
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _outcome(run: _Running, late: bool) -> Outcome:
    seconds = time.monotonic() - run.start
    _, status = os.waitpid(run.pid, 0)
    # What the job started and left behind.
    _kill_group(run.pid)
    if late:
        verdict, reason = "FAIL", f"killed: did not end {GRACE:g} s after its {run.job.timeout:g} s were over"
    elif run.data:
        verdict, reason = json.loads(run.data)
    else:
        verdict, reason = "FAIL", f"the test's process ended with wait status {status}"
    file = run.job.folder / "output"
    output = file.read_text("utf-8", "replace") if file.exists() else ""
    return Outcome(run.job, verdict, reason, seconds, output)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def run_jobs(jobs: Sequence[Job], slots: int) -> Iterator[Outcome]:
    """Run all jobs, as many at a time as fit the slots; yields each as it ends."""
    waiting = list(jobs)
    running: dict[int, _Running] = {}
    selector = selectors.DefaultSelector()
    try:
        while waiting or running:
            free = slots - sum(min(r.job.cpus, slots) for r in running.values())
            for job in [*waiting]:
                if min(job.cpus, slots) <= free:
                    waiting.remove(job)
                    free -= min(job.cpus, slots)
                    pid, pipe = _start(job)
                    running[pipe] = _Running(job, pid, time.monotonic())
                    selector.register(pipe, selectors.EVENT_READ)
            now = time.monotonic()
            left = min(r.start + r.job.timeout + GRACE - now for r in running.values())
            ready = {key.fd for key, _ in selector.select(max(left, 0))}
            for pipe, run in [*running.items()]:
                late = time.monotonic() - run.start >= run.job.timeout + GRACE
                data = os.read(pipe, 65536) if pipe in ready else b""
                run.data += data
                if data or not (pipe in ready or late):
                    continue
                if pipe not in ready:
                    _kill(run.pid)
                selector.unregister(pipe)
                os.close(pipe)
                del running[pipe]
                yield _outcome(run, late and pipe not in ready)
    finally:
        for run in running.values():
            _kill(run.pid)
            os.waitpid(run.pid, 0)
        selector.close()
