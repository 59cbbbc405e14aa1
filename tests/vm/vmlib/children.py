# SPDX-License-Identifier: MIT
"""Runs jobs in processes of their own, so many at a time, each with a time limit.

A process can be killed whatever it does, and takes its VMs along; a thread
cannot.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import selectors
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .limits import Late

PR_SET_PDEATHSIG = 1
# A late job is told so by an exception, which shows where it was; if that does not end it, it is killed.
GRACE = 15.0


@dataclass(eq=False)
class Job:
    """A function to call in a child; what it returns is the verdict, an exception is a failure.

    - after: another of the jobs; this one begins when that one is over, and is skipped if it was not "ok".
    - lane: jobs of the same lane run one after another.
    - nice: how far the job steps back for others.
    - tries: how often it runs, at most, while its verdict is "again"."""

    name: str
    call: Callable[[Path], tuple[str, str]]
    timeout: float
    folder: Path
    cpus: int = 1
    after: Job | None = None
    lane: str = ""
    nice: int = 0
    tries: int = 1


@dataclass
class Outcome:
    """How a job ended: verdict "ok", "FAIL", "skip" or "again" (it is not over yet), and why.

    cpu: seconds of processor time that the job and what it started used."""

    job: Job
    verdict: str
    reason: str
    seconds: float
    output: str
    folder: Path
    cpu: float = 0.0


@dataclass
class _Running:
    job: Job
    folder: Path
    pid: int
    start: float
    data: bytearray = field(default_factory=bytearray)


def _child(job: Job, folder: Path, pipe: int, parent: int) -> None:
    status = 1
    try:
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.nice(job.nice)

        def late(*_: object) -> None:
            raise Late(f"the test's {job.timeout:g} s are over")

        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, job.timeout)
        output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            verdict = job.call(folder)
        except BaseException as e:
            traceback.print_exc()
            verdict = "FAIL", f"{type(e).__name__}: {e}".strip(": ").splitlines()[0]
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(pipe, json.dumps(verdict).encode())
        status = 0
    finally:
        os._exit(status)


def _start(job: Job, folder: Path) -> tuple[int, int]:
    folder.mkdir(parents=True)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(job, folder, write_end, parent)
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
    _, status, usage = os.wait4(run.pid, 0)
    # What the job started and left behind.
    _kill_group(run.pid)
    if late:
        verdict, reason = "FAIL", f"killed: did not end {GRACE:g} s after its {run.job.timeout:g} s were over"
    elif run.data:
        verdict, reason = json.loads(run.data)
    else:
        verdict, reason = "FAIL", f"the test's process ended with wait status {status}"
    file = run.folder / "output"
    output = file.read_text("utf-8", "replace") if file.exists() else ""
    return Outcome(run.job, verdict, reason, seconds, output, run.folder, _cpu(usage))


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


class _Queue:
    """The jobs that have not begun."""

    def __init__(self, jobs: Sequence[Job], slots: int) -> None:
        self._slots = slots
        self.waiting = [*jobs]
        self._verdicts: dict[Job, tuple[str, str]] = {}
        self._begun: Counter[Job] = Counter()

    def cpus(self, job: Job) -> int:
        return min(job.cpus, self._slots)

    def next(self, running: Sequence[Job]) -> Job | None:
        """A job that may begin beside those."""
        free = self._slots - sum(map(self.cpus, running))
        lanes = {job.lane for job in running if job.lane}
        for job in self.waiting:
            may = not job.after or self._verdicts.get(job.after, ("", ""))[0] == "ok"
            if may and self.cpus(job) <= free and job.lane not in lanes:
                self.waiting.remove(job)
                return job
        return None

    def folder(self, job: Job) -> Path:
        self._begun[job] += 1
        return job.folder / f"try{self._begun[job]}"

    def over(self, outcome: Outcome) -> None:
        """Note how a job ended; it waits again if that was not its last word."""
        job = outcome.job
        if outcome.verdict == "again" and self._begun[job] < job.tries:
            self.waiting.insert(0, job)
            return
        if outcome.verdict == "again":
            outcome.verdict = "FAIL"
        self._verdicts[job] = outcome.verdict, outcome.reason

    def skipped(self) -> Iterator[Outcome]:
        """Jobs that cannot begin any more."""
        for job in [*self.waiting]:
            if job.after and job.after in self._verdicts:
                verdict, reason = self._verdicts[job.after]
                if verdict != "ok":
                    self.waiting.remove(job)
                    why = f"{job.after.name} failed" if verdict == "FAIL" else reason
                    outcome = Outcome(job, "skip", why, 0, "", job.folder)
                    self.over(outcome)
                    yield outcome


def run_jobs(jobs: Sequence[Job], slots: int) -> Iterator[Outcome]:
    """Run all jobs, as many at a time as fit the slots; yields each as it ends, and each time that it is tried again."""
    queue = _Queue(jobs, slots)
    running: dict[int, _Running] = {}
    selector = selectors.DefaultSelector()
    try:
        while queue.waiting or running:
            yield from queue.skipped()
            while job := queue.next([r.job for r in running.values()]):
                folder = queue.folder(job)
                pid, pipe = _start(job, folder)
                running[pipe] = _Running(job, folder, pid, time.monotonic())
                selector.register(pipe, selectors.EVENT_READ)
            if not running:
                if queue.waiting:
                    raise ValueError(f"{queue.waiting[0].name} is after a job that is not there")
                return
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
                outcome = _outcome(run, late and pipe not in ready)
                queue.over(outcome)
                yield outcome
    finally:
        for run in running.values():
            _kill(run.pid)
            os.waitpid(run.pid, 0)
        selector.close()
