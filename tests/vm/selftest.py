#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the harness itself, without a VM: a harness that cannot fail proves nothing."""

from __future__ import annotations

import difflib
import functools
import importlib
import io
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from vmlib import VM, Context, Kernel, Timeout, asserts, build_module, built, cache, get_kernel, kernels, mutants
from vmlib import parallel, repo, runner, table, wait_until
from vmlib.apt import Apt
from vmlib.children import Job, Outcome, run_jobs
from vmlib.console import complaints, last_words
from vmlib.control import Control, GuestError, GuestGone, encode
from vmlib.initramfs import Newc
from vmlib.limits import NotBooted, ToolError, Unavailable, run_tool
from vmlib.qmp import QemuGone, Qmp, QmpError
from vmlib.report import Check, Verdict, report
from vmlib.systems import Root
from vmlib.testing import Size, Skip, Test


class Folder(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)


class OwnCache(Folder):
    """A test with a cache of its own."""

    def setUp(self) -> None:
        super().setUp()
        before = os.environ.get("SYSGENID_CACHE")
        os.environ["SYSGENID_CACHE"] = str(self.folder)

        def restore() -> None:
            os.environ.pop("SYSGENID_CACHE")
            if before is not None:
                os.environ["SYSGENID_CACHE"] = before

        self.addCleanup(restore)


class CacheTest(OwnCache):
    def setUp(self) -> None:
        super().setUp()
        self.made = 0

    def make(self, to: Path) -> list[str]:
        self.made += 1
        (to / "file").write_text("content", "ascii")
        return ["file"]

    def test_made_once(self) -> None:
        path = cache.entry("kind", {"a": 1}, self.make)
        self.assertEqual(path, cache.entry("kind", {"a": 1}, self.make))
        self.assertEqual(self.made, 1)
        self.assertNotEqual(path, cache.entry("kind", {"a": 2}, self.make))

    def test_made_once_by_many(self) -> None:
        def slow(to: Path) -> list[str]:
            time.sleep(0.1)
            return self.make(to)

        parallel([lambda: cache.entry("kind", {}, slow)] * 4, workers=4)
        self.assertEqual(self.made, 1)

    def test_broken_is_made_anew(self) -> None:
        path = cache.entry("kind", {}, self.make)
        (path / "file").write_text("other", "ascii")
        self.assertEqual((cache.entry("kind", {}, self.make) / "file").read_text("ascii"), "content")
        (path / "file").unlink()
        self.assertEqual((cache.entry("kind", {}, self.make) / "file").read_text("ascii"), "content")
        (path / cache.MANIFEST).write_text("{", "ascii")
        cache.entry("kind", {}, self.make)
        self.assertEqual(self.made, 4)

    def test_failure_leaves_nothing(self) -> None:
        def fail(to: Path) -> list[str]:
            self.make(to)
            raise ToolError("no")

        with self.assertRaises(ToolError):
            cache.entry("kind", {}, fail)
        self.assertEqual([*(self.folder / "kind").iterdir(), *(self.folder / "tmp").iterdir()], [])

    def test_prune(self) -> None:
        old, new = (cache.entry("kind", {"n": n}, self.make) for n in range(2))
        long_ago = time.time() - 31 * 86400
        os.utime(old, (long_ago, long_ago))
        self.assertEqual(cache.prune(), [f"kind/{old.name}"])
        self.assertFalse(old.exists())
        self.assertTrue(new.exists())


class LimitsTest(unittest.TestCase):
    def test_says_what(self) -> None:
        with self.assertRaisesRegex(Timeout, "^waited 0.05 s for godot$"):
            wait_until(lambda: False, 0.05, "godot")
        with self.assertRaisesRegex(Timeout, "^waited 0.1 s for a nap$"):
            run_tool(["sleep", "10"], 0.1, "a nap")
        with self.assertRaisesRegex(ToolError, "talk: exit status 3\nhello"):
            run_tool(["sh", "-c", "echo hello; exit 3"], 5, "talk")


