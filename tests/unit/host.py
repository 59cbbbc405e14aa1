#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sysgenid-host, with guests that are played: which answer it takes, when it asks again, and how it ends."""

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Callable
from typing import Any

PROGRAM = sys.argv.pop(1)

Request = dict[str, Any]


def line(**members: object) -> bytes:
    return json.dumps(members).encode() + b"\n"


def ready(request: Request) -> bytes:
    return line(version=1, nonce=request.get("nonce"), ok=True, generation=7, state="ready", error=None)


class Guest:
    """A socket, and a function that answers each request; None ends the connection. @before: sent first."""

    def __init__(self, answer: Callable[[Request], bytes | None], before: bytes = b"", port: int = 0) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "socket")
        self.answer, self.before, self.port = answer, before, port
        self.requests: list[Request] = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            connection, _ = self.socket.accept()
            with connection, connection.makefile("rwb") as f:
                self.talk(f)

    def talk(self, f: Any) -> None:
        if self.port:
            hello = f.readline()
            if hello != b"CONNECT %d\n" % self.port:
                return
            f.write(b"OK 1073741824\n")
        f.write(self.before)
        f.flush()
        for text in f:
            if not text.strip():
                continue
            self.requests.append(json.loads(text))
            reply = self.answer(self.requests[-1])
            if reply is None:
                return
            f.write(reply)
            f.flush()


def run(*args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=30, check=False)


class Host(unittest.TestCase):
    def test_every_member_of_a_request_is_sent(self) -> None:
        guest = Guest(ready)
        done = run("restore", guest.path, "--entropy", "--time", "--hostname", "c\"1", "--machine-id", "0" * 31 + "1",
                   "--interface", "eth0,mac=02:00:00:00:00:01,address=192.0.2.7/24,address=2001:db8::7/64,"
                   "route=default@192.0.2.1,route=198.51.100.0/24", "--interface", "eth1",
                   "--environment", "ROLE=a=b\\", "--environment", "EMPTY=")
        self.assertEqual((done.returncode, done.stdout), (0, "ready at generation 7\n"), done.stderr)
        request = guest.requests[0]
        self.assertEqual(len(base64.b64decode(request.pop("nonce"))), 32)
        self.assertEqual(len(base64.b64decode(request.pop("entropy"))), 64)
        self.assertGreater(request.pop("realtime_ns"), 1_700_000_000_000_000_000)
        self.assertEqual(request, {
            "version": 1, "request": "restore", "scope": "system", "hostname": "c\"1", "machine_id": "0" * 31 + "1",
            "interfaces": [
                {"name": "eth0", "mac": "02:00:00:00:00:01", "addresses": ["192.0.2.7/24", "2001:db8::7/64"],
                 "routes": [{"to": "default", "via": "192.0.2.1"}, {"to": "198.51.100.0/24"}]},
                {"name": "eth1"}],
            "environment": {"ROLE": "a=b\\", "EMPTY": ""}})

    def test_two_restores_have_no_nonce_in_common(self) -> None:
        guest = Guest(ready)
        self.assertEqual([run("restore", guest.path).returncode for _ in range(2)], [0, 0])
        self.assertNotEqual(guest.requests[0]["nonce"], guest.requests[1]["nonce"])

    def test_port_of_a_hybrid_socket_is_asked_for(self) -> None:
        guest = Guest(ready, port=1030)
        self.assertEqual(run("restore", guest.path, "--port", "1030").returncode, 0)
        self.assertEqual(run("restore", guest.path, "--port", "1031", "--timeout", "1").returncode, 1)

    def test_stale_answer_of_a_serial_port_is_passed_over(self) -> None:
        stale = b'state":"ready"}\n' + line(ok=False, error="bad-request", message="not a JSON object: x") + \
            line(ok=True, nonce="AAAAAAAAAAAAAAAAAAAAAA==", state="ready", generation=3)
        guest = Guest(ready, before=stale)
        done = run("restore", guest.path, "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["generation"]), (0, 7))

    def test_lost_answer_is_asked_for_with_the_same_nonce_and_entropy(self) -> None:
        answers = [None, line(ok=False, error="busy", retry=True, message="busy"), None]
        guest = Guest(lambda r: answers.pop(0) if answers else ready(r))
        self.assertEqual(run("restore", guest.path, "--entropy").returncode, 0)
        self.assertEqual(len(guest.requests), 4)
        self.assertEqual(len({(r["nonce"], r["entropy"]) for r in guest.requests}), 1)

    def test_exit_status_is_the_state(self) -> None:
        def answer(state: str, **more: object) -> Callable[[Request], bytes]:
            return lambda r: line(ok="error" not in more, nonce=r.get("nonce"), state=state, generation=7, **more)

        for request, reply, status in [
                ("restore", answer("held", error="held", message="hook x failed"), 3),
                ("restore", answer("held", error="entropy-required"), 3),
                ("restore", answer("ready", error="not-restored", message="no restore"), 1),
                ("status", answer("ready"), 0), ("status", answer("held"), 3), ("status", answer("adjusting"), 4),
                ("quiesce", answer("quiesced"), 0), ("quiesce", answer("ready"), 4), ("resume", answer("ready"), 0)]:
            with self.subTest(request=request, status=status):
                guest = Guest(reply)
                self.assertEqual(run(request, guest.path).returncode, status)

    def test_guest_that_does_not_know_the_request_ends_it(self) -> None:
        guest = Guest(lambda _: line(ok=False, error="bad-request", message='there is no "request" "restore", but status'))
        done = run("restore", guest.path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no", done.stderr)

    def test_guest_that_comes_late_is_waited_for(self) -> None:
        done = run("status", "/nonexistent/socket", "--timeout", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("No such file", done.stderr)

    def test_guest_that_says_nothing_ends_at_the_limit(self) -> None:
        guest = Guest(lambda _: b"")
        self.assertEqual(run("restore", guest.path, "--timeout", "1").returncode, 1)

    def test_answer_of_a_megabyte_is_none(self) -> None:
        guest = Guest(ready, before=b"x" * (1 << 20) + b"\n")
        self.assertEqual(run("restore", guest.path).returncode, 0)

    def test_wrong_usage_is_2(self) -> None:
        for args in [[], ["restore"], ["open", "s"], ["status", "s", "--entropy"], ["restore", "s", "--force"],
                     ["restore", "vsock:3"], ["restore", "vsock:3:1030", "--port", "7"], ["restore", "s", "--port", "0"],
                     ["restore", "s", "--interface", "eth0,mtu=9"], ["restore", "s", "--environment", "A"],
                     ["restore", "s", "--nonce", "AAAA"], ["restore", "s", "--timeout", "x"], ["restore", "x" * 200]]:
            with self.subTest(args=args):
                self.assertEqual(run(*args).returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
