# SPDX-License-Identifier: MIT
"""The test runner: builds what is needed, runs the tests side by side, says how they went.

A failure is final, but for one kind: QEMU was lost, a guest did not boot, or the time was over, before the first assert.
Then the test runs again, and the end of the output says so. More than MAY_TRY_AGAIN fail the run.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import accel, asserts, cache, initramfs, repo, table
from .booted import BootedStates
from .children import Job, Outcome, run_jobs
from .kernels import Kernel, all_kernels, built_kernels, get_kernel, image
from .control import GuestGone
from .lab import save_logs
from .limits import Late, NotBooted, ToolError, Unavailable
from .module import build_module
from .qmp import QemuGone
from .roots import root
from .testing import TESTS, Context, Size, Skip, Test

PREPARE_TIMEOUT = 9000.0
COMPILER_NICE = 10
SHOWN_LINES = 100
# Of a test.
TRIES = 3
# Of a run.
MAY_TRY_AGAIN = 2
# What the harness may have to answer for.
OWN_FAULTS = (GuestGone, Late, NotBooted, QemuGone)
SLOWEST = 10


def crowded(processors: int) -> int:
    """How many processors tests may claim: half as many again as there are, since a guest waits much."""
    return processors * 3 // 2


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs the tests that boot and clone virtual machines.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a few tests on one kernel")
    size.add_argument("--full", action="store_true", help="every test on every kernel, also what takes very long")
    parser.add_argument(
        "--kernel", action="append", metavar="NAME", help="only this kernel, with all its tests (can be repeated)"
    )
    parser.add_argument("-k", metavar="PATTERN", default="", help="only tests whose name matches")
    parser.add_argument("--list", action="store_true", help="show the tests, run none")
    parser.add_argument("--table", action="store_true", help="write the results into docs/kernels.md")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each test N times, and count its failures")
    parser.add_argument("-v", action="store_true", help="show what tests log")
    parser.add_argument("-j", type=int, default=crowded(os.cpu_count() or 1), metavar="N", help="so many processors")
    options = parser.parse_args(argv)
    if options.repeat < 1 or options.j < 1:
        parser.error("--repeat and -j are at least 1")
    return options


def size_of(options: argparse.Namespace) -> Size:
    return "quick" if options.quick else "full" if options.full else "run"


def load_tests() -> None:
    sys.path.insert(0, str(repo.VM))
    asserts.rewrite_tests(repo.VM)
    for path in sorted(repo.VM.glob("test_*.py")):
        importlib.import_module(path.stem)
    known = {k.name for k in all_kernels() + built_kernels()}
    for test in TESTS:
        unknown = {*(test.kernels or ()), *(test.full_kernels or ())} - known
        if unknown:
            raise SystemExit(f"{test.name}: no kernel {', '.join(sorted(unknown))} in kernels.list")


def select(options: argparse.Namespace) -> list[tuple[Test, Kernel]]:
    kernels = [get_kernel(name) for name in options.kernel] if options.kernel else [*all_kernels(), *built_kernels()]
    if options.quick and not options.kernel:
        kernels = kernels[:1]
    chosen = []
    for kernel in kernels:
        # What an emulator runs has its own set, in --full with more clones.
        whole = options.kernel or options.full and not kernel.architecture.foreign
        only_core = kernel.tests == "core" and not whole
        for test in TESTS:
            if only_core and not test.is_core_on(kernel):
                continue
            if options.quick and not test.quick or test.full_only and not options.full:
                continue
            if not test.runs_on(kernel, size_of(options)):
                continue
            if re.search(options.k, f"{test.name} [{kernel.name}]"):
                chosen.append((test, kernel))
    return chosen


def _prepare(kernel: Kernel, folder: Path) -> tuple[str, str]:
    """Fetch and build all that the tests of a kernel share."""
    try:
        vmlinuz = image(kernel).vmlinuz
        root(kernel)
    except Unavailable as e:
        if not kernel.may_be_absent:
            raise
        print(e)
        return "skip", str(e).splitlines()[0]
    initrd = initramfs.build(None if image(kernel).has("SYSGENID") else build_module(kernel), kernel.architecture)
    print(f"{kernel.name} is {image(kernel).release}, by {accel.accelerator(vmlinuz, initrd, kernel.architecture)}")
    return "ok", ""


def _run_test(test: Test, kernel: Kernel, booted: BootedStates, size: Size, folder: Path) -> tuple[str, str]:
    asserts.forget()
    found: list[str] = []
    try:
        with Context(kernel.name, folder, booted, size) as context:
            try:
                test.function(context)
            except Skip:
                raise
            except Exception as e:
                print(*context.last_words(), sep="\n")
                if isinstance(e, OWN_FAULTS) and not asserts.begun() and not context.is_to_blame():
                    traceback.print_exc()
                    return "again", f"{type(e).__name__}: {e}".splitlines()[0]
                raise
            found = context.complaints()
    except Skip as e:
        return "skip", str(e)
    if test.expect_complaint:
        if not any(re.search(test.expect_complaint, line) for line in found):
            return "FAIL", f"no complaint like {test.expect_complaint!r} in any console"
    elif found:
        print("\n".join(found))
        return "FAIL", f"console of {found[0]}"
    return "ok", ""


class Report:
    """Prints a line per test, and counts."""

    def __init__(self, total: int, verbose: bool) -> None:
        self._total = total
        self._verbose = verbose
        self.counts: Counter[str] = Counter()
        self.again: list[str] = []
        self._seconds: Counter[str] = Counter()
        self._cpu: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        name, verdict = outcome.job.name, outcome.verdict
        reason = f" ({outcome.reason})" if outcome.reason else ""
        if verdict == "again":
            self.again.append(f"{name}{reason}")
        else:
            self.counts[verdict] += 1
        self._seconds[name] += outcome.seconds
        self._cpu[name] += outcome.cpu
        done = sum(self.counts.values())
        width = len(str(self._total))
        head = f"[{done:{width}}/{self._total}] {verdict:4}"
        print(f"{head} {name}{reason} {outcome.seconds:.1f} s, CPU {outcome.cpu:.1f} s", flush=True)
        bad = verdict in ("FAIL", "again")
        if outcome.output and (self._verbose or bad):
            lines = outcome.output.splitlines()
            print("\n".join(f"    | {line}" for line in lines[-SHOWN_LINES:]))
        if bad:
            logs = repo.LOGS / re.sub(r"[^\w.-]+", "-", name).strip("-")
            save_logs(outcome.folder, logs)
            print(f"    logs: {logs.relative_to(repo.TOP)}", flush=True)
        shutil.rmtree(outcome.folder, ignore_errors=True)

    def show_slowest(self) -> None:
        print(f"the {SLOWEST} slowest: seconds, and seconds of CPU time")
        for name, seconds in self._seconds.most_common(SLOWEST):
            print(f"  {seconds:7.1f} {self._cpu[name]:7.1f}  {name}")

    def show_again(self) -> None:
        """What was tried again; too much of that is a failure of its own."""
        if self.again:
            print("tried again:", *self.again, sep="\n  ")
        if len(self.again) > MAY_TRY_AGAIN:
            print(f"FAIL {len(self.again)} were tried again; more than {MAY_TRY_AGAIN} in a run are a failure")
            self.counts["FAIL"] += 1

    def summary(self) -> str:
        return f"{self.counts['ok']} passed, {self.counts['FAIL']} failed, {self.counts['skip']} skipped"


def _list(chosen: Iterable[tuple[Test, Kernel]]) -> None:
    for test, kernel in chosen:
        marks = [name for name, on in (("quick", test.quick), ("core", test.core), ("full only", test.full_only)) if on]
        print(f"{test.name} [{kernel.name}]" + (f" ({', '.join(marks)})" if marks else ""))


def jobs_of(chosen: Sequence[tuple[Test, Kernel]], size: Size, repeat: int, base: Path) -> dict[Job, Kernel]:
    """The builds of kernels, and the tests that need them.

    The builds of distributions' kernels, which wait for downloads and for each other, are one lane. The kernels that are
    compiled are another; they leave the processors to tests that have something to do."""
    booted = BootedStates(base / "booted")
    builds = {}
    for number, kernel in enumerate(dict.fromkeys(kernel for _, kernel in chosen)):
        call = functools.partial(_prepare, kernel)
        lane, nice = ("compile", COMPILER_NICE) if kernel.fragments else ("distribution", 0)
        folder = base / f"build{number}"
        builds[kernel] = Job(f"build [{kernel.name}]", call, PREPARE_TIMEOUT, folder, lane=lane, nice=nice)
    jobs = {job: kernel for kernel, job in builds.items()}
    for number, (test, kernel, turn) in enumerate((*pair, turn) for pair in chosen for turn in range(repeat)):
        name = f"{test.name} [{kernel.name}]" + (f" #{turn + 1}" if repeat > 1 else "")
        call = functools.partial(_run_test, test, kernel, booted, size)
        folder = base / str(number)
        job = Job(name, call, test.limit(size), folder, test.cpus, after=builds[kernel], tries=TRIES)
        jobs[job] = kernel
    return jobs


def _show_repeated(outcomes: Sequence[Outcome]) -> None:
    """How often each test failed."""
    verdicts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        if outcome.job.after:
            name = outcome.job.name.rpartition(" #")[0]
            verdicts.setdefault(name, Counter())[outcome.verdict] += 1
    for name, count in verdicts.items():
        again = f", tried again: {count['again']}" if count["again"] else ""
        print(f"{name}: failed {count['FAIL']} of {count['ok'] + count['FAIL']}{again}")


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    load_tests()
    try:
        chosen = select(options)
    except ToolError as e:
        print(e)
        return 2
    if options.list:
        _list(chosen)
        return 0
    if not chosen:
        print("no test matches")
        print("0 passed, 0 failed, 0 skipped")
        return 1

    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sysgenid-vm-") as base:
        jobs = jobs_of(chosen, size_of(options), options.repeat, Path(base))
        report = Report(len(jobs), options.v)
        missing: dict[Kernel, str] = {}
        counts: dict[Kernel, Counter[str]] = {kernel: Counter() for kernel in jobs.values()}
        outcomes = []
        for outcome in run_jobs([*jobs], options.j):
            report.add(outcome)
            outcomes.append(outcome)
            kernel = jobs[outcome.job]
            if outcome.job.after:
                counts[kernel][outcome.verdict] += 1
            elif outcome.verdict != "ok":
                missing[kernel] = "the build failed" if outcome.verdict == "FAIL" else outcome.reason
    if options.table:
        table.write({k: table.facts(k) for k in counts if k not in missing}, counts)
    for kernel, why in missing.items():
        print(f"NOT TESTED: {kernel.name}: {why}")
    for name in cache.prune():
        print(f"removed from the cache, unused for {cache.KEEP_DAYS} days: {name}")
    if options.repeat > 1:
        _show_repeated(outcomes)
    report.show_slowest()
    report.show_again()
    print(f"{time.monotonic() - start:.0f} s")
    print(report.summary(), flush=True)
    return 1 if report.counts["FAIL"] else 0
