# SPDX-License-Identifier: MIT
"""qemu-guest-agent in a guest, as a hypervisor talks to it: over a virtio-serial port."""

from __future__ import annotations

import json
import secrets
import socket
from typing import Any

from .limits import Deadline
from .qemu import VM

# For boot_system(extra=...): the port, with nobody at this end of it until somebody connects.
PORT = (
    "-device", "virtio-serial-pci", "-chardev", "null,id=qga",
    "-device", "virtserialport,chardev=qga,name=org.qemu.guest_agent.0",
)  # fmt: skip
LIMIT = 120.0


class GuestAgentError(Exception):
    """The agent refused."""


class GuestAgent:
    """A session with the agent of one VM."""

    def __init__(self, vm: VM) -> None:
        self._who = vm.name
        self._sock, theirs = socket.socketpair()
        self._rest = b""
        with theirs:
            vm.qmp.send_file("qga", theirs.fileno())
        backend = {"type": "socket", "data": {"addr": {"type": "fd", "data": {"str": "qga"}}, "server": False}}
        vm.qmp.execute("chardev-change", {"id": "qga", "backend": backend})
        self._sync()

    def execute(self, command: str, limit: float = LIMIT) -> Any:
        """Run a command and return its result."""
        self._send({"execute": command})
        reply = self._receive(Deadline(limit, f"the guest agent of {self._who} to do {command}"))
        if "error" in reply:
            raise GuestAgentError(f"{command}: {reply['error']['desc']}")
        return reply["return"]

    def _sync(self) -> None:
        """What it says to somebody before us is not ours: it is to answer with a number of our own."""
        token = secrets.randbelow(1 << 31)
        # The agent drops what it has read so far at a byte that no JSON has.
        self._sock.sendall(b"\xff")
        self._send({"execute": "guest-sync", "arguments": {"id": token}})
        deadline = Deadline(LIMIT, f"the guest agent of {self._who} to answer")
        while self._receive(deadline).get("return") != token:
            pass

    def _send(self, request: dict[str, Any]) -> None:
        self._sock.sendall(json.dumps(request).encode() + b"\n")

    def _receive(self, deadline: Deadline) -> dict[str, Any]:
        while b"\n" not in self._rest:
            data = deadline.receive(self._sock)
            if not data:
                raise GuestAgentError(f"{deadline.what}: the port is closed")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply
