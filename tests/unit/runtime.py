#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sysgenid-runtime in front of the real runc, in a machine that is played.

The test runs itself in namespaces of its own (containers_played.py); that takes root, runc and busybox.
Between the runtime and runc stands a script that does what a test wants done in the middle.

usage: runtime.py SYSGENID-RUNTIME RUNTIME-POLICY [NAME...]
"""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

from containers_played import BUSYBOX, PAGE, Missing, Overseer, Page, enter

TOOL, POLICY_TOOL = sys.argv[1:3]
TOP = Path(__file__).resolve().parents[2]
RUN = Path("/run")
WORK = RUN / "trial"
SETTINGS = RUN / "runtime.conf"
RECORDS = RUN / "sysgenid/containers"
BUNDLE = WORK / "bundle"
SLOT = RUN / "sysgenid/policy"
KEY = WORK / "policy.pub"
STATUS = WORK / "status"


def status(state="ready", generation=1, **more):
    """Renamed, so that nobody reads half of it."""
    fresh = STATUS.with_suffix(".new")
    fresh.write_text(json.dumps({"ok": True, "scope": "system", "state": state, "generation": generation, **more}))
    fresh.rename(STATUS)


def call(*args, stdin=subprocess.DEVNULL, timeout=60, runtime=TOOL, **more):
    return subprocess.run([runtime, *map(str, args)], stdin=stdin, capture_output=True, text=True, timeout=timeout, **more)


def runc(*args):
    return call(*args, runtime="/usr/sbin/runc")


def run_openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)


def settings(**keys):
    keys = {"runtime": WORK / "runc", **keys}
    SETTINGS.write_text("[runtime]\n" + "".join(f"{k.replace('_', '-')} = {v}\n" for k, v in keys.items()))


def between(before="", after=""):
    """Shell commands around runc; $verb is the command, as a word with blanks around it."""
    script = WORK / "runc"
    fresh = WORK / "between.new"
    end = f'/usr/sbin/runc "$@"\nr=$?\n{after}\nexit $r' if after else 'exec /usr/sbin/runc "$@"'
    fresh.write_text(f'#!/bin/sh\nverb=" $* "\n{before}\n{end}\n')
    fresh.chmod(0o755)
    fresh.rename(script)


# Of a shell script: the machine resumes as a clone, and the overseer has not noticed.
RESUME = r"printf '\2\0\0\0' | dd of=/run/sysgenid/page conv=notrunc status=none"


def bundle(path=BUNDLE, args=("/bin/sleep", "1000"), terminal=False):
    (path / "rootfs/bin").mkdir(parents=True, exist_ok=True)
    for name in ("dev", "proc", "sys"):
        (path / "rootfs" / name).mkdir(exist_ok=True)
    for name in ("busybox", "sh", "sleep", "cat", "true", "false", "touch"):
        if not (path / "rootfs/bin" / name).exists():
            shutil.copy(BUSYBOX, path / "rootfs/bin" / name)
    (path / "config.json").unlink(missing_ok=True)
    subprocess.run(["/usr/sbin/runc", "spec"], cwd=path, check=True)
    spec = json.loads((path / "config.json").read_text())
    spec["process"]["args"] = list(args)
    spec["process"]["terminal"] = terminal
    spec["root"]["readonly"] = False
    write(spec, path)


def spec(path=BUNDLE):
    return json.loads((path / "config.json").read_text())


def write(what, path=BUNDLE):
    (path / "config.json").write_text(json.dumps(what))


def record(name):
    found = list(RECORDS.glob(f"*/{name}"))
    return json.loads((found[0] / "record").read_text()) if found else None


def left_over():
    """Of records, in whatever stage."""
    return [str(p) for p in RECORDS.glob("*/*")] + [str(p) for p in RECORDS.glob("*/.*")]


class Case(unittest.TestCase):
    def setUp(self):
        PAGE_FILE.publish(1)
        status()
        settings(wait=5)
        between()
        bundle()

    def tearDown(self):
        between()
        for line in runc("list", "-q").stdout.split():
            runc("delete", "--force", line)
        shutil.rmtree(RECORDS, ignore_errors=True)

    def good(self, *args, **more):
        r = call(*args, **more)
        self.assertEqual(r.returncode, 0, r)
        return r

    def refused(self, kind, *args, text="", **more):
        r = call(*args, **more)
        last = r.stderr.splitlines()[-1] if r.stderr else ""
        self.assertEqual(r.returncode, 1, r)
        self.assertTrue(last.startswith(f"sysgenid-runtime: {kind}: "), r)
        self.assertIn(text, last)
        self.assertLess(len(last), 3072)
        return last

    def create(self, name="a", **more):
        # What the container has for stdout must not be our pipe: nobody would see its end.
        with open(WORK / "stderr", "w") as stderr:
            r = subprocess.run([TOOL, "create", "--bundle", str(BUNDLE), name], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=stderr, timeout=60, check=False, **more)
        return r.returncode, (WORK / "stderr").read_text()

    def runs(self, command):
        """runc start returns before its own process has become the container's."""
        for _ in range(100):
            shown = self.good("ps", "a").stdout
            if command in shown:
                return
            time.sleep(0.05)
        self.fail(shown)

    def created(self, name="a"):
        self.assertEqual(self.create(name), (0, ""))

    def started(self, name="a"):
        self.created(name)
        self.good("start", name)

    def runc_status(self, name="a"):
        r = runc("state", name)
        return json.loads(r.stdout)["status"] if r.returncode == 0 else None


