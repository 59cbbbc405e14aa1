#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the models, and their mutations, which must be caught. Each is a test, and is counted.

usage: tests/model/run.py [--full] [-k PATTERN] [--trace]
  --full   also the configurations that take long
  -k       only those whose line matches a regular expression
  --trace  the steps that lead to each violation
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "vm"))

from vmlib import ToolError, cache  # noqa: E402
from vmlib.apt import Apt  # noqa: E402
from vmlib.kernel_source import memory_model  # noqa: E402
from vmlib.limits import Timeout, run_tool  # noqa: E402

LIMIT = 900.0
FULL_LIMIT = 3600.0
HERD_SUITE = "sid"


@dataclass(frozen=True)
class Spin:
    """A configuration of a model; with a mutation and what it violates, or nothing if it is harmless."""

    model: str
    config: str
    mutation: str = ""
    violates: str = ""
    full: bool = False

    def __str__(self) -> str:
        words = [self.model, self.config]
        if self.mutation:
            words += [self.mutation, f"violates {self.violates}" if self.violates else "is harmless"]
        return " ".join(words)


@dataclass(frozen=True)
class Litmus:
    """A litmus test for herd7; with some of its text replaced, which must make the bad outcome possible."""

    test: str
    what: str = ""
    replace: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"litmus {self.test}" + (f": {self.what}" if self.what else "")


ONE = "RESUMES=2 CALLERS=1 TRIGGERS=0"
TWO = "RESUMES=1 CALLERS=0 TRIGGERS=1"
GUARD = "RESUMES=2 CALLERS=0 TRIGGERS=0 GUARDS=1 DRAWERS=1"
HALVES = "RESUMES=1 CALLERS=0 TRIGGERS=0 GUARDS=1 DRAWERS=1 HALVES=1"
IN_FLIGHT = "RESUMES=2 CALLERS=0 TRIGGERS=0 GUARDS=1 RESEEDERS=1"
READ = "RESUMES=1 CALLERS=0 TRIGGERS=1 READERS=1"
GATE = "RESUMES=2 CALLERS=0 TRIGGERS=0 GATES=1"
GATE_PASS = GATE + " PASS=1"
GATE_TRIGGER = "RESUMES=1 CALLERS=0 TRIGGERS=1 GATES=1"
WAIT = "NAMED=0 WATCHERS=1 WAITERS=1"
WAIT_NAMED = "NAMED=1 WATCHERS=1 WAITERS=1"
LATE = "NAMED=0 LATE=1 WAITERS=1"
READER = "NAMED=0 READERS=1 TRIGGERS=1"
PAIR = "NAMED=0 WATCHERS=1 READERS=1"
LIBRARY = "NAMED=0 LIBRARY=1"
DECLARE = "NAMED=0 WATCHERS=1 WAITERS=1 DECLARERS=1"
FAIL = "FAULTS=1 KILLS=1"
QUIESCE = "FAULTS=1 QUIESCES=1 RESUMED=1 KILLS=1"
FLUSH = "FAULTS=1 QUIESCES=1 KILLS=1 FLUSHES=1"
FORCE = "FAULTS=1 FORCES=1 RELOADS=1 STOPS=1 STATUSES=1"
RESTORE = "RESTORES=2 TRIGGERS=1"
AGENT = "TRIGGER=1 FAULTS=1 QUIESCES=1 RESUMED=1"

