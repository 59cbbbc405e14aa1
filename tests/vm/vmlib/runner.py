# SPDX-License-Identifier: MIT
"""The test runner: builds what is needed, runs the tests side by side, says how they went."""

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
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import accel, cache, initramfs, repo, table
from .booted import BootedStates
from .children import Job, Outcome, run_jobs
from .kernels import Kernel, all_kernels, built_kernels, get_kernel, image
from .lab import save_logs
from .limits import ToolError, Unavailable
from .module import build_module
from .roots import root
from .testing import TESTS, Context, Skip, Test

PREPARE_TIMEOUT = 9000.0
SHOWN_LINES = 100
TRIES = 3


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
    parser.add_argument("-v", action="store_true", help="show what tests log")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="N", help="so many processors")
    return parser.parse_args(argv)


def load_tests() -> None:
    sys.path.insert(0, str(repo.VM))
    for path in sorted(repo.VM.glob("test_*.py")):
        importlib.import_module(path.stem)
    known = {k.name for k in all_kernels() + built_kernels()}
    for test in TESTS:
        unknown = set(test.kernels or ()) - known
        if unknown:
            raise SystemExit(f"{test.name}: no kernel {', '.join(sorted(unknown))} in kernels.list")


def select(options: argparse.Namespace) -> list[tuple[Test, Kernel]]:
    kernels = [get_kernel(name) for name in options.kernel] if options.kernel else [*all_kernels(), *built_kernels()]
    if options.quick and not options.kernel:
        kernels = kernels[:1]
    chosen = []
    for kernel in kernels:
        only_core = kernel.tests == "core" and not (options.full or options.kernel)
        for test in TESTS:
            if only_core and not test.core:
                continue
            if options.quick and not test.quick or test.full_only and not options.full:
                continue
            if kernel.name not in test.kernels if test.kernels else kernel.fragments:
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
    initrd = initramfs.build(None if image(kernel).has("SYSGENID") else build_module(kernel))
    print(f"{kernel.name} is {image(kernel).release}, by {accel.accelerator(vmlinuz, initrd)}")
    return "ok", ""


class LostBreakpoint(Exception):
    """A test failed because of QEMU, see Lab.lost_breakpoint()."""


def _run_once(test: Test, kernel: Kernel, booted: BootedStates, folder: Path) -> tuple[str, str]:
    folder.mkdir()
    try:
        with Context(kernel.name, folder, booted) as context:
            try:
                test.function(context)
            except Skip:
                raise
            except Exception as e:
                print(*context.last_words(), sep="\n")
                if context.lost_breakpoint():
                    raise LostBreakpoint from e
                raise
            found = context.complaints()
            if found and context.lost_breakpoint():
                raise LostBreakpoint
    except Skip as e:
        return "skip", str(e)
    if test.expect_complaint:
        if not any(re.search(test.expect_complaint, line) for line in found):
            return "FAIL", f"no complaint like {test.expect_complaint!r} in any console"
    elif found:
        print("\n".join(found))
        return "FAIL", f"console of {found[0]}"
    return "ok", ""


def _run_test(test: Test, kernel: Kernel, booted: BootedStates, folder: Path) -> tuple[str, str]:
    reason = ""
    for number in range(TRIES - 1):
        try:
            verdict, why = _run_once(test, kernel, booted, folder / f"try{number}")
            return verdict, why or reason
        except LostBreakpoint:
            reason = "tried again: QEMU's translator lost track of a breakpoint of the kernel's"
    return _run_once(test, kernel, booted, folder / "last")


class Report:
    """Prints a line per test, and counts."""

    def __init__(self, total: int, verbose: bool) -> None:
        self._total = total
        self._verbose = verbose
        self.counts: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        self.counts[outcome.verdict] += 1
        done = sum(self.counts.values())
        reason = f" ({outcome.reason})" if outcome.reason else ""
        width = len(str(self._total))
        head = f"[{done:{width}}/{self._total}] {outcome.verdict:4}"
        print(f"{head} {outcome.job.name}{reason} {outcome.seconds:.1f} s", flush=True)
        if outcome.output and (self._verbose or outcome.verdict == "FAIL"):
            lines = outcome.output.splitlines()
            print("\n".join(f"    | {line}" for line in lines[-SHOWN_LINES:]))
        if outcome.verdict == "FAIL":
            logs = repo.LOGS / re.sub(r"[^\w.-]+", "-", outcome.job.name).strip("-")
            save_logs(outcome.job.folder, logs)
            print(f"    logs: {logs.relative_to(repo.TOP)}", flush=True)
        shutil.rmtree(outcome.job.folder, ignore_errors=True)

    def summary(self) -> str:
        return f"{self.counts['ok']} passed, {self.counts['FAIL']} failed, {self.counts['skip']} skipped"


def _list(chosen: Iterable[tuple[Test, Kernel]]) -> None:
    for test, kernel in chosen:
        marks = [name for name, on in (("quick", test.quick), ("core", test.core), ("full only", test.full_only)) if on]
        print(f"{test.name} [{kernel.name}]" + (f" ({', '.join(marks)})" if marks else ""))


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
    kernels = [*dict.fromkeys(kernel for _, kernel in chosen)]
    report = Report(len(kernels) + len(chosen), options.v)
    with tempfile.TemporaryDirectory(prefix="sysgenid-vm-") as base:
        jobs = [
            Job(f"build [{k.name}]", functools.partial(_prepare, k), PREPARE_TIMEOUT, Path(base, f"build{n}"))
            for n, k in enumerate(kernels)
        ]
        booted = BootedStates(Path(base, "booted"))
        missing: dict[Kernel, str] = {}
        for outcome in run_jobs(jobs, options.j):
            report.add(outcome)
            if outcome.verdict != "ok":
                why = "the build failed" if outcome.verdict == "FAIL" else outcome.reason
                missing[kernels[jobs.index(outcome.job)]] = why
        jobs = []
        kernel_of = {}
        for n, (test, kernel) in enumerate(chosen):
            name = f"{test.name} [{kernel.name}]"
            call = functools.partial(_run_test, test, kernel, booted)
            job = Job(name, call, test.timeout, Path(base, str(n)), test.cpus)
            kernel_of[name] = kernel
            if kernel in missing:
                report.add(Outcome(job, "skip", missing[kernel], 0, ""))
            else:
                jobs.append(job)
        counts: dict[Kernel, Counter[str]] = {kernel: Counter() for kernel in kernels}
        for outcome in run_jobs(jobs, options.j):
            report.add(outcome)
            counts[kernel_of[outcome.job.name]][outcome.verdict] += 1
    if options.table:
        table.write({k: table.facts(k) for k in kernels if k not in missing}, counts)
    for kernel, why in missing.items():
        print(f"NOT TESTED: {kernel.name}: {why}")
    for name in cache.prune():
        print(f"removed from the cache, unused for {cache.KEEP_DAYS} days: {name}")
    print(f"{time.monotonic() - start:.0f} s")
    print(report.summary(), flush=True)
    return 1 if report.counts["FAIL"] else 0
