# SPDX-License-Identifier: MIT
"""QEMU's own control channel."""

from __future__ import annotations

import json
import socket
from typing import Any

from .limits import Deadline

LIMIT = 20.0


class QmpError(Exception):
    """QEMU refused a command, or is gone."""


class QemuGone(QmpError):
    """QEMU has ended."""


class Qmp:
    """A QMP session over a connected socket; one command at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def start(self, limit: float = LIMIT) -> None:
        """Wait for the greeting and enter command mode."""
        deadline = Deadline(limit, "QEMU's QMP greeting")
        while "QMP" not in self._message(deadline):
            pass
        self.execute("qmp_capabilities")

    def execute(self, command: str, arguments: dict[str, Any] | None = None, limit: float = LIMIT) -> Any:
        """Run a command and return its result."""
        return self._execute(command, arguments or {}, [], limit)

    def send_file(self, name: str, descriptor: int) -> None:
        """Give QEMU an open file, to be called by this name."""
        self._execute("getfd", {"fdname": name}, [descriptor], LIMIT)

    def _execute(self, command: str, arguments: dict[str, Any], descriptors: list[int], limit: float) -> Any:
        deadline = Deadline(limit, f"QMP {command}")
        request = json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"
        try:
            self._sock.settimeout(deadline.left())
            socket.send_fds(self._sock, [request], descriptors)
        except OSError as e:
            raise QemuGone(f"{command}: QEMU is gone ({e})") from e
        while True:
            message = self._message(deadline)
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise QmpError(f"{command}: {message['error']['desc']}")
            self.events.append(message)

    def wait_event(self, name: str, limit: float = LIMIT) -> dict[str, Any]:
        """The next event of this name, which may have come already; those before it are dropped."""
        deadline = Deadline(limit, f"QEMU's event {name}")
        while True:
            while self.events:
                event = self.events.pop(0)
                if event["event"] == name:
                    return event
            self.events.append(self._message(deadline))

    def monitor(self, line: str, limit: float = LIMIT) -> str:
        """Run a line of the human monitor."""
        return str(self.execute("human-monitor-command", {"command-line": line}, limit))

    def _message(self, deadline: Deadline) -> dict[str, Any]:
        while b"\n" not in self._rest:
            try:
                data = deadline.receive(self._sock)
            except OSError as e:
                raise QemuGone(f"{deadline.what}: QEMU is gone ({e})") from e
            if not data:
                raise QemuGone(f"{deadline.what}: QEMU is gone")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        self._sock.close()