SPIN = [
    Spin("check", ONE),
    Spin("check", "RESUMES=1 CALLERS=1 TRIGGERS=1"),
    Spin("check", "RESUMES=2 CALLERS=0 TRIGGERS=1"),
    Spin("check", READ),
    Spin("check", "RESUMES=3 CALLERS=1 TRIGGERS=0", full=True),
    Spin("check", "RESUMES=2 CALLERS=1 TRIGGERS=1", full=True),
    Spin("check", "RESUMES=1 CALLERS=0 TRIGGERS=2", full=True),
    Spin("check", GUARD),
    Spin("check", HALVES),
    Spin("check", IN_FLIGHT),
    Spin("check", "RESUMES=1 CALLERS=1 TRIGGERS=0 GUARDS=1 DRAWERS=1", full=True),
    Spin("check", GATE),
    Spin("check", GATE_PASS),
    Spin("check", GATE_TRIGGER, full=True),
    Spin("watchers", WAIT),
    Spin("watchers", WAIT_NAMED),
    Spin("watchers", LATE),
    Spin("watchers", READER),
    Spin("watchers", LIBRARY),
    Spin("watchers", DECLARE, full=True),
    Spin("watchers", PAIR, full=True),
    Spin("watchers", "RESUMES=2 " + LIBRARY, full=True),
    Spin("watchers", "NAMED=0 BEGUN=1 WATCHERS=3", full=True),
    Spin("watchers", "NAMED=0 BEGUN=1 WATCHERS=2 WAITERS=1", full=True),
    Spin("restore", RESTORE),
    Spin("overseer", FAIL),
    Spin("overseer", QUIESCE),
    Spin("overseer", FLUSH),
    Spin("overseer", FORCE),
    Spin("overseer", AGENT),
    Spin("overseer", "KERNEL=1 " + FLUSH),
    Spin("overseer", "KERNEL=1 " + FORCE),
    Spin("overseer", "RESUMES=2 FAULTS=2 QUIESCES=1 RESUMED=1 FORCES=1", full=True),
    Spin("overseer", "RESUMES=2 FAULTS=1 QUIESCES=1 RESUMED=1 FORCES=1 KILLS=1 FLUSHES=1", full=True),
    # The order of the stores, and of the loads.
    Spin("check", ONE, "RECORD_FIRST", "no_false_unchanged"),
    Spin("check", ONE, "FIRST_HALF_FIRST", "no_false_unchanged"),
    Spin("check", ONE, "SECOND_HALF_FIRST", "no_false_unchanged"),
    Spin("check", ONE, "GENERATION_LOADED_FIRST", "no_false_unchanged"),
    Spin("check", ONE, "GENERATION_BETWEEN_HALVES", "no_false_unchanged"),
    Spin("check", ONE, "GENERATION_BEFORE_RECORD", "no_false_unchanged"),
    Spin("check", ONE, "COUNTER_ALONE", "no_false_unchanged"),
    Spin("check", ONE, "HARDWARE_LOADED_FIRST", full=True),
    # One generation for each resume.
    Spin("check", TWO, "DROP_LOCK", "one_generation_per_resume"),
    Spin("check", ONE, "ID_READ_ONCE", "no_torn_id|reseeded_before_visible"),
    Spin("check", ONE, "TORN_ID", full=True),
    Spin("check", ONE, "FRESH_RECORD", "every_resume_is_published"),
    Spin("check", TWO, "TRIGGER_RECORDS", "every_resume_is_published"),
    Spin("check", TWO, "TRIGGER_IGNORES_ID", "agent_and_hardware_make_one"),
    Spin("check", TWO, "TRIGGER_EXPECTS_NOTHING", "agent_and_hardware_make_one"),
    # The kernel RNG.
    Spin("check", TWO, "NO_MIX", "reseeded_before_visible"),
    Spin("check", TWO, "RESEED_LATE", "reseeded_before_visible"),
    Spin("check", TWO, "TRIGGER_WITHOUT_RESEED", "reseeded_before_visible"),
    Spin("check", ONE, "NO_READ_AFTER_RESEED", "reseeded_before_visible"),
    # The guard, and the kernel's own reseeds.
    Spin("check", GUARD, "NO_GUARD_AT_DRAW", "no_old_draw"),
    Spin("check", GUARD, "MIXED_BEFORE_RESEED", "no_old_draw"),
    Spin("check", HALVES, "GUARD_HALF", "no_torn_id"),
    Spin("check", IN_FLIGHT, "NO_PROBE", "no_key_put_back"),
    Spin("check", IN_FLIGHT, "COUNT_BEFORE_MIX", "no_key_put_back"),
    Spin("check", IN_FLIGHT, "COUNT_AFTER_RESEED", "no_key_put_back"),
    # The truthful read.
    Spin("check", ONE, "NO_LOOK_AFTER_COPY", "no_late_answer"),
    Spin("check", ONE, "NO_LOOK_AT_ENTRY", full=True),
    Spin("check", ONE, "NO_LOOK", "no_stale_read"),
    # The read without the lock.
    Spin("check", READ, "COUNTED_FIRST", "no_old_generation"),
    Spin("check", READ, "LOADED_FIRST", "no_old_generation"),
    Spin("check", READ, "COUNT_ALONE", "no_old_generation"),
    # The gate of the module.
    Spin("check", GATE, "GATE_COMPARES_NO_ID", "no_packet_unopened"),
    Spin("check", GATE_TRIGGER, "GATE_COMPARES_NO_GENERATION", "no_packet_of_old_generation"),
    Spin("check", GATE_PASS, "OPEN_EXPECTS_NOTHING", "no_packet_unopened"),
    Spin("check", GATE, "OPEN_FOR_FRESH_ID", "no_packet_unopened"),
    # Programs that CRIU restores.
    Spin("restore", RESTORE, "NO_LEAST", "no_old_draw_by_page"),
    Spin("restore", RESTORE, "LEAST_IS_NOT_COUNTED_AROUND", "no_old_draw_by_page"),
    Spin("restore", RESTORE, "IMAGE_IS_TRUSTED", "no_old_draw_by_page"),
    Spin("restore", RESTORE, "TRIGGER_AFTER_RESUME", "no_old_draw_by_page"),
    Spin("restore", RESTORE, "VDSO_IS_KEPT", "no_old_draw_by_vdso"),
    # Counting.
    Spin("watchers", PAIR, "DROP_LOCK", "no_miscount"),
    Spin("watchers", WAIT, "OUTDATED_LATE", "no_miscount|no_false_all_done"),
    Spin("watchers", WAIT, "NOT_OUTDATED", "no_miscount"),
    Spin("watchers", READER, "CONFIRM_COUNTS_TWICE", "no_miscount"),
    Spin("watchers", WAIT, "UNTRACK_FORGETS_OUTDATED", "no_miscount"),
    Spin("watchers", LATE, "DECLARE_AFTER_TRACK", "no_miscount"),
    # All done?
    Spin("watchers", LATE, "LATE_IS_ADJUSTED", "no_false_all_done"),
    Spin("watchers", WAIT, "CONFIRM_ANYTHING", "no_false_all_done"),
    Spin("watchers", WAIT, "NO_LOOK_AFTER_WAIT", "no_old_wait"),
    Spin("watchers", WAIT, "NO_GENERATION_AFTER_WAIT", "no_old_wait"),
    Spin("watchers", WAIT, "NO_LOOK_AFTER_CONFIRM", "no_stale_confirmation"),
    # Waking.
    Spin("watchers", READER, "NO_WAKE_WORK", "no_lost_wake_up"),
    Spin("watchers", READER, "WAKE_BEFORE_PUBLISH", "no_lost_wake_up"),
    Spin("watchers", READER, "LOOK_BEFORE_QUEUE", "no_lost_wake_up"),
    Spin("watchers", WAIT, "NO_WAKE_AT_CONFIRM", "no_lost_wake_up"),
    Spin("watchers", DECLARE, "DECLARE_WAKES_NOBODY", "no_lost_wake_up"),
    Spin("watchers", LIBRARY, "LIBRARY_CONFIRMS_LATEST", "no_lost_wake_up"),
    # The gate opens when the machine has adjusted.
    Spin("overseer", FAIL, "HOOK_MAY_FAIL", "never_open_unsettled"),
    Spin("overseer", FAIL, "RESEED_IS_NOT_ASKED", "never_open_unsettled", full=True),
    Spin("overseer", FAIL, "RESEED_IS_ASKED_ONCE", full=True),
    Spin("overseer", FAIL, "FIRST_LOOK_FORGOTTEN", "never_open_unsettled"),
    Spin("overseer", FAIL, "HELD_IS_READY", "never_open_unsettled", full=True),
    Spin("overseer", FAIL, "UNSTARTED_DOES_NOT_CLOSE", "never_open_unsettled"),
    Spin("overseer", QUIESCE, "NO_LOOK_BEFORE_OPENING", "never_open_unsettled"),
    Spin("overseer", FAIL, "NO_LOOK_AFTER_OPENING", "ready_is_current"),
    Spin("overseer", "KERNEL=1 " + FAIL, "GATE_COMPARES_NOTHING", "never_open_unsettled"),
    # Closed in every state but ready.
    Spin("overseer", FAIL, "HOLD_DOES_NOT_CLOSE", "closed_when_said"),
    Spin("overseer", FLUSH, "FLUSH_IS_NOT_SEEN", "closed_when_said"),
    Spin("overseer", FLUSH, "QUIESCING_IS_NOT_CLOSED", "closed_when_said"),
    Spin("overseer", FLUSH, "NO_FILE_AFTER_CLOSING", "nothing_stays_frozen", full=True),
    Spin("overseer", FLUSH, "NO_FILE_BEFORE_OPENING", full=True),
    Spin("overseer", FLUSH, "READY_COUNTS", full=True),
    # Quiesced, and its clones.
    Spin("overseer", QUIESCE, "LEASE_DOES_NOT_LOOK", "quiesced_stays_closed"),
    Spin("overseer", AGENT, "LEASE_WITH_TRIGGER", "quiesced_stays_closed"),
    Spin("overseer", QUIESCE, "HOLD_FORGETS_QUIESCED", "quiesced_stays_closed"),
    Spin("overseer", QUIESCE, "UNTIL_RESUME_IS_NOT_STORED", "quiesced_stays_closed"),
    Spin("overseer", QUIESCE, "GENERATION_ENDS_UNTIL_RESUME", "quiesced_stays_closed", full=True),
    # A way out of each state.
    Spin("overseer", FAIL, "HOLD_IS_NOT_TRIED_AGAIN", "is_tried_again"),
    Spin("overseer", QUIESCE, "HOLD_ANSWERS_NOBODY", "every_request_is_answered"),
    Spin("overseer", QUIESCE, "NOTHING_IS_THAWED", "nothing_stays_frozen"),
]