class Life(Case):
    def test_container_lives_and_nothing_is_left(self):
        self.created()
        state = json.loads(self.good("state", "a").stdout)
        self.assertEqual((state["status"], state["bundle"]), ("created", str(BUNDLE)))
        self.assertEqual(record("a")["progress"], "created")
        lines = Path(f"/proc/{state['pid']}/cgroup").read_text().splitlines()
        self.assertIn(record("a")["cgroup"], lines)
        self.assertNotIn(record("a")["cgroup"], Path("/proc/self/cgroup").read_text().splitlines())
        self.assertRegex(record("a")["cgroup"], r"^\d+:(|([a-z,]+,)?freezer(,[a-z,]+)?):/.*\ba\b")
        self.good("start", "a")
        self.assertIn(record("a")["cgroup"], lines)
        self.assertEqual(self.good("exec", "a", "/bin/busybox", "echo", "--all", "x").stdout, "--all x\n")
        self.runs("sleep")
        self.good("pause", "a")
        self.good("resume", "a")
        self.good("kill", "a", "KILL")
        for _ in range(100):
            if self.runc_status() == "stopped":
                break
            time.sleep(0.05)
        self.good("delete", "a")
        self.assertEqual(left_over(), [])

    def test_options_after_the_id_are_read(self):
        self.created()
        self.good("start", "a")
        self.good("delete", "a", "--force")
        self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_run_gives_the_status_of_the_program(self):
        bundle(args=("/bin/sh", "-c", "echo out; exit 7"))
        r = call("run", "--bundle", BUNDLE, "a")
        self.assertEqual((r.returncode, r.stdout), (7, "out\n"), r)
        self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_exec_gives_the_status_of_the_program(self):
        self.started()
        self.assertEqual(call("exec", "a", "/bin/sh", "-c", "exit 5").returncode, 5)

    def test_signal_reaches_the_program_of_run(self):
        bundle(args=("/bin/sh", "-c", "trap 'echo told; exit 3' TERM; echo up; while :; do sleep 0.1; done"))
        with subprocess.Popen([TOOL, "run", "--bundle", BUNDLE, "a"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True) as p:
            self.assertEqual(p.stdout.readline(), "up\n")
            p.send_signal(signal.SIGTERM)
            try:
                said = p.communicate(timeout=20)[0]
            finally:
                p.kill()
            self.assertEqual((said, p.returncode), ("told\n", 3))
        self.assertEqual(left_over(), [])

    def test_our_copy_is_used_when_the_engine_changes_its_own(self):
        between(before=f'case $verb in *" create "*) sed -i s,1000,2000, {BUNDLE}/config.json;; esac')
        self.started()
        self.runs("sleep 1000")
        self.assertIn("2000", (BUNDLE / "config.json").read_text())

    def test_relative_paths_mean_the_bundle(self):
        changed = spec()
        changed["mounts"].append({"destination": "/etc", "type": "bind", "source": "etc", "options": ["rbind"]})
        (BUNDLE / "etc").mkdir(exist_ok=True)
        (BUNDLE / "etc/mark").write_text("mark\n")
        write(changed)
        self.started()
        self.assertEqual(self.good("exec", "a", "/bin/cat", "/etc/mark").stdout, "mark\n")

    def test_node_that_is_mounted_alone_cannot_be_opened(self):
        """Allowed, the open finds no such device: the device cgroup is what refuses the mount alone."""
        node = WORK / "node"
        node.unlink(missing_ok=True)
        os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(10, 251))
        for allowed, expected in ((False, "Operation not permitted"), (True, "No such device")):
            with self.subTest(allowed):
                changed = spec()
                changed["mounts"].append({"destination": "/dev/node", "type": "bind", "source": str(node), "options": ["bind"]})
                changed["linux"]["resources"]["devices"] = [{"allow": False, "access": "rwm"}]
                if allowed:
                    changed["linux"]["resources"]["devices"].append({"allow": True, "type": "c", "major": 10, "minor": 251, "access": "rw"})
                write(changed)
                self.started()
                self.assertIn(f"'/dev/node': {expected}", call("exec", "a", "/bin/cat", "/dev/node").stderr)
                self.good("delete", "--force", "a")
                bundle()

    def test_process_stays_below_four_mib(self):
        """As the kernel counts its largest resident set, when runc is called and when runc has ended."""
        if any(mark in Path(TOOL).read_bytes() for mark in (b"__asan_init", b"__tsan_init")):
            self.skipTest("a sanitizer has memory of its own")
        peaks = WORK / "peaks"
        peaks.unlink(missing_ok=True)
        look = f"sed -n 's/^VmHWM:[[:space:]]*//p' /proc/$PPID/status >>{peaks}"
        between(before=look, after=look)
        self.started()
        self.good("exec", "--detach", "a", "/bin/true")
        self.good("state", "a")
        self.good("delete", "--force", "a")
        found = [line.split() for line in peaks.read_text().splitlines()]
        self.assertGreaterEqual(len(found), 10)
        for size, unit in found:
            self.assertEqual(unit, "kB")
            self.assertLess(int(size), 4096)

    def test_list_features_and_version_need_no_overseer(self):
        STATUS.unlink()
        for args in (["list"], ["features"], ["--version"], ["state", "a"]):
            r = call(*args)
            self.assertEqual((r.returncode == 0), args != ["state", "a"], r)


class Ready(Case):
    def test_exec_is_refused_at_once_while_adjusting(self):
        self.started()
        status("adjusting")
        start = time.monotonic()
        self.refused("not-ready", "exec", "a", "/bin/true", text="adjusting")
        self.assertLess(time.monotonic() - start, 2)

    def test_everything_that_serves_is_refused_while_held(self):
        self.started()
        status("held", about="hook 20-x failed")
        settings(wait=0)
        for args in (["exec", "a", "/bin/true"], ["pause", "a"], ["resume", "a"], ["update", "--pids-limit", "9", "a"],
                     ["ps", "a"], ["events", "--stats", "a"], ["checkpoint", "a"], ["kill", "a", "USR1"], ["kill", "--all", "a", "CONT"],
                     ["create", "--bundle", BUNDLE, "b"], ["run", "--bundle", BUNDLE, "b"], ["start", "a"],
                     ["restore", "--bundle", BUNDLE, "b"]):
            with self.subTest(args[0]):
                self.refused("not-ready", *args, text="hook 20-x failed")
        self.assertIsNone(record("b"))

    def test_container_ends_while_held(self):
        for args in (["kill", "a", "KILL"], ["kill", "--all", "a", "9"], ["delete", "--force", "a"]):
            with self.subTest(args):
                status()
                self.started()
                status("held")
                self.good(*args)
                call("delete", "--force", "a")
                self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_overseer_that_has_not_noticed_is_not_enough(self):
        self.started()
        PAGE_FILE.publish(2)
        self.refused("not-ready", "exec", "a", "/bin/true", text="generation 1")

    def test_create_waits_until_ready(self):
        status("adjusting")
        threading.Timer(1, status).start()
        start = time.monotonic()
        self.created()
        self.assertGreater(time.monotonic() - start, 0.9)

    def test_wait_has_an_end(self):
        status("adjusting")
        settings(wait=1)
        start = time.monotonic()
        self.refused("not-ready", "create", "--bundle", BUNDLE, "a")
        self.assertLess(0.9, time.monotonic() - start)
        self.assertLess(time.monotonic() - start, 5)

    def test_no_answer_and_bad_answers_are_not_ready(self):
        self.started()
        for text in ("", "{", "[]", '{"state":"ready"}', '{"state":"ready","generation":1.0}', '{"state":"ready","generation":-1}',
                     '{"state":"ready","generation":4294967297}', '{"state":"held","state":"ready","generation":1}', "x" * 9000):
            with self.subTest(text[:60]):
                STATUS.write_text(text)
                self.refused("not-ready", "exec", "a", "/bin/true")
        STATUS.unlink()
        self.refused("not-ready", "exec", "a", "/bin/true")

    def test_answer_of_any_length_is_read_whole(self):
        self.started()
        status(about="a" * 200000)
        self.good("exec", "a", "/bin/true")
        status("held", about="b" * 200000)
        self.refused("not-ready", "exec", "a", "/bin/true", text="held")

    def test_answer_without_its_end_is_no_answer(self):
        self.started()
        OVERSEER.ending = ""
        try:
            self.refused("not-ready", "exec", "a", "/bin/true", text="Connection reset")
        finally:
            OVERSEER.ending = "\n"
        self.good("exec", "a", "/bin/true")

    def test_gate_ignore_asks_the_device_alone(self):
        settings(gate="ignore", wait=0)
        STATUS.unlink()
        self.started()
        asked = OVERSEER.asked
        self.good("exec", "a", "/bin/true")
        self.assertEqual(OVERSEER.asked, asked)
        os.rename(PAGE, PAGE.with_suffix(".away"))
        try:
            self.refused("not-ready", "exec", "a", "/bin/true", text="cannot be read")
        finally:
            os.rename(PAGE.with_suffix(".away"), PAGE)


