# SPDX-License-Identifier: MIT
"""A machine for sysgenid-runtime: namespaces with an empty /run, a page file for the device, and an overseer that is played."""
from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import struct
import sys
import threading
from pathlib import Path

RUN = Path("/run")
PAGE = RUN / "sysgenid/page"
BUSYBOX = "/bin/busybox"
F_OFD_SETLK = 37


class Missing(Exception):
    """What a container takes is not here."""


def enter() -> None:
    """Runs the program anew in namespaces of its own; returns there. With the first process of the pid namespace every
    process of a container ends."""
    if os.environ.get("SYSGENID_OWN_RUN") is None:
        if os.geteuid() != 0 or not shutil.which("runc") or not os.path.exists(BUSYBOX):
            raise Missing("takes root, runc and busybox-static")
        script = 'mount -t tmpfs -o mode=755 tmpfs /run && "$0" "$@"; exit $?'
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]
        os.execvpe("unshare", [*command, sys.executable, *sys.argv], {**os.environ, "SYSGENID_OWN_RUN": "yes"})
    if os.path.exists("/dev/sysgenid"):
        raise Missing("not beside a device")


class Page:
    """Of a publisher that is alive: it holds the lock."""

    def __init__(self):
        PAGE.parent.mkdir(mode=0o755, exist_ok=True)
        self.file = open(PAGE, "wb+", buffering=0)
        os.chmod(PAGE, 0o644)
        self.file.write(struct.pack("=IIII", 0, 0x44494753, 72, 0) + bytes(4080))
        fcntl.fcntl(self.file, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))

    def publish(self, generation):
        os.pwrite(self.file.fileno(), struct.pack("=I", generation), 0)


class Overseer(threading.Thread):
    """Answers each request with what the file "status" has then; no answer without the file."""

    def __init__(self, status: Path):
        super().__init__(daemon=True)
        self.status = status
        self.socket = socket.socket(socket.AF_UNIX)
        self.path = RUN / "sysgenid/overseer.sock"
        self.socket.bind(str(self.path))
        self.socket.listen(16)
        self.asked = 0
        self.ending = "\n"

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rw") as f:
                request = json.loads(f.readline())
                self.asked += 1
                if request == {"request": "status", "scope": "system"} and self.status.exists():
                    f.write(self.status.read_text() + self.ending)
                    f.flush()