WMB = "smp_wmb();"
RELEASE = ("smp_store_release(generation, 1)", "WRITE_ONCE(*generation, 1)")
LITMUS = [
    Litmus("publish-check"),
    Litmus("publish-check", "no smp_wmb()", ((WMB, ""),)),
    Litmus("publish-check", "relaxed loads of the record", tuple((f"smp_load_acquire({x})", f"READ_ONCE(*{x})") for x in ("low", "high"))),
    Litmus("publish-moved"),
    Litmus("publish-moved", "no smp_wmb()", ((WMB, ""),)),
    Litmus("publish-moved", "no smp_rmb()", (("smp_rmb();", ""),)),
    Litmus("reseed-generation"),
    Litmus("reseed-generation", "no store-release", (RELEASE,)),
    Litmus("reseed-generation", "no load-acquire", (("smp_load_acquire(generation)", "READ_ONCE(*generation)"),)),
    Litmus("seq-source"),
    Litmus("seq-source", "no smp_wmb()", ((WMB, ""),)),
    Litmus("seq-source", "no smp_rmb()", (("smp_rmb();", ""),)),
    Litmus("read-outdated"),
    Litmus("read-outdated", "no smp_wmb()", ((WMB, ""),)),
    Litmus("read-outdated", "no smp_rmb()", (("smp_rmb();", ""),)),
    Litmus("wake-sleep"),
    Litmus("wake-sleep", "no lock and no barrier", (("spin_lock(l);", ""), ("spin_unlock(l);", ""), ("smp_mb();", ""))),
]


