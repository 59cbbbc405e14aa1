# SPDX-License-Identifier: MIT
"""The runner's end of the protocol that init.c documents."""

from __future__ import annotations

import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from .limits import Deadline, Timeout

LOGGED = 2000
GREETING = b"<0 ok 0 "


class GuestError(Exception):
    """The guest is gone, or answered something that makes no sense."""


class GuestGone(GuestError):
    """The other end of the control channel is closed: QEMU has ended."""


@dataclass(frozen=True)
class Reply:
    """What init answered."""

    status: str
    code: int
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def encode(word: str | bytes) -> bytes:
    """A word of a request, with %XX for all that would end it."""
    data = word.encode() if isinstance(word, str) else word
    return b"".join(bytes([b]) if 0x20 < b < 0x7F and b != 0x25 else b"%%%02x" % b for b in data)


class Control:
    """The control channel of one VM; one request at a time."""

    def __init__(self, sock: socket.socket, log: Path, who: str) -> None:
        self._sock = sock
        self._log = log.open("wb", buffering=0)
        self._who = who
        self._rest = b""
        self._seq = 0
        self._start = time.monotonic()

    def greeting(self, limit: float) -> None:
        """Wait until PID 1 of a booting VM is there; firmware may have used the port as its console."""
        deadline = Deadline(limit, f"{self._who} to boot to init")
        while GREETING not in self._rest:
            self._receive(deadline)
        self._rest = self._rest[self._rest.index(GREETING) :]
        self._reply(0, deadline)

    def sync(self, limit: float) -> None:
        """Find the place in the stream of a clone, which may be in the middle of anything."""
        token = secrets.token_hex(16).encode()
        deadline = Deadline(limit, f"{self._who} to answer after it was cloned")
        self._seq = secrets.randbelow(1 << 30) << 20
        self._send(b"\n" + self._line([b"sync", token]))
        mark = b"\n" + token + b"\n"
        while mark not in self._rest:
            self._receive(deadline)
        skipped, _, self._rest = self._rest.partition(mark)
        self._write_log(b"<", skipped + mark)

    def request(self, *words: str | bytes, limit: float) -> Reply:
        """Ask and wait for the answer."""
        self.send(*words)
        return self.receive(limit)

    def send(self, *words: str | bytes) -> None:
        """Ask; the answer is for receive(), perhaps that of a clone."""
        self._seq += 1
        self._what = " ".join(w if isinstance(w, str) else repr(w) for w in words)[:200]
        self._send(self._line([encode(w) for w in words]))

    def receive(self, limit: float) -> Reply:
        """The answer to the last send()."""
        return self._reply(self._seq, Deadline(limit, f"{self._who} to answer: {self._what}"))

    def _line(self, words: list[bytes]) -> bytes:
        payload = b" ".join(words)
        return b">%d %d %s\n" % (self._seq, len(payload), payload)

    def _reply(self, seq: int, deadline: Deadline) -> Reply:
        while b"\n" not in self._rest:
            self._receive(deadline)
        head, _, self._rest = self._rest.partition(b"\n")
        fields = head.split()
        if len(fields) != 4 or fields[0] != b"<%d" % seq:
            raise GuestError(f"{self._who}: reply {head!r} to request {seq}")
        length = int(fields[3])
        while len(self._rest) < length + 1:
            self._receive(deadline)
        body, self._rest = self._rest[:length], self._rest[length + 1 :]
        self._write_log(b"<", head + b"\n" + body)
        return Reply(fields[1].decode(), int(fields[2]), body)

    def _send(self, data: bytes) -> None:
        self._write_log(b">", data)
        try:
            self._sock.settimeout(10)
            self._sock.sendall(data)
        except TimeoutError as e:
            raise Timeout(f"waited 10 s for {self._who} to take a request") from e
        except OSError as e:
            raise GuestGone(f"{self._who}: the VM is gone ({e})") from e

    def _receive(self, deadline: Deadline) -> None:
        self._sock.settimeout(deadline.left())
        try:
            data = self._sock.recv(1 << 20)
        except TimeoutError as e:
            raise Timeout(f"waited {deadline.limit:g} s for {deadline.what}") from e
        except OSError as e:
            raise GuestGone(f"{self._who}: the VM is gone ({e}), while waiting for {deadline.what}") from e
        if not data:
            raise GuestGone(f"{self._who}: the VM is gone, while waiting for {deadline.what}")
        self._rest += data

    def _write_log(self, mark: bytes, data: bytes) -> None:
        stamp = b"%10.4f %s " % (time.monotonic() - self._start, mark)
        more = b" ...%d bytes" % len(data) if len(data) > LOGGED else b""
        self._log.write(stamp + data[:LOGGED].rstrip(b"\n") + more + b"\n")

    def close(self) -> None:
        if self._rest:
            self._write_log(b"?", self._rest)
            self._rest = b""
        self._sock.close()
        self._log.close()
