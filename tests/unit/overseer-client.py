#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The client behind "sysgenidctl status": with overseers that are older, newer, of many words, or of none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

CLIENT = Path(sys.argv.pop(1)).resolve()
SOCKET = "overseer-client-test.sock"


def answer(**members: object) -> bytes:
    return json.dumps({"ok": True, "state": "ready", "generation": 5, **members}).encode() + b"\n"


class Client(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="overseer-client-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.asked: dict[str, object] = {}

    def ask(self, said: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What the client makes of this answer."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(self.folder, SOCKET))
            listener.listen()
            listener.settimeout(20)

            def serve() -> None:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as lines:
                    self.asked = json.loads(lines.readline())
                    connection.sendall(said)

            server = threading.Thread(target=serve, daemon=True)
            server.start()
            done = subprocess.run(arguments, executable=CLIENT, cwd=self.folder, capture_output=True, text=True, timeout=20, check=False)
            server.join()
        return done

    def test_advice_names_systemd_only_where_it_runs(self) -> None:
        for runs, advice in ((False, "standard error"), (True, "systemctl status")):
            if runs:
                os.mkdir(os.path.join(self.folder, "systemd-runs"))
            done = subprocess.run(["status"], executable=CLIENT, cwd=self.folder, capture_output=True, text=True, timeout=20, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(advice, done.stderr)
            self.assertEqual("systemctl" in done.stderr, runs)
            self.assertEqual("journalctl" in self.ask(b"", "status").stderr, runs)
            os.unlink(os.path.join(self.folder, SOCKET))

    def test_overseer_without_versions_is_understood(self) -> None:
        done = self.ask(answer(laggards=0), "status")
        self.assertEqual((done.returncode, done.stdout), (0, "ready at generation 5\n"))
        # Nothing that such an overseer would refuse.
        self.assertEqual(self.asked, {"request": "status", "scope": "system"})

    def test_all_that_a_status_tells_is_in_its_lines(self) -> None:
        held = {"state": "held", "about": "hook 10-x failed"}
        kept = {"not-reset": "MACsec macsec0"}
        wrong = {"configuration": "overseer.conf, line 3: there is no such key"}
        held_line, wrong_line = "held at generation 5: hook 10-x failed", f"the configuration was not taken: {wrong['configuration']}\n"
        for members, lines in (
            (held, f"{held_line}\n"),
            (kept, "ready at generation 5; not reset: MACsec macsec0\n"),
            (wrong, f"ready at generation 5\n{wrong_line}"),
            (held | kept | wrong, f"{held_line}; not reset: MACsec macsec0\n{wrong_line}"),
        ):
            done = self.ask(answer(**members), "status")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, lines, ""))
            Path(self.folder, SOCKET).unlink()

    def test_what_an_older_overseer_does_not_know_is_its_error(self) -> None:
        error = {"ok": False, "error": "bad-request", "retry": False, "message": 'the request "resume" has no member "force"'}
        done = self.ask(json.dumps(error).encode() + b"\n", "resume", "--force")
        self.assertEqual((done.returncode, done.stderr), (1, f"sysgenidctl: {error['message']}\n"))
        self.assertEqual(self.asked, {"request": "resume", "scope": "system", "force": True})

    def test_members_of_a_newer_overseer_are_passed_over(self) -> None:
        done = self.ask(answer(version=1, features=["status", "restore"], clock={"source": "ptp"}), "status")
        self.assertEqual((done.returncode, done.stdout), (0, "ready at generation 5\n"))

    def test_another_version_is_an_error_that_says_what_to_do(self) -> None:
        done = self.ask(answer(version=2), "status")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, "speaks version 2 .* version 1: restart the overseer")

    def test_answer_of_any_length_is_read(self) -> None:
        about = "x" * 100_000
        done = self.ask(answer(about=about), "status", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["about"], about)

    def test_metrics_are_json_without_asking_for_it(self) -> None:
        done = self.ask(b'{"restores": 7, "ok": true}\n', "metrics")
        self.assertEqual((done.returncode, json.loads(done.stdout)["restores"]), (0, 7))
        self.assertEqual(self.asked, {"request": "metrics", "scope": "system"})

    def test_no_answer_and_no_reason_are_failures(self) -> None:
        self.assertEqual(self.ask(b"", "status").returncode, 1)
        Path(self.folder, SOCKET).unlink()
        done = self.ask(b'{"ok": false}\n', "quiesce")
        self.assertEqual((done.returncode, done.stderr), (1, "sysgenidctl: the overseer gave no reason\n"))

    def test_without_an_overseer_the_unit_is_named(self) -> None:
        done = subprocess.run(["status"], executable=CLIENT, cwd=self.folder, capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the overseer does not run", done.stderr)


if __name__ == "__main__":
    unittest.main()