class Wrong(Exception):
    """A test's outcome is not the expected one."""


def run_spin(case: Spin, trace: bool) -> str:
    with tempfile.TemporaryDirectory(prefix="sysgenid-model-") as name:
        work = Path(name)
        for path in HERE.glob("*.[ph]*"):
            shutil.copy(path, work)
        defines = [f"-D{word}" for word in case.config.split()] + ([f"-D{case.mutation}"] if case.mutation else [])
        spin = ["spin", *defines]
        source = f"{case.model}.pml"
        run_tool([*spin, "-a", source], 120, "spin", cwd=work)
        # The compiler takes longer than the run, but for the largest: those keep a hash of 64 bits of a state.
        large = case.full and not case.mutation
        compiler = ["gcc", "-O2", "-DHC4"] if large else ["clang", "-O0"]
        run_tool([*compiler, "-w", "-DSAFETY", "-DNOCLAIM", "-DMEMLIM=9000", "-o", "pan", "pan.c"], LIMIT, compiler[0], cwd=work)
        pan = ["./pan", "-m1000000", "-n", *(["-w27"] if large else [])]
        out = run_tool(pan, FULL_LIMIT if case.full else LIMIT, str(case), cwd=work)
        violated = re.search(r"assertion violated \((\w+)", out)
        states = re.search(r"(\d+) states, stored", out)
        if trace and violated:
            steps = run_tool([*spin, "-t", "-p", "-g", source], 120, "spin -t", cwd=work)
            print(f"--- {case}\n{steps}")
        found = violated.group(1) if violated else ""
        if not states or re.search("max search depth too small|memory limit|out of memory|aborted", out):
            raise Wrong(out[-2000:])
        if found:
            if not re.fullmatch(case.violates, found):
                raise Wrong(f"violates {found}")
            return "caught"
        if case.violates:
            raise Wrong("not caught")
        if "errors: 0" not in out:
            raise Wrong(out[-2000:])
        return f"{int(states.group(1)):,} states"