class ParallelTest(unittest.TestCase):
    def test_order_and_errors(self) -> None:
        self.assertEqual(parallel([functools.partial(pow, n, 2) for n in range(5)]), [0, 1, 4, 9, 16])
        with self.assertRaises(ZeroDivisionError):
            parallel([lambda: 1, lambda: 1 // 0])


class ControlTest(Folder):
    def setUp(self) -> None:
        super().setUp()
        mine, self.guest = socket.socketpair()
        self.addCleanup(self.guest.close)
        self.control = Control(mine, self.folder / "log", "vm")
        self.addCleanup(self.control.close)

    def test_words(self) -> None:
        self.assertEqual(encode("a b%\n\xe9"), b"a%20b%25%0a%c3%a9")
        self.guest.sendall(b"<1 exit 3 5\n<2 o\n\n<2 ok 0 0\n\n")
        reply = self.control.request("run", "x y", limit=5)
        self.assertEqual((reply.status, reply.code, reply.body), ("exit", 3, b"<2 o\n"))
        self.assertEqual(self.control.request("ping", limit=5).status, "ok")
        self.assertEqual(self.guest.recv(100), b">1 9 run x%20y\n>2 4 ping\n")

    def test_sync_skips_anything(self) -> None:
        def answer() -> None:
            token = self.guest.recv(1000).split()[-1]
            self.guest.sendall(b"lf a reply\n<7 ok 0 3\nabc\n<9 ok 0 32\n" + token + b"\n")

        thread = threading.Thread(target=answer)
        thread.start()
        self.control.sync(5)
        thread.join()

    def test_wrong_and_late_and_gone(self) -> None:
        with self.assertRaisesRegex(Timeout, "waited 0.05 s for vm to answer: ping"):
            self.control.request("ping", limit=0.05)
        self.guest.sendall(b"<99 ok 0 0\n\n")
        with self.assertRaisesRegex(GuestError, "reply b'<99 ok 0 0' to request 2"):
            self.control.request("ping", limit=5)
        self.guest.close()
        with self.assertRaisesRegex(GuestError, "the VM is gone"):
            self.control.request("ping", limit=5)


class QmpTest(unittest.TestCase):
    def test_events_and_errors(self) -> None:
        mine, qemu = socket.socketpair()
        self.addCleanup(mine.close)
        self.addCleanup(qemu.close)
        qmp = Qmp(mine)
        qemu.sendall(b'{"event": "STOP"}\n{"event": "RESUME"}\n{"return": 7}\n{"error": {"desc": "no"}}\n')
        self.assertEqual(qmp.execute("x"), 7)
        self.assertEqual(qmp.wait_event("RESUME", 1), {"event": "RESUME"})
        with self.assertRaisesRegex(QmpError, "^y: no$"):
            qmp.execute("y")
        with self.assertRaisesRegex(Timeout, "waited 0.05 s for QEMU's event STOP"):
            qmp.wait_event("STOP", 0.05)
        with self.assertRaisesRegex(Timeout, "waited 0.05 s for QMP z"):
            qmp.execute("z", limit=0.05)


class StateTest(Folder):
    """A QEMU that is asked for something while it is still busy."""

    def setUp(self) -> None:
        super().setUp()
        mine, self.qemu = socket.socketpair()
        self.addCleanup(mine.close)
        self.addCleanup(self.qemu.close)
        self.vm = object.__new__(VM)
        self.vm.qmp, self.vm.name, self.vm.disk, self.vm.folder = Qmp(mine), "vm", None, self.folder
        self.vm.machine, self.vm.guid, self.vm._guid_address, self.vm._cloned = unittest.mock.Mock(), None, None, False
        self.commands: list[str] = []

    def asked(self, call: Callable[[], object], *states: str) -> list[str]:
        """The commands that change something; query-status gives these states in turn, the last one again and again."""
        left = [*states]

        def answer() -> None:
            for line in self.qemu.makefile("rb"):
                command = json.loads(line)["execute"]
                answers = {"query-migrate": {"status": "completed"}}
                if command == "query-status":
                    answers[command] = {"status": left.pop(0) if len(left) > 1 else left[0]}
                elif not command.startswith("query-"):
                    self.commands.append(f"{command} when {left[0]}" if len(left) == 1 else f"{command}: too early")
                self.qemu.sendall(json.dumps({"return": answers.get(command, {})}).encode() + b"\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            call()
        finally:
            self.vm.qmp._sock.shutdown(socket.SHUT_RDWR)
            thread.join()
        return self.commands

    def test_resume_waits(self) -> None:
        self.assertEqual(self.asked(self.vm.resume, "finish-migrate", "finish-migrate", "postmigrate"), ["cont when postmigrate"])

    def test_pause_waits(self) -> None:
        self.assertEqual(self.asked(self.vm.pause, "inmigrate", "paused"), ["stop when paused"])

    def test_wake_waits(self) -> None:
        self.assertEqual(self.asked(self.vm.wake, "running", "running", "suspended"), ["system_wakeup when suspended"])

    def test_snapshot_is_over_when_it_can_be_resumed(self) -> None:
        states = ("running", "paused", "finish-migrate", "finish-migrate", "postmigrate")
        done: list[str] = []

        def call() -> None:
            self.vm.snapshot(self.folder / "state")
            done.append(self.vm.qmp.execute("query-status")["status"])

        with unittest.mock.patch.object(Qmp, "send_file"):
            self.asked(call, *states)
        self.assertEqual(done, ["postmigrate"])

    def test_never(self) -> None:
        with self.assertRaisesRegex(Timeout, "waited 0.05 s for vm to be suspended"):
            self.asked(lambda: self.vm.wait_state("suspended", 0.05), "running")


class ConsoleTest(Folder):
    def look(self, text: str) -> list[str]:
        path = self.folder / "console"
        path.write_text(text, "utf-8")
        return complaints(path)

    def test_finds(self) -> None:
        for line in (
            "[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "[    1.0] kernel BUG at mm/slub.c:1!",
            "[    1.0] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2",
            "[    1.0] WARNING: possible circular locking dependency detected",
            "[    1.0] Kernel panic - not syncing: x",
            "[    1.0] int3: 0000 [#1] PREEMPT SMP NOPTI",
            "[    1.0] INFO: task a:1 blocked for more than 120 seconds.",
            "[    1.0] rcu: INFO: rcu_preempt self-detected stall on CPU",
            "init: /dev/ttyS1: No such file or directory",
        ):
            self.assertEqual(len(self.look(f"fine\n{line}\nfine\n")), 1, line)

    def test_a_race_counts_if_the_module_takes_part(self) -> None:
        ours = "[    1.0] BUG: KCSAN: data-race in sysgenid_wake [sysgenid] / f"
        self.assertEqual(self.look("[    1.0] BUG: KCSAN: data-race in f / g\n g+0x1/0x2\n sysgenid_wake+0x1/0x2 [sysgenid]"), [])
        self.assertEqual(self.look(f"{ours}\n f+0x1/0x2"), [ours])

    def test_last_words(self) -> None:
        bug, after = "[    1.0] BUG: x", [f"line {number}" for number in range(50)]
        for lines, words in (([], []), (after, after[-3:]), (after[:1], after[:1]), (["fine", bug, *after], [bug, *after[:2]])):
            self.look("\n".join(lines))
            self.assertEqual(last_words(self.folder / "console", 3), words)

    def test_leaves_alone(self) -> None:
        self.assertEqual(self.look("[    1.0] Run /init as init process\n[    1.0] systemd-init: x\n"), [])


class NewcTest(Folder):
    def test_archive(self) -> None:
        path = self.folder / "a.cpio"
        with path.open("wb") as out:
            archive = Newc(out)
            archive.add("bin", 0o040755)
            archive.add("bin/x", 0o100755, b"12345")
            archive.add("bin/y", 0o120777, b"x")
            archive.close()
        run_tool(["busybox", "cpio", "-i", "-F", path], 10, "cpio", cwd=self.folder)
        self.assertEqual((self.folder / "bin" / "y").read_bytes(), b"12345")
        self.assertEqual((self.folder / "bin" / "x").stat().st_mode, 0o100755)


Call = Callable[[Path], tuple[str, str]]


class ChildrenTest(Folder):
    def outcomes(self, *calls: Call, timeout: float = 10, slots: int = 2, cpus: int = 1) -> dict[str, Outcome]:
        jobs = [Job(c.__name__, c, timeout, self.folder / c.__name__, cpus) for c in calls]
        return self.ended(jobs, slots)

    def ended(self, jobs: Sequence[Job], slots: int = 2) -> dict[str, Outcome]:
        return {o.job.name: o for o in run_jobs(jobs, slots)}

    def test_verdicts(self) -> None:
        def fine(folder: Path) -> tuple[str, str]:
            print("said")
            return "ok", ""

        def skips(folder: Path) -> tuple[str, str]:
            return "skip", "why"

        def fails(folder: Path) -> tuple[str, str]:
            raise AssertionError("because")

        def dies(folder: Path) -> tuple[str, str]:
            os._exit(7)

        found = self.outcomes(fine, skips, fails, dies)
        self.assertEqual((found["fine"].verdict, found["fine"].output), ("ok", "said\n"))
        self.assertEqual((found["skips"].verdict, found["skips"].reason), ("skip", "why"))
        self.assertEqual((found["fails"].verdict, found["fails"].reason), ("FAIL", "AssertionError: because"))
        self.assertIn("Traceback", found["fails"].output)
        self.assertEqual(found["dies"].verdict, "FAIL")

    def test_late_is_told(self) -> None:
        def hangs(folder: Path) -> tuple[str, str]:
            time.sleep(1000)
            return "ok", ""

        found = self.outcomes(hangs, timeout=0.2)
        self.assertEqual((found["hangs"].verdict, found["hangs"].reason), ("FAIL", "Late: the test's 0.2 s are over"))
        self.assertIn("time.sleep(1000)", found["hangs"].output)

    @unittest.mock.patch("vmlib.children.GRACE", 0.5)
    def test_deaf_is_killed_with_all_it_started(self) -> None:
        def hangs(folder: Path) -> tuple[str, str]:
            signal.setitimer(signal.ITIMER_REAL, 0)
            run_tool(["sh", "-c", "echo $$ > pid; exec sleep 1000"], 1000, "for ever", cwd=folder)
            return "ok", ""

        found = self.outcomes(hangs, timeout=1)
        self.assertEqual(found["hangs"].reason, "killed: did not end 0.5 s after its 1 s were over")
        stat = Path("/proc", (self.folder / "hangs" / "try1" / "pid").read_text("ascii").strip(), "stat")
        wait_until(lambda: not stat.exists() or ") Z " in stat.read_text("ascii"), 5, "the sleeper to be dead")

    def test_slots(self) -> None:
        def one(folder: Path) -> tuple[str, str]:
            time.sleep(0.3)
            return "ok", ""

        def two(folder: Path) -> tuple[str, str]:
            time.sleep(0.3)
            return "ok", ""

        start = time.monotonic()
        self.outcomes(one, two, cpus=2)
        self.assertGreater(time.monotonic() - start, 0.6)

    def test_tests_may_claim_half_as_many_processors_again(self) -> None:
        with unittest.mock.patch("os.cpu_count", return_value=2):
            self.assertEqual(runner.arguments([]).j, 3)
        self.assertEqual(runner.crowded(1), 1)

    def test_a_job_waits_for_what_it_needs(self) -> None:
        """And is skipped where that failed or was skipped, and so is what comes after it."""
        order: list[str] = []

        def job(name: str, verdict: str, after: Job | None = None) -> Job:
            def call(folder: Path) -> tuple[str, str]:
                time.sleep(0.1)
                return verdict, "why" if verdict == "skip" else ""

            return Job(name, call, 10, self.folder / name, after=after)

        good, bad, absent = job("good", "ok"), job("bad", "FAIL"), job("absent", "skip")
        after = {name: job(f"after {name}", "ok", what) for name, what in (("good", good), ("bad", bad), ("absent", absent))}
        last = job("last", "ok", after["bad"])
        found = {}
        for outcome in run_jobs([last, *after.values(), good, bad, absent], 4):
            order.append(outcome.job.name)
            found[outcome.job.name] = outcome.verdict, outcome.reason
        self.assertLess(order.index("good"), order.index("after good"))
        self.assertEqual(found["after good"], ("ok", ""))
        self.assertEqual(found["after bad"], ("skip", "bad failed"))
        self.assertEqual(found["after absent"], ("skip", "why"))
        self.assertEqual(found["last"], ("skip", "bad failed"))
        with self.assertRaisesRegex(ValueError, "last is after a job that is not there"):
            self.ended([last])

    def test_lanes(self) -> None:
        """Jobs of a lane run one after another, and others beside them."""

        def call(folder: Path) -> tuple[str, str]:
            began = time.monotonic()
            time.sleep(0.3)
            return "ok", f"{began} {time.monotonic()}"

        names = {"a": "lane", "b": "lane", "c": ""}
        found = self.ended([Job(name, call, 10, self.folder / name, lane=lane) for name, lane in names.items()], 3)
        (a, a_end), (b, _), (c, _) = (map(float, found[name].reason.split()) for name in "abc")
        self.assertGreaterEqual(b, a_end)
        self.assertLess(c, a_end)

    def test_cpu_time_is_that_of_all_it_started(self) -> None:
        burn = "import time\nwhile time.process_time() < 0.5: pass"

        def busy(folder: Path) -> tuple[str, str]:
            run_tool([sys.executable, "-c", burn], 10, "to burn")
            return "ok", ""

        def idle(folder: Path) -> tuple[str, str]:
            time.sleep(0.5)
            return "ok", ""

        found = self.outcomes(busy, idle)
        self.assertGreaterEqual(found["busy"].cpu, 0.5)
        self.assertLess(found["idle"].cpu, 0.4)

    def test_nice(self) -> None:
        job = Job("nice", lambda folder: ("ok", str(os.nice(0))), 10, self.folder / "nice", nice=3)
        self.assertEqual(int(self.ended([job])["nice"].reason), min(19, os.nice(0) + 3))


class AssertsTest(Folder):
    def test_values_are_shown(self) -> None:
        (self.folder / "test_selftest.py").write_text("def compare(a, b):\n    assert len(a) == b, 'why'\n", "ascii")
        asserts.rewrite_tests(self.folder)
        self.addCleanup(sys.meta_path.pop, 0)
        self.addCleanup(sys.modules.pop, "test_selftest")
        module = importlib.import_module("test_selftest")
        asserts.forget()
        with self.assertRaisesRegex(AssertionError, r"(?s)^why\nassert 3 == 4\n .*where 3 = len\('abc'\)"):
            module.compare("abc", 4)
        self.assertTrue(asserts.begun())
        asserts.forget()
        self.assertFalse(asserts.begun())
        module.compare("abc", 3)
        self.assertTrue(asserts.begun(), "an assert that holds counts, too")

    def test_all_test_files_are_rewritten(self) -> None:
        with unittest.mock.patch("vmlib.runner.TESTS", []), unittest.mock.patch("vmlib.testing.TESTS", []):
            runner.load_tests()
            self.addCleanup(sys.meta_path.pop, 0)
        for path in repo.VM.glob("test_*.py"):
            self.assertTrue(hasattr(sys.modules[path.stem], asserts.MARK), path)


class RunnerTest(OwnCache):
    """Whole runs, of tests without VMs."""

    def setUp(self) -> None:
        super().setUp()
        for target, value in (
            ("vmlib.runner.load_tests", lambda: None),
            ("vmlib.runner._prepare", lambda kernel, folder: ("ok", "")),
            ("vmlib.lab.Lab.builtin", False),
        ):
            patch = unittest.mock.patch(target, value)
            patch.start()
            self.addCleanup(patch.stop)

    def run_tests(self, *functions: Callable[[Context], None], options: Sequence[str] = (), timeout: float = 30) -> tuple[int, str]:
        tests = [Test(function.__name__, function, ("bookworm-cloud",), timeout=timeout, full_timeout=timeout) for function in functions]
        said = io.StringIO()
        with unittest.mock.patch("vmlib.runner.TESTS", tests), redirect_stdout(said):
            status = runner.main(options)
        return status, said.getvalue()

    def once(self, name: str) -> bool:
        """Whether this is the first time."""
        try:
            (self.folder / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def test_what_is_tried_again(self) -> None:
        """Only what is the harness' fault, before the first assert, where the module had no part."""

        def refused(t: Context) -> None:
            raise QmpError("cont: no")

        def asserted(t: Context) -> None:
            asserts._begin()
            raise GuestGone("gone")

        def failed(t: Context) -> None:
            asserts._begin()
            raise AssertionError("wrong")

        def waited(t: Context) -> None:
            raise Timeout("waited 1 s for a client to learn")

        def blamed(t: Context) -> None:
            console = t.folder / "console"
            console.write_text("sysgenid: loading out-of-tree module taints kernel.\n[    1.0] BUG: x\n", "ascii")
            t._vms.append(unittest.mock.Mock(console=console, is_gone=True, alive=False))
            raise GuestGone("gone")

        for function in (refused, asserted, failed, waited, blamed):
            with self.subTest(function.__name__):
                status, said = self.run_tests(function)
                self.assertIn("1 passed, 1 failed, 0 skipped", said)
                self.assertNotIn("tried again", said)
                self.assertEqual(status, 1)

        def lost(t: Context) -> None:
            if self.once("lost"):
                raise QemuGone("QEMU is gone")

        def not_booted(t: Context) -> None:
            if self.once("not booted"):
                raise NotBooted("waited 1 s for vm to boot")

        def late(t: Context) -> None:
            if self.once("late"):
                time.sleep(100)

        def breakpoint_of_qemu(t: Context) -> None:
            if self.once("breakpoint"):
                console = t.folder / "console"
                console.write_text("sysgenid: x\n[    1.0] int3: 0000 [#1] PREEMPT SMP NOPTI\n", "ascii")
                machine = unittest.mock.Mock(smp=2)
                t._vms.append(unittest.mock.Mock(console=console, is_gone=True, alive=False, machine=machine))
                raise GuestGone("gone")

        for function in (lost, not_booted, late, breakpoint_of_qemu):
            with self.subTest(function.__name__):
                status, said = self.run_tests(function, timeout=1)
                self.assertRegex(said, rf"\ntried again:\n  {function.__name__} \[bookworm-cloud\] \(")
                self.assertIn("2 passed, 0 failed, 0 skipped", said)
                self.assertEqual(status, 0)

    def test_a_failure_that_stays_is_one(self) -> None:
        def lost(t: Context) -> None:
            raise QemuGone("QEMU is gone")

        status, said = self.run_tests(lost)
        self.assertEqual(said.count("QemuGone: QEMU is gone) "), runner.TRIES)
        self.assertIn("1 passed, 1 failed, 0 skipped", said)
        self.assertEqual(status, 1)

    def test_more_than_two_fail_the_run(self) -> None:
        def lost(name: str) -> Callable[[Context], None]:
            def function(t: Context) -> None:
                if self.once(name):
                    raise QemuGone("QEMU is gone")

            function.__name__ = name
            return function

        status, said = self.run_tests(*map(lost, "ab"))
        self.assertIn("3 passed, 0 failed, 0 skipped", said)
        self.assertEqual(status, 0)
        status, said = self.run_tests(*map(lost, "cde"))
        self.assertIn("FAIL 3 were tried again; more than 2 in a run are a failure\n", said)
        self.assertIn("4 passed, 1 failed, 0 skipped", said)
        self.assertEqual(status, 1)

    def test_repeat(self) -> None:
        def at_times(t: Context) -> None:
            assert not self.once("at times")

        status, said = self.run_tests(at_times, options=["--repeat", "3"])
        self.assertIn("\nat_times [bookworm-cloud]: failed 1 of 3\n", said)
        self.assertEqual(status, 1)

    def test_run_without_a_turn_is_refused(self) -> None:
        for option in ("--repeat", "-j"):
            with self.assertRaises(SystemExit), redirect_stderr(io.StringIO()) as said:
                self.run_tests(options=[option, "0"])
            self.assertIn("--repeat and -j are at least 1", said.getvalue())

    def test_builds_have_lanes_and_tests_wait_for_their_own(self) -> None:
        """Tests of one kernel run while another is compiled, one at a time, behind what else there is to do."""
        names = ("bookworm-cloud", "trixie-cloud", "kasan", "kcsan")
        test = Test("test", print, names)
        jobs = runner.jobs_of([(test, get_kernel(name)) for name in names], "run", 1, self.folder)
        builds = {kernel.name: job for job, kernel in jobs.items() if not job.after}
        self.assertEqual([builds[name].lane for name in names], [*["distribution"] * 2, *["compile"] * 2])
        self.assertEqual([builds[name].nice > 0 for name in names], [False, False, True, True])
        self.assertEqual({job.cpus for job in builds.values()}, {1}, "a build leaves room for a test")
        for job, kernel in jobs.items():
            if job.after:
                self.assertIs(job.after, builds[kernel.name])

    def test_slowest(self) -> None:
        def slow(t: Context) -> None:
            time.sleep(0.3)

        _, said = self.run_tests(slow)
        self.assertRegex(said, r"the 10 slowest.*\n +0\.[3-9] +0\.\d +slow \[bookworm-cloud\]\n")

    def test_a_size_has_its_count_and_its_limit(self) -> None:
        def counts(t: Context) -> None:
            raise Skip(f"{t.size} {t.count(3, full=50)} {t.count(3, quick=2)} {t.count(3)}")

        for options, numbers in (((), "run 3 3 3"), (("--full",), "full 50 3 3")):
            self.assertIn(f"({numbers})", self.run_tests(counts, options=options)[1])
        test = Test("counts", counts, quick=True, timeout=3, full_timeout=4)
        limits: dict[Size, float] = {"quick": 3, "run": 3, "full": 4}
        self.assertEqual({size: test.limit(size) for size in limits}, limits)
        with unittest.mock.patch("vmlib.runner.TESTS", [test]), redirect_stdout(io.StringIO()) as said:
            runner.main(["--quick"])
        self.assertIn("(quick 3 2 3)", said.getvalue())


class ReportTest(unittest.TestCase):
    def said(self, *checks: tuple[str, Check]) -> tuple[int, list[str]]:
        output = io.StringIO()
        with redirect_stdout(output):
            status = report(checks)
        return status, output.getvalue().splitlines()

    def test_failed_check_is_counted_and_explained(self) -> None:
        def fails() -> None:
            raise ToolError("the reason\nin two lines")

        several = [Verdict("first"), Verdict("second", "is wrong")]
        status, lines = self.said(("good", lambda: None), ("bad", fails), ("several", lambda: several))
        reasons = ["FAIL bad", "    | the reason", "    | in two lines"]
        self.assertEqual(lines, ["ok   good", *reasons, "ok   first", "FAIL second", "    | is wrong", "2 passed, 2 failed, 0 skipped"])
        self.assertEqual(status, 1)

    def test_run_without_a_check_fails(self) -> None:
        self.assertEqual(self.said(), (1, ["0 passed, 0 failed, 0 skipped"]))
        self.assertEqual(self.said(("good", lambda: None))[0], 0)


# Conditions that a test needs, and no bugs.
CONDITIONS = {"fail-allocations", "memory-encrypted", "read-slowly", "second-node-fails"}


class MutantsTest(unittest.TestCase):
    def test_the_document_counts_them(self) -> None:
        names = {patch.stem for patch in repo.MUTANTS.glob("*.patch")}
        examples = {name for name in names if name.startswith("example-")}
        self.assertLess(CONDITIONS, names)
        bugs, of_examples = len(names - examples - CONDITIONS), len(examples)
        row = f"| bugs planted in the module and the runtime | {bugs} of {bugs} caught; in examples: {of_examples} of {of_examples} |"
        self.assertTrue(row in (repo.TOP / "docs" / "testing.md").read_text("utf-8"), row)

    def test_they_apply(self) -> None:
        for patch in repo.MUTANTS.glob("*.patch"):
            with self.subTest(patch.name):
                mutants.apply(patch, repo.TOP, "--dry-run")


class KernelsTest(Folder):
    def test_unknown(self) -> None:
        with self.assertRaisesRegex(ToolError, "no kernel nemo in kernels.list; there are .*bookworm-cloud"):
            get_kernel("nemo")

    def test_words(self) -> None:
        with self.assertRaisesRegex(ToolError, "'some' is none of all, core"):
            Kernel("nemo", "sid", "image", "headers", "some")

    def test_an_option_that_was_not_taken(self) -> None:
        (self.folder / "Kconfig").write_text("config KNOWN\n\nmenuconfig MENU\n", "ascii")
        (self.folder / ".config").write_text("CONFIG_MENU=y\n# CONFIG_KNOWN is not set\n", "ascii")
        built.check_config(self.folder, "# text\nCONFIG_MENU=y\nCONFIG_FROM_ANOTHER_AGE=y\n")
        with self.assertRaisesRegex(ToolError, "did not take: CONFIG_KNOWN=y$"):
            built.check_config(self.folder, "CONFIG_MENU=y\nCONFIG_KNOWN=y\n")
        built.check_config(self.folder, "CONFIG_KNOWN=y\n# CONFIG_KNOWN is not set\n")
        with self.assertRaisesRegex(ToolError, "did not take: # CONFIG_MENU is not set$"):
            built.check_config(self.folder, "CONFIG_MENU=y\n# CONFIG_MENU is not set\n")

    def test_dropped_suite(self) -> None:
        """That the archive has no such suite is something else than that the archive does not answer."""
        archive = self.folder / "archive"
        gone = Kernel("nemo", "nemo", "image", "headers", "core", "works-if-there")
        with (
            unittest.mock.patch.dict(os.environ, SYSGENID_CACHE=str(self.folder / "cache")),
            unittest.mock.patch("vmlib.apt.mirrors", return_value={"Debian": f"copy:{archive}/"}),
            unittest.mock.patch("vmlib.kernels.all_kernels", return_value=(gone,)),
        ):
            self.assertFalse(Apt("nemo").is_gone())
            stable = archive / "dists" / "stable" / "InRelease"
            stable.parent.mkdir(parents=True)
            stable.touch()
            self.assertTrue(Apt("nemo").is_gone())
            self.assertFalse(Apt("stable").is_gone())
            with self.assertRaisesRegex(Unavailable, "the archive has no suite nemo any more"):
                kernels.image(gone)


class LayersTest(OwnCache):
    def setUp(self) -> None:
        super().setUp()
        content = self.folder / "base" / "changes"
        for name in ("bin", "dev", "mnt", "proc", "run", "sys", "tmp", "etc/gone", "etc/made-anew"):
            (content / name).mkdir(parents=True)
        for name in ("kept", "changed", "mode", "gone/file", "made-anew/file"):
            (content / "etc" / name).write_text("stock", "ascii")
        shutil.copy2("/bin/busybox", content / "bin")
        for name in ("cat", "chmod", "cp", "mkdir", "rm", "sh", "touch"):
            (content / "bin" / name).symlink_to("busybox")
        self.base = Root(get_kernel("bookworm-cloud"), (self.folder / "base",))

    def test_differences(self) -> None:
        script = """
            echo $1 >/etc/changed
            touch /etc/kept
            chmod 600 /etc/mode
            rm -r /etc/gone /etc/made-anew
            mkdir /etc/made-anew
            cp /mnt/shared /etc/added
            echo "said $(cat /mnt/shared)"
        """
        (self.folder / "file").write_text("shared", "ascii")
        root = self.base.changed(script, "word", files={"shared": self.folder / "file"})
        self.assertEqual(root.log, "said shared\n")
        changes = ["added /etc/added", "changed /etc/changed", "changed /etc/mode"]
        removed = ["removed /etc/gone", "removed /etc/made-anew/file"]
        self.assertEqual(sorted(root.differences(self.base)), [*changes, *removed])
        self.assertIsNone(root.find("etc/made-anew/file"))
        self.assertIsNotNone(root.find("etc/made-anew"))
        script = """
            rm /etc/added
            mkdir /etc/gone
            for name in changed gone/file made-anew/file; do printf stock >/etc/$name; done
            chmod 644 /etc/mode
        """
        undone = root.changed(script)
        self.assertEqual(undone.differences(self.base), [])

    def test_failure(self) -> None:
        with self.assertRaisesRegex(ToolError, "(?s)exit status 3.*the reason"):
            self.base.changed("echo the reason; exit 3")


class SelectTest(unittest.TestCase):
    """Which tests run where."""

    def chosen(self, *options: str, on: str = "sid-cloud") -> set[str]:
        """The tests of a kernel whose row says "core"."""
        tests = [
            Test(name, print, None, name == "quick", name == "core", name == "long", 1, 1, None)
            for name in ("quick", "core", "plain", "long")
        ]
        with unittest.mock.patch("vmlib.runner.TESTS", tests):
            found = runner.select(runner.arguments(options))
        return {test.name for test, kernel in found if kernel.name == on}

    def test_tiers(self) -> None:
        self.assertEqual(get_kernel("sid-cloud").tests, "core")
        self.assertEqual(self.chosen(), {"core"})
        self.assertEqual(self.chosen("-k", "sid"), {"core"})
        self.assertEqual(self.chosen("--quick"), set())
        self.assertEqual(self.chosen("--kernel", "sid-cloud"), {"quick", "core", "plain"})
        self.assertEqual(self.chosen("--kernel", "sid-cloud", "--quick"), {"quick"})
        self.assertEqual(self.chosen("--full"), {"quick", "core", "plain", "long"})
        self.assertEqual(self.chosen("--full", on="bookworm-cloud-arm64"), {"core"})

    def test_other_kernels_in_full(self) -> None:
        for full_kernels, expected in ((("kasan", "sid-cloud"), ["kasan", "sid-cloud"]), (None, [k.name for k in kernels.all_kernels()])):
            test = Test("test", print, ("kasan",), core=True, full_kernels=full_kernels)
            with unittest.mock.patch("vmlib.runner.TESTS", [test]):
                found = [sorted(k.name for _, k in runner.select(runner.arguments(options))) for options in ([], ["--full"])]
            self.assertEqual(found, [["kasan"], sorted(expected)])


class TableTest(Folder):
    DOCUMENT = "text\n\n| kernel | |\n|---|---|\n| gone-cloud | old | 1 |\n| bookworm-cloud | bookworm | 2 |\n\nmore\n\n| 13 | code |\n"

    def test_rows(self) -> None:
        """Rows of this run are replaced, in the order of kernels.list; a kernel that is not in it goes."""
        path = self.folder / "kernels.md"
        path.write_text(self.DOCUMENT, "utf-8")
        sid = get_kernel("sid-cloud")
        counts = {sid: Counter({"ok": 6, "FAIL": 1, "skip": 2})}
        with unittest.mock.patch("vmlib.table.DOCUMENT", path):
            table.write({sid: ["7.9", "gcc"]}, counts)
        text = path.read_text("utf-8")
        self.assertIn(
            "| bookworm-cloud | bookworm | 2 |\n| sid-cloud | sid | 7.9 | gcc | 6 of 7, 2 skipped |\n\nmore\n", text
        )
        self.assertEqual(table.row_names(text), [("bookworm-cloud", "bookworm"), ("sid-cloud", "sid")])


class ChangedModule(Folder):
    def changed(self, name: str, change: Callable[[list[str]], list[str]]) -> Path:
        """A patch that changes the lines of a file of the module."""
        old = (repo.MODULE / name).read_text("utf-8").splitlines(keepends=True)
        new = change(old)
        self.assertNotEqual(old, new)
        patch = self.folder / "change.patch"
        patch.write_text("".join(difflib.unified_diff(old, new, f"a/module/{name}", f"b/module/{name}")), "utf-8")
        return patch


class MutantTest(ChangedModule):
    def test_patch_must_apply(self) -> None:
        patch = self.folder / "stale.patch"
        patch.write_text("--- a/module/main.c\n+++ b/module/main.c\n@@ -1,1 +1,1 @@\n-no such line\n+x\n", "ascii")
        with self.assertRaisesRegex(ToolError, "stale.patch does not apply"):
            build_module(get_kernel("bookworm-cloud"), patch)

    def test_warning_is_an_error(self) -> None:
        patch = self.changed("compat.h", lambda lines: [*lines, "static int unused;\n"])
        with self.assertRaisesRegex(ToolError, "unused-variable"):
            build_module(get_kernel("bookworm-cloud"), patch)


class FloorTest(ChangedModule):
    """Kernels that cannot be had here: a feature that Kbuild does not look for is one that it did not find."""

    def refused(self, kernel: str, feature: str, why: str) -> None:
        patch = self.changed("Kbuild", lambda lines: [line for line in lines if feature not in line])
        with self.assertRaisesRegex(ToolError, f'#error "{why}'):
            build_module(get_kernel(kernel), patch)

    def test_too_old(self) -> None:
        self.refused("bookworm-cloud", "checkpoint_restore_ns_capable", "this kernel is too old")
        self.refused("bookworm-cloud", "copy_struct_from_user", "this kernel is too old")
        self.refused("bookworm-cloud", "random_prepare_cpu", "this kernel is too old: its RNDRESEEDCRNG")

    def test_other_architecture(self) -> None:
        patch = self.changed("compat.h", lambda lines: [line.replace("CONFIG_X86", "CONFIG_RISCV") for line in lines])
        with self.assertRaisesRegex(ToolError, '#error "sysgenid.ko is for x86 and arm64: '):
            build_module(get_kernel("bookworm-cloud"), patch)


def main() -> int:
    result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromName("__main__"))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