class Clone(Case):
    def clone(self):
        PAGE_FILE.publish(2)
        status(generation=2)

    def test_created_before_is_not_started_after(self):
        self.created()
        self.clone()
        self.refused("stale", "start", "a", text="generation 1")
        self.assertEqual(self.runc_status(), "created")
        self.good("delete", "--force", "a")
        self.assertEqual(left_over(), [])

    def test_created_before_is_started_in_the_same_generation(self):
        self.started()

    def test_started_before_goes_on(self):
        self.started()
        self.clone()
        self.good("exec", "a", "/bin/true")

    def test_resume_in_create_undoes_it(self):
        for when in ("before", "after"):
            with self.subTest(when):
                PAGE_FILE.publish(1)
                between(**{when: f'case $verb in *" create "*) {RESUME};; esac'})
                code, stderr = self.create()
                self.assertEqual(code, 1, stderr)
                self.assertIn("not-ready: create undone", stderr)
                self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_whole_resume_in_create_undoes_it(self):
        """The machine is ready again when it is asked."""
        line = json.dumps({"ok": True, "state": "ready", "generation": 2})
        between(after=f"case $verb in *\" create \"*) {RESUME}; echo '{line}' >{STATUS};; esac")
        code, stderr = self.create()
        self.assertEqual(code, 1, stderr)
        self.assertIn("generation 1 became 2", stderr)
        self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_resume_in_start_undoes_it(self):
        self.created()
        between(after=f'case $verb in *" start "*) {RESUME};; esac')
        self.refused("not-ready", "start", "a", text="start undone")
        for _ in range(100):
            if self.runc_status() == "stopped":
                break
            time.sleep(0.05)
        self.assertEqual(self.runc_status(), "stopped")

    def test_resume_in_exec_undoes_it(self):
        self.started()
        between(after=f'case $verb in *" exec "*) {RESUME};; esac')
        for number, options in enumerate((["--detach"], ["--detach", "--pid-file", WORK / "pid"])):
            with self.subTest(options):
                PAGE_FILE.publish(1)
                with open(WORK / "stderr", "w") as stderr:
                    r = subprocess.run([TOOL, "exec", *map(str, options), "a", "/bin/sleep", f"77{number}"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=stderr, timeout=60, check=False)
                self.assertEqual(r.returncode, 1)
                self.assertIn("exec undone", (WORK / "stderr").read_text())
                self.assertNotIn(f"sleep 77{number}", call("axo", "args", runtime="ps").stdout)

    def test_resume_undoes_what_is_attached(self):
        self.started()
        between(before=f'case $verb in *" exec "*|*" run "*) {RESUME};; esac')
        start = time.monotonic()
        self.refused("not-ready", "exec", "a", "/bin/sleep", "30", text="exec undone")
        PAGE_FILE.publish(1)
        self.refused("not-ready", "run", "--bundle", BUNDLE, "b", text="run undone")
        self.assertLess(time.monotonic() - start, 15)
        self.assertIsNone(self.runc_status("b"))
        self.assertIsNone(record("b"))

    def test_create_that_fails_leaves_nothing(self):
        changed = spec()
        changed["process"]["args"] = []
        write(changed)
        code, stderr = self.create()
        self.assertNotEqual(code, 0)
        self.assertNotIn("sysgenid-runtime", stderr)
        self.assertEqual((self.runc_status(), left_over()), (None, []))


class Killed(Case):
    def killed(self, *args, when):
        """SIGKILL for the runtime while the script waits before or after runc."""
        mark = WORK / "mark"
        mark.unlink(missing_ok=True)
        between(**{when: f'case $verb in *" {args[0]} "*) touch {mark}; sleep 30;; esac'})
        with subprocess.Popen([TOOL, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as p:
            for _ in range(400):
                if mark.exists():
                    break
                time.sleep(0.05)
            self.assertTrue(mark.exists())
            p.kill()
        between()

    def test_create_that_was_killed_is_done_again(self):
        for when in ("before", "after"):
            with self.subTest(when):
                self.killed("create", "--bundle", BUNDLE, "a", when=when)
                self.assertEqual(record("a")["progress"], "creating")
                self.refused("bad-state", "start", "a")
                self.refused("bad-state", "exec", "a", "/bin/true")
                self.refused("not-found", "state", "a")
                self.created()
                self.good("start", "a")
                self.good("delete", "--force", "a")
                self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_create_that_was_killed_is_deleted(self):
        for when in ("before", "after"):
            with self.subTest(when):
                self.killed("create", "--bundle", BUNDLE, "a", when=when)
                call("delete", "--force", "a")
                self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_start_and_delete_that_were_killed_can_be_ended(self):
        for verb in ("start", "delete"):
            for when in ("before", "after"):
                with self.subTest(f"{verb} {when}"):
                    self.created()
                    self.killed(verb, *(["--force"] if verb == "delete" else []), "a", when=when)
                    call("delete", "--force", "a")
                    self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_exec_and_run_that_were_killed_leave_a_container_that_can_be_ended(self):
        for verb in ("exec", "run"):
            for when in ("before", "after"):
                with self.subTest(f"{verb} {when}"):
                    if verb == "exec":
                        self.started()
                        self.killed("exec", "--detach", "a", "/bin/sleep", "30", when=when)
                        self.good("exec", "a", "/bin/true")
                    else:
                        bundle(args=("/bin/true",))
                        self.killed("run", "--bundle", BUNDLE, "a", when=when)
                        bundle()
                    call("delete", "--force", "a")
                    self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_files_of_a_killed_exec_go_with_the_next_one(self):
        self.started()
        (where,) = (path for path in RECORDS.glob("*/a"))
        self.killed("exec", "a", "/bin/true", when="before")
        self.assertEqual(len([*where.glob("exec.*")]) + len([*RUN.glob("sysgenid/exec.*")]), 0)
        self.killed("exec", "a", "/bin/true", when="after")
        (where / f"process.{os.getpid()}").touch()
        with subprocess.Popen(["true"]) as ended:
            pass
        (where / f"process.{ended.pid}").touch()
        self.assertEqual(len([*where.glob("exec.*")]), 1)
        self.good("exec", "a", "/bin/true")
        self.assertEqual([p.name for p in where.glob("*.*[0-9]")], [f"process.{os.getpid()}"])

    def test_directories_of_killed_processes_go_with_the_next_create(self):
        self.started()
        (where,) = (path.parent for path in RECORDS.glob("*/a"))
        with subprocess.Popen(["true"]) as ended:
            pass
        for name in (f".{ended.pid}", f".{os.getpid()}", ".x"):
            (where / name).mkdir()
            (where / name / "record").write_text("{")
        self.created("b")
        self.assertEqual({p.name for p in where.iterdir()}, {"a", "b", f".{os.getpid()}", ".x"})

    def test_create_in_progress_keeps_its_id(self):
        mark = WORK / "mark"
        mark.unlink(missing_ok=True)
        between(before=f'case $verb in *" create "*) touch {mark}; sleep 2;; esac')
        with subprocess.Popen([TOOL, "create", "--bundle", BUNDLE, "a"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as p:
            while not mark.exists():
                time.sleep(0.02)
            self.refused("exists", "create", "--bundle", BUNDLE, "a")
            self.assertEqual(p.wait(30), 0)
        self.good("start", "a")


class Errors(Case):
    def test_duplicate_unknown_and_wrong_state_differ(self):
        self.created()
        self.refused("exists", "create", "--bundle", BUNDLE, "a")
        self.refused("not-found", "start", "b")
        self.refused("bad-state", "exec", "a", "/bin/true")
        self.good("start", "a")
        self.refused("bad-state", "start", "a")

    def test_container_of_others_is_left_alone(self):
        self.assertEqual(subprocess.run(
            ["/usr/sbin/runc", "create", "--bundle", BUNDLE, "a"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False).returncode, 0)
        self.refused("exists", "create", "--bundle", BUNDLE, "a")
        self.assertEqual(self.runc_status(), "created")
        self.refused("not-found", "start", "a")

    def test_one_id_in_two_roots_is_two_containers(self):
        for root in (WORK / "one", WORK / "two"):
            r = subprocess.run([TOOL, "--root", root, "create", "--bundle", BUNDLE, "a"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
            self.assertEqual(r.returncode, 0)
        self.assertEqual(len(list(RECORDS.glob("*/a"))), 2)
        for root in (WORK / "one", WORK / "two"):
            self.good("--root", f"{root}/../{root.name}", "start", "a")
            self.good("--root", root, "delete", "--force", "a")

    def test_command_line_that_is_not_known_is_refused(self):
        for args in (["create", "--bundel", "x", "a"], ["create"], ["create", "a", "b"], ["crate", "a"], [], ["--roots=x", "list"],
                     ["kill", "a", "FOO"], ["kill", "--regex", ".*", "KILL"], ["delete", "-r", ".*"], ["start", "../a"], ["start", ""],
                     ["create", "--bundle"], ["delete", "--force=yes", "a"], ["start", "a/b"], ["start", ".."], ["-bundle", "x", "create", "a"],
                     ["ps", "a", "aux"], ["create", "--force", "a"]):
            with self.subTest(args):
                self.refused("bad-request", *args)

    def test_error_is_in_the_log_as_json(self):
        log = WORK / "log"
        log.unlink(missing_ok=True)
        last = self.refused("not-found", "--log", log, "--log-format=json", "start", "b")
        line = json.loads(log.read_text().splitlines()[-1])
        self.assertEqual((line["level"], line["msg"]), ("error", last))
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_long_and_strange_texts_make_one_short_line(self):
        log = WORK / "log"
        for text in ("x\n" + "\"\\" * 4000, "/" * 9000, "\x01" * 9000, "\u00fc" * 4000):
            for args in (["create", "--" + text], ["create", "--bundle", text, "a"], ["kill", "a", text]):
                log.unlink(missing_ok=True)
                last = self.refused("bad-request", "--log", log, "--log-format", "json", *args)
                self.assertLess(len(log.read_bytes()), 3072)
                self.assertEqual(json.loads(log.read_text())["msg"], last)
                self.assertEqual(log.read_text().count("\n"), 1)

    def test_bad_config_is_refused_and_leaves_nothing(self):
        text = json.dumps(spec())
        deep = "[" * 100 + "]" * 100
        for what, bad in {"truncated": text[:-9], "empty": "", "array": "[]", "behind": text + "x", "twice": text[:-1] + ',"root":{}}',
                          "zero": text + "\0", "escaped zero": text.replace("sleep", "sle\\u0000ep"), "deep": text[:-1] + f',"x":{deep}}}',
                          "large": text + " " * (5 << 20), "no root": "{}", "bytes": text.replace("sleep", "\udcff")}.items():
            with self.subTest(what):
                (BUNDLE / "config.json").write_text(bad, errors="surrogateescape")
                self.refused("bad-request", "create", "--bundle", BUNDLE, "a")
                self.assertEqual((self.runc_status(), left_over()), (None, []))
        (BUNDLE / "config.json").unlink()
        os.mkfifo(BUNDLE / "config.json")
        self.refused("bad-request", "create", "--bundle", BUNDLE, "a", text="regular")

    def test_bad_settings_refuse(self):
        for text in ("[runtime]\npolicy = nnoe\n", "[runtime]\nfoo = 1\n", "[other]\nwait = 1\n", "wait = 1\n", "[runtime]\nwait = -1\n",
                     "[runtime]\nwait = 9999\n", "[runtime]\npolicy = required\npolicy = none\n", "[runtime]\nnonsense\n", "[runtime]\nruntime = bash\n", "[runtime]\nwait = 1" + " " * 4000 + "\n"):
            with self.subTest(text[:40]):
                SETTINGS.write_text(text)
                self.refused("failed", "list", text="runtime.conf, line ")

    def test_runtime_that_is_not_there_is_said(self):
        settings(runtime="/nonexistent", wait=0)
        r = call("create", "--bundle", BUNDLE, "a")
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("/nonexistent: No such file", r.stderr)
        self.assertEqual(left_over(), [])


class Policy(Case):
    @classmethod
    def setUpClass(cls):
        cls.key = WORK / "policy.key"
        run_openssl("genpkey", "-algorithm", "ED25519", "-out", cls.key)
        run_openssl("pkey", "-in", cls.key, "-pubout", "-out", KEY)
        (WORK / "cmdline").write_text("quiet\n")
        PAGE_FILE.publish(1)
        status()
        settings()
        between()
        bundle()
        subprocess.run([TOOL, "create", "--bundle", BUNDLE, "a"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60, check=True)
        cls.draft = json.loads(call("draft", "a", "--root", "/run/runc", runtime=POLICY_TOOL).stdout)
        call("delete", "--force", "a")

    def setUp(self):
        super().setUp()
        settings(wait=2, policy="required")
        shutil.rmtree(SLOT, ignore_errors=True)
        for path in (WORK / "policy.serial",):
            path.unlink(missing_ok=True)
        (WORK / "cmdline").write_text("quiet\n")
        self.policy = json.loads(json.dumps(self.draft))
        self.rule = self.policy["containers"][0]

    def tearDown(self):
        settings()
        super().tearDown()

    def sign(self, text=None, key=None, prefix=b"sysgenid-policy-v1\0"):
        path, signature = WORK / "policy.json", WORK / "policy.sig"
        path.write_text(text if text is not None else json.dumps(self.policy))
        (WORK / "message").write_bytes(prefix + hashlib.sha256(path.read_bytes()).digest())
        run_openssl("pkeyutl", "-sign", "-inkey", key or self.key, "-rawin", "-in", WORK / "message", "-out", signature)
        return path, signature

    def set(self, *args, **more):
        return call("set", *self.sign(**more), *args, runtime=POLICY_TOOL)

    def given(self, **keys):
        self.rule.update({k.replace("_", "-"): v for k, v in keys.items()})
        r = self.set()
        self.assertEqual((r.returncode, r.stderr), (0, ""))

    def not_set(self, kind, r, text=""):
        self.assertEqual(r.returncode, 1, r)
        self.assertTrue(r.stderr.startswith(f"sysgenid-runtime: {kind}: "), r)
        self.assertIn(text, r.stderr)
        self.assertEqual(list(SLOT.glob("*")) + list(SLOT.glob(".*")) if SLOT.exists() else [], [])

    def test_without_a_policy_everything_is_denied(self):
        for args in (["create", "--bundle", BUNDLE, "a"], ["start", "a"], ["exec", "a", "/bin/true"], ["kill", "a", "TERM"], ["ps", "a"],
                     ["delete", "--force", "a"], ["pause", "a"], ["update", "--pids-limit", "9", "a"], ["checkpoint", "a"]):
            with self.subTest(args[0]):
                self.refused("denied", *args, text="no policy has been set")

    def test_what_fits_is_created_and_filtered(self):
        self.given(env=[{"re": "TERM=.*"}], caps=["CAP_KILL"])
        self.started()
        ours = json.loads(next(RECORDS.glob("*/a/config.json")).read_text())
        self.assertEqual(ours["process"]["env"], ["TERM=xterm"])
        self.assertEqual(set(sum(ours["process"]["capabilities"].values(), [])), {"CAP_KILL"})
        self.assertEqual(record("a")["rule"], "a")
        self.good("delete", "--force", "a")

    def test_what_does_not_fit_is_not_created(self):
        self.given()
        bundle(args=("/bin/sh",))
        self.refused("denied", "create", "--bundle", BUNDLE, "a", text="a: process.args")
        bundle()
        self.refused("denied", "create", "--bundle", BUNDLE, "--preserve-fds", "1", "a")
        self.assertEqual((self.runc_status(), left_over()), (None, []))

    def test_hook_runs_as_long_as_it_is_the_program_of_the_policy(self):
        script, seen = WORK / "hook", WORK / "seen"
        script.write_text(f'#!/bin/sh\nread state\necho "$0 $1 $LANG" >>{seen}\n')
        script.chmod(0o755)
        binary = {"path": BUSYBOX, "args": ["touch", str(WORK / "touched")]}
        hooks = {"createRuntime": [{"path": str(script), "args": ["hook", "made"], "env": ["LANG=x"]}, binary],
                 "poststop": [{"path": str(script)}]}
        named = json.loads(json.dumps(hooks))
        for hook in sum(named.values(), []):
            hook["sha256"] = hashlib.sha256(Path(hook["path"]).read_bytes()).hexdigest()
        self.given(hooks=named)
        write({**spec(), "hooks": hooks})
        self.started()
        self.assertRegex(seen.read_text(), r"^\S+ made x\n$")
        self.assertTrue((WORK / "touched").exists())
        # The file has changed since, and is to run at the end.
        script.write_text(script.read_text() + "echo more\n")
        call("delete", "--force", "a")
        self.assertEqual(len(seen.read_text().splitlines()), 1)
        self.refused("denied", "hook", named["poststop"][0]["sha256"], script, "x", text="not the program")
        self.assertNotEqual(self.create()[0], 0)
        self.assertEqual((self.runc_status(), left_over(), len(seen.read_text().splitlines())), (None, [], 1))
        script.write_text(script.read_text().removesuffix("echo more\n"))
        self.started()
        self.good("delete", "--force", "a")
        self.assertEqual(len(seen.read_text().splitlines()), 3)

    def test_draft_has_the_hooks(self):
        settings()
        write({**spec(), "hooks": {"poststart": [{"path": "/bin/true"}]}})
        self.created()
        rule = json.loads(call("draft", "a", "--root", "/run/runc", runtime=POLICY_TOOL).stdout)["containers"][0]
        digest = hashlib.sha256(Path("/bin/true").read_bytes()).hexdigest()
        self.assertEqual(rule["hooks"], {"poststart": [{"path": "/bin/true", "sha256": digest}]})
        self.good("delete", "--force", "a")
        settings(wait=2, policy="required")
        self.given(**rule)
        self.started()

    def test_ending_is_what_the_policy_says(self):
        for shutdown in (False, True):
            shutil.rmtree(SLOT, ignore_errors=True)
            self.given(shutdown=shutdown, signals=["HUP"])
            self.started()
            self.refused("denied", "kill", "a", "USR1")
            self.good("kill", "a", "SIGHUP")
            if not shutdown:
                for args in (["kill", "a"], ["kill", "a", "9"], ["kill", "--all", "a", "HUP"], ["kill", "--all", "a", "KILL"], ["delete", "--force", "a"], ["kill", "a", "INT"]):
                    with self.subTest(args):
                        self.refused("denied", *args)
                        self.assertEqual(self.runc_status(), "running")
                runc("kill", "a", "KILL")
                time.sleep(0.3)
            else:
                self.refused("denied", "kill", "--all", "a", "USR1", text="signals")
                status("held")
                self.refused("not-ready", "kill", "--all", "a", "HUP")
                self.good("kill", "a", "KILL")
                status()
            self.good("delete", "--force", "a")

    def test_what_is_not_named_is_denied_for_a_running_container(self):
        self.policy["query"] = ["ps"]
        self.given()
        self.started()
        self.good("ps", "a")
        for args in (["events", "--stats", "a"], ["pause", "a"], ["resume", "a"], ["update", "--pids-limit", "9", "a"], ["checkpoint", "a"],
                     ["exec", "a", "/bin/true"], ["exec", "--cap", "CAP_KILL", "a", "/bin/true"]):
            with self.subTest(args):
                self.refused("denied", *args)
        self.good("state", "a")

    def test_what_is_named_is_done_to_a_running_container(self):
        self.policy["query"] = ["ps", "events"]
        self.given(pause=True, update=True, checkpoint=True, restore=True, signals=["USR1"])
        self.started()
        for args in (["ps", "a"], ["pause", "a"], ["resume", "a"], ["update", "--pids-limit", "9", "a"]):
            with self.subTest(args):
                self.good(*args)
        # runc may not be able to: then it says so, and not we.
        for args in (["events", "--stats", "a"], ["checkpoint", "a"], ["kill", "a", "USR1"], ["restore", "--bundle", BUNDLE, "b"]):
            with self.subTest(args):
                self.assertNotIn("sysgenid-runtime", call(*args).stderr)

    def test_restore_is_denied_unless_it_is_named(self):
        self.given()
        self.refused("denied", "restore", "--bundle", BUNDLE, "a", text="restore")
        self.assertEqual(left_over(), [])

    def test_exec_is_that_of_the_list(self):
        process = spec()["process"]
        path = WORK / "process.json"
        self.given(exec=[{**{k: v for k, v in self.rule.items() if k in ("cwd", "user", "no-new-privileges", "caps")}, "stdio": True,
                          "args": ["/bin/busybox", "env"], "env": [{"re": "A=.*"}],
                          "members": self.rule["members"].get("process") or {}}])
        self.started()
        for args, good in ((["/bin/busybox", "env"], True), (["/bin/sh"], False)):
            process.update(args=args, env=["A=1", "B=2"])
            path.write_text(json.dumps(process))
            if good:
                self.assertIn("A=1\n", self.good("exec", "--process", path, "a").stdout)
                self.assertNotIn("B=2", self.good("exec", "--process", path, "a").stdout)
            else:
                self.refused("denied", "exec", "--process", path, "a", text="args")

    def test_exec_that_names_no_capabilities_has_none(self):
        self.given(caps=["CAP_KILL"], exec=[{"args": ["/bin/cat", "/proc/self/status"], "cwd": "/", "user": "0:0", "no-new-privileges": True,
                                             "stdio": True}])
        self.started()
        path = WORK / "process.json"
        path.write_text(json.dumps({"args": ["/bin/cat", "/proc/self/status"], "cwd": "/", "noNewPrivileges": True}))
        said = self.good("exec", "--process", path, "a").stdout
        for which in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
            self.assertIn(f"Cap{which}:\t{0:016x}\n", said)

    def test_member_in_another_spelling_is_refused(self):
        """runc would take the last one of the two: no filter, no namespace, nothing masked."""
        self.given()
        good = spec()
        for where, name, value in ((good["linux"], "Namespaces", []), (good["linux"], "MASKEDPATHS", None), (good["linux"], "\u017feccomp", {}),
                                   (good["process"], "NoNewPrivileges", None), (good, "Mounts", [])):
            with self.subTest(name):
                where[name] = value
                write(good)
                self.refused("bad-request" if name != "\u017feccomp" else "denied", "create", "--bundle", BUNDLE, "a")
                del where[name]
        write(good)
        self.created()

    def test_environment_of_the_engine_stays_outside(self):
        """By LISTEN_FDS runc would hand a descriptor on, by NOTIFY_SOCKET a directory with a socket."""
        seen = WORK / "environment"
        more = {**os.environ, "LISTEN_FDS": "1", "NOTIFY_SOCKET": "/run/notify", "XYZ": "1"}
        for policy in ("none", "required"):
            settings(wait=2, policy=policy)
            between(before=f"env >{seen}")
            if policy == "required":
                self.given()
            self.assertEqual(self.create(env=more)[0], 0)
            names = {line.partition("=")[0] for line in seen.read_text().splitlines()} - {"PWD", "OLDPWD", "SHLVL", "_"}
            if policy == "none":
                self.assertLessEqual({"LISTEN_FDS", "XYZ"}, names)
            else:
                self.assertEqual(names, {"PATH"})
            call("delete", "--force", "a")

    def test_options_that_lead_past_the_policy_are_denied(self):
        self.given(restore=True, checkpoint=True, update=True)
        for options in (["--cgroup-manager", "disabled"], ["--cgroup-manager=disabled"], ["--rootless", "true"], ["--criu", "/bin/false"]):
            for args in (["create", "--bundle", BUNDLE, "a"], ["restore", "--bundle", BUNDLE, "a"], ["checkpoint", "a"],
                         ["update", "--pids-limit", "9", "a"]):
                with self.subTest((options, args)):
                    self.refused("denied", *options, *args)
        for option in ("--lsm-profile", "--lsm-mount-context"):
            self.refused("denied", "restore", "--bundle", BUNDLE, option, "x", "a", text=option)
        self.assertEqual(left_over(), [])

    def test_start_is_denied_once_another_policy_is_set(self):
        """The inherited one allowed the creation, and this generation has got its own."""
        self.policy["inherit"] = True
        self.given()
        PAGE_FILE.publish(2)
        status(generation=2)
        self.created("a")
        self.created("b")
        self.good("start", "a")
        self.policy["serial"] = 2
        self.given()
        self.refused("denied", "start", "b", text="another policy")
        self.assertEqual(self.runc_status("b"), "created")
        # What runs goes on, by the new policy.
        self.good("kill", "a", "KILL")

    def test_denial_does_not_say_whether_there_is_a_container(self):
        self.given(signals=[])
        self.started()
        for name in ("a", "b"):
            self.refused("denied", "kill", name, "USR1")
            self.refused("denied", "pause", name)
        self.refused("not-found", "kill", "b", "TERM")

    def test_config_that_changes_is_matched_as_it_is_used(self):
        """Written to all the time: what runc gets is what the policy allows, or there is an error."""
        self.given()
        between(before="exit 0")
        good = json.dumps(spec())
        bad = good.replace('"1000"', '"2000"')
        self.assertNotEqual(good, bad)
        path, done = BUNDLE / "config.json", threading.Event()

        def rewrite():
            with open(path, "r+b", buffering=0) as file:
                while not done.is_set():
                    for text in (bad, good):
                        for at in range(0, len(text), 512):
                            os.pwrite(file.fileno(), text[at:at + 512].encode(), at)

        writer = threading.Thread(target=rewrite)
        writer.start()
        try:
            results = {0: 0, 1: 0}
            for number in range(40):
                r = call("create", "--bundle", BUNDLE, f"c{number}")
                results[r.returncode] += 1
                if r.returncode == 0:
                    used = json.loads(next(RECORDS.glob(f"*/c{number}/config.json")).read_text())
                    self.assertEqual(used["process"]["args"], ["/bin/sleep", "1000"])
                else:
                    self.assertRegex(r.stderr, "^sysgenid-runtime: (denied|bad-request): ")
        finally:
            done.set()
            writer.join()
        self.assertTrue(all(results.values()), results)

    def test_set_that_is_killed_leaves_nothing_or_the_whole(self):
        path, signature = self.sign()
        text = path.read_bytes()
        start = time.monotonic()
        call("set", path, signature, runtime=POLICY_TOOL)
        whole = time.monotonic() - start
        seen = set()
        for number in range(40):
            shutil.rmtree(SLOT, ignore_errors=True)
            with subprocess.Popen([POLICY_TOOL, "set", path, signature], stderr=subprocess.DEVNULL) as p:
                time.sleep(whole * number / 30)
                p.kill()
            there = list(SLOT.iterdir()) if SLOT.exists() else []
            seen.add(len(there))
            self.assertLessEqual(len(there), 1)
            for one in there:
                self.assertEqual((one.name, one.read_bytes(), one.stat().st_mode & 0o7777), ("1", text, 0o400))
        self.assertEqual(seen, {0, 1})

    def test_stdio_that_is_denied_is_dev_null(self):
        for stdio in (True, False):
            shutil.rmtree(SLOT, ignore_errors=True)
            bundle(args=("/bin/sh", "-c", "echo secret; echo secret >&2"))
            self.given(args=spec()["process"]["args"], stdio=stdio)
            self.assertEqual("secret" in call("run", "--bundle", BUNDLE, "a").stdout, stdio)

    def test_policy_is_set_once_in_a_generation(self):
        self.given()
        r = self.set()
        self.assertEqual(r.returncode, 1)
        self.assertIn("exists: a policy is set already in generation 1", r.stderr)

    def test_of_policies_that_are_set_at_once_one_is(self):
        path, signature = self.sign()
        crowd = [subprocess.Popen([POLICY_TOOL, "set", path, signature], stderr=subprocess.DEVNULL) for _ in range(8)]
        self.assertEqual(sorted(p.wait(60) for p in crowd), [0] + [1] * 7)
        self.assertEqual([p.name for p in SLOT.iterdir()], ["1"])

    def test_policy_ends_with_the_generation_unless_it_is_inherited(self):
        for inherit in (False, True):
            with self.subTest(inherit):
                shutil.rmtree(SLOT, ignore_errors=True)
                PAGE_FILE.publish(1)
                status()
                self.policy["inherit"] = inherit
                self.given()
                PAGE_FILE.publish(2)
                status(generation=2)
                if inherit:
                    self.created()
                    self.good("delete", "--force", "a")
                    self.given()
                    self.assertEqual([p.name for p in SLOT.iterdir()], ["2"])
                else:
                    self.refused("denied", "create", "--bundle", BUNDLE, "a", text="generation 2")

    def test_signature_that_is_not_good_sets_nothing(self):
        other, rsa = WORK / "other.key", WORK / "rsa.pub"
        run_openssl("genpkey", "-algorithm", "ED25519", "-out", other)
        self.not_set("bad-policy", self.set(key=other), "is not a signature")
        self.not_set("bad-policy", self.set(prefix=b"sysgenid-policy-v1"), "is not a signature")
        path, signature = self.sign()
        path.write_text(path.read_text() + " ")
        self.not_set("bad-policy", call("set", path, signature, runtime=POLICY_TOOL))
        path, signature = self.sign()
        good = signature.read_bytes()
        for bad in (good + b"x", good[:-1], b"", bytes([good[0] ^ 1]) + good[1:], good.hex().encode()):
            signature.write_bytes(bad)
            self.not_set("bad-policy", call("set", path, signature, runtime=POLICY_TOOL))
        signature.unlink()
        self.not_set("bad-policy", call("set", path, signature, runtime=POLICY_TOOL))
        saved = KEY.read_bytes()
        try:
            run_openssl("genpkey", "-algorithm", "RSA", "-out", other)
            run_openssl("pkey", "-in", other, "-pubout", "-out", KEY)
            self.not_set("bad-policy", self.set(), "Ed25519")
        finally:
            KEY.write_bytes(saved)

    def test_key_is_that_of_image_and_command_line(self):
        saved = KEY.read_bytes()
        digest = hashlib.sha256(saved).hexdigest()
        parameter = f"sysgenid.policy_key=sha256:{digest}"
        other = parameter[:-1] + ("1" if parameter.endswith("0") else "0")
        (WORK / "cmdline").write_text(f"quiet {other} x\n")
        self.not_set("bad-policy", self.set(), "not the one on the kernel's command line")
        (WORK / "cmdline").write_text(f"{parameter} {parameter}\n")
        self.not_set("bad-policy", self.set(), "two keys")
        try:
            KEY.unlink()
            (WORK / "cmdline").write_text("quiet\n")
            (WORK / "moved.pub").write_bytes(saved)
            self.not_set("bad-policy", self.set("--key", WORK / "moved.pub"), "no key")
            (WORK / "cmdline").write_text(f"{parameter}\n")
            self.not_set("bad-policy", self.set(), "--key")
            r = self.set("--key", WORK / "moved.pub")
            self.assertEqual((r.returncode, r.stderr), (0, ""))
        finally:
            KEY.write_bytes(saved)

    def test_serial_that_is_too_old_is_refused(self):
        (WORK / "policy.serial").write_text("2\n")
        self.not_set("bad-policy", self.set(), "older than this machine takes: 2")
        self.policy["serial"] = 2
        self.assertEqual(self.set().returncode, 0)

    def test_malformed_policy_is_refused(self):
        text = json.dumps(self.policy)
        for what, bad in {"truncated": text[:-1], "large": text + " " * (10 << 20), "deep": text[:-1] + ',"x":' + "[" * 99 + "]" * 99 + "}",
                          "twice": text[:-1] + ',"version":1}', "unknown": text[:-1] + ',"x":1}', "rootfs": text.replace('"stdio"', '"rootfs"')}.items():
            with self.subTest(what):
                self.not_set("bad-policy", self.set(text=bad))
                self.assertEqual(call("check", WORK / "policy.json", runtime=POLICY_TOOL).returncode, 1)
        self.sign()
        self.assertEqual(call("check", WORK / "policy.json", runtime=POLICY_TOOL).returncode, 0)

    def test_example_allows_nginx_of_podman_and_nothing_more(self):
        example = TOP / "containers/examples/nginx-policy.json"
        r = call("check", example, runtime=POLICY_TOOL)
        self.assertEqual((r.returncode, r.stdout), (0, f"{example}: good, serial 1\n"))
        self.policy = json.loads(example.read_text())
        # The filter of podman is long, and differs between releases.
        self.policy["containers"][0]["seccomp"] = "sha256:" + hashlib.sha256(b'{"defaultAction":"SCMP_ACT_ALLOW"}').hexdigest()
        self.rule = self.policy["containers"][0]
        self.given()
        good = json.loads((TOP / "tests/unit/nginx-config.json").read_text())
        between(before="exit 0")
        write(good)
        self.created()
        self.assertEqual(record("a")["rule"], "web")
        env = json.loads(next(RECORDS.glob("*/a/config.json")).read_text())["process"]["env"]
        self.assertEqual([line.partition("=")[0] for line in env], ["PATH", "NGINX_VERSION", "HOME"])
        for what, change in {
            "args": lambda c: c["process"]["args"].append("-t"), "cwd": lambda c: c["process"].update(cwd="/tmp"),
            "user": lambda c: c["process"]["user"].update(uid=1), "noNewPrivileges": lambda c: c["process"].pop("noNewPrivileges"),
            "terminal": lambda c: c["process"].update(terminal=True), "mounts": lambda c: c["mounts"][-2].update(source="/srv"),
            "devices": lambda c: c["linux"].update(devices=[{"path": "/dev/kvm"}]), "namespaces": lambda c: c["linux"]["namespaces"].pop(0),
            "seccomp": lambda c: c["linux"].pop("seccomp"), "sysctl": lambda c: c["linux"]["sysctl"].update({"kernel.domainname": "x"}),
            "maskedPaths": lambda c: c["linux"]["maskedPaths"].pop(), "annotations": lambda c: c["annotations"].update({"run.oci.handler": "krun"}),
            "root": lambda c: c["root"].update(readonly=False), "hooks": lambda c: c.update(hooks={"prestart": [{"path": "/bin/sh"}]}),
            "resources": lambda c: c["linux"]["resources"]["devices"].append({"allow": True}),
        }.items():
            with self.subTest(what):
                bad = json.loads(json.dumps(good))
                change(bad)
                write(bad)
                self.refused("denied", "create", "--bundle", BUNDLE, "b", text=what)

    def test_draft_is_of_one_container_and_allows_that(self):
        settings(wait=2)
        self.created()
        drafted = call("policy", "draft", "a", "--root", "/run/runc")
        self.assertEqual((drafted.returncode, drafted.stderr), (0, ""))
        self.assertEqual(call("policy", "draft", "a").stdout, drafted.stdout)
        self.good("delete", "--force", "a")
        for args in (["a"], ["b", "--root", "/run/runc"]):
            r = call("policy", "draft", *args)
            self.assertEqual((r.returncode, r.stdout), (1, ""))
            self.assertRegex(r.stderr, "^sysgenid-runtime: not-found: ")
        settings(wait=2, policy="required")
        self.policy = json.loads(drafted.stdout)
        self.rule = self.policy["containers"][0]
        self.given()
        self.created()
        changed = spec()
        changed["hostname"] = "other"
        write(changed)
        self.refused("denied", "create", "--bundle", BUNDLE, "b", text="hostname")

    def test_policy_commands_that_are_not_known_are_refused(self):
        for args in ([], ["check"], ["set", "x"], ["show", "x"], ["draft"], ["draft", "a", "--rot", "x"], ["unset"]):
            with self.subTest(args):
                self.refused("bad-request", "policy", *args)

    def test_show_shows_what_is_set(self):
        r = call("show", runtime=POLICY_TOOL)
        self.assertIn("not-found", r.stderr)
        self.given()
        self.assertEqual(json.loads(call("show", runtime=POLICY_TOOL).stdout), self.policy)

    def test_runtime_has_no_libcrypto_and_nobody_libnftables(self):
        runtime = call(TOOL, runtime="ldd").stdout
        verifier = call(POLICY_TOOL, runtime="ldd").stdout
        self.assertIn("libjson-c", runtime)
        self.assertIn("libcrypto", verifier)
        self.assertNotIn("libcrypto", runtime)
        self.assertNotIn("libnftables", runtime + verifier)


try:
    enter()
except Missing as e:
    print(e)
    sys.exit(77)
WORK.mkdir()
PAGE_FILE = Page()
OVERSEER = Overseer(STATUS)
OVERSEER.start()
unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