def herd() -> list[str | Path]:
    """How to run herd7, which stable Debian does not have: with the C library of the suite that it comes from."""
    packages = ("herdtools7", "libc6", "libgmp10")
    wanted = ["usr/bin/herd7", "usr/share/herdtools7/herd", "usr/lib/x86_64-linux-gnu"]

    def make(to: Path) -> list[str]:
        apt = Apt(HERD_SUITE)
        apt.update()
        for package in packages:
            deb = apt.download(package, apt.show(package)["Version"], to)
            run_tool(["dpkg-deb", "-x", deb, to / "all"], 120, f"unpacking {package}")
            deb.unlink()
        for path in wanted:
            (to / path).parent.mkdir(parents=True, exist_ok=True)
            (to / "all" / path).rename(to / path)
        shutil.rmtree(to / "all")
        return ["usr/bin/herd7", "usr/share/herdtools7/herd/stdlib.cat"]

    root = cache.entry("herd", {"packages": packages, "suite": HERD_SUITE}, make)
    program, library, libraries = (root / path for path in wanted)
    return [libraries / "ld-linux-x86-64.so.2", "--library-path", libraries, program, "-set-libdir", library]


def run_litmus(case: Litmus, command: list[str | Path], model: Path) -> str:
    text = (HERE / "litmus" / f"{case.test}.litmus").read_text("utf-8")
    for old, new in case.replace:
        if old not in text:
            raise Wrong(f"there is no {old} to replace")
        text = text.replace(old, new)
    with tempfile.NamedTemporaryFile("w", suffix=".litmus") as f:
        f.write(text)
        f.flush()
        out = run_tool([*command, "-conf", "linux-kernel.cfg", f.name], 120, "herd7", cwd=model)
    seen = re.search(r"^Observation \S+ (\w+) (\d+) (\d+)", out, re.MULTILINE)
    if not seen:
        raise Wrong(out[-2000:])
    if (seen.group(1) == "Never") == bool(case.replace):
        raise Wrong(f"the bad outcome comes {seen.group(1).lower()}")
    return "caught" if case.replace else f"{int(seen.group(2)) + int(seen.group(3))} outcomes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("-k", default="")
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()

    jobs: list[tuple[str, Callable[[], str]]] = []
    skipped = 0
    # The long ones first: without a mutation every state is visited, and watchers.pml has the more.
    for case in sorted(SPIN, key=lambda case: (not case.full, bool(case.mutation), case.model == "check")):
        if options.full or not case.full:
            jobs.append((str(case), lambda case=case: run_spin(case, options.trace)))
    try:
        command, model = herd(), memory_model()
        jobs += [(str(one), lambda one=one: run_litmus(one, command, model)) for one in LITMUS]
    except (ToolError, Timeout) as e:
        print(f"skip litmus tests: herd7 or the kernel's memory model cannot be had: {str(e).splitlines()[0]}")
        skipped = len(LITMUS)
    jobs = [job for job in jobs if re.search(options.k, job[0])]

    passed = failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def timed(job: Callable[[], str]) -> tuple[str, str, float]:
            start = time.monotonic()
            try:
                return "", job(), time.monotonic() - start
            except (Wrong, ToolError, Timeout, subprocess.SubprocessError) as e:
                return str(e), "", time.monotonic() - start

        for (name, _), (error, result, seconds) in zip(jobs, pool.map(lambda job: timed(job[1]), jobs), strict=True):
            print(f"{'FAIL' if error else 'ok  '} {name}: {result or error} ({seconds:.1f} s)", flush=True)
            failed += bool(error)
            passed += not error
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
