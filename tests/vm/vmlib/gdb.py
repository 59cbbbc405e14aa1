# SPDX-License-Identifier: MIT
"""Stops a guest at an instruction, by QEMU's debugger port: a snapshot in the middle of anything, without luck."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from .limits import Deadline
from .qemu import VM, State
from .qmp import QmpError

LIMIT = 30.0


def address(vm: VM, symbol: str) -> int:
    """Where a function of the guest's kernel is, or of one of its modules. The compiler may have made a variant of it."""
    lines = vm.run("grep", f" {symbol}", "/proc/kallsyms").out
    found = re.search(rf"^([0-9a-f]+) \w {symbol}(\.(isra|constprop)\.\d+)*(\s|$)", lines, re.MULTILINE)
    if not found:
        raise QmpError(f"{vm.name}: no {symbol} in the kernel")
    return int(found[1], 16)


class Debugger:
    """A session of gdb's protocol: breakpoints, where a function returns to, and going on, with all processors or one.

    Processors are counted from 1."""

    def __init__(self, vm: VM) -> None:
        self._vm = vm
        path = vm.folder / "gdb"
        vm.qmp.monitor(f"gdbserver unix:{path},server=on,wait=off")
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.connect(str(path))
        self._rest = b""
        self._runs = False
        self._at = -1
        self.processor = 1

    def run_to(self, where: int, limit: float = LIMIT) -> None:
        """Let the guest run until it is about to execute this instruction; if it already is, the next time."""
        if where == self._at:
            self._ask(b"s", b"T05", limit)
        self._ask(b"Z1,%x,1" % where, b"OK", limit)
        stopped = self._ask(b"c", b"T05", limit)
        self._ask(b"z1,%x,1" % where, b"OK", limit)
        self._at = where
        if thread := re.search(rb"thread:(?:p[0-9a-f]+\.)?([0-9a-f]+)", stopped):
            self.processor = int(thread[1], 16)

    def run_processor_to(self, processor: int, where: int, times: int = 20) -> None:
        """The same, where other processors may come by."""
        for _ in range(times):
            self.run_to(where)
            if self.processor == processor:
                return
        raise QmpError(f"{self._vm.name}: processor {processor} does not come to {where:x}, others did {times} times")

    def return_address(self) -> int:
        """At the first instruction of a function: the one behind its call."""
        registers = bytes.fromhex(self._ask(b"g", b"", LIMIT).decode("ascii"))
        stack = int.from_bytes(registers[7 * 8 : 8 * 8], "little")
        word = self._ask(b"m%x,8" % stack, b"", LIMIT)
        return int.from_bytes(bytes.fromhex(word.decode("ascii")), "little")

    def let_only(self, processor: int) -> None:
        """This processor goes on, the others stand still; until close()."""
        self._send(b"vCont;c:%x" % processor)
        self._runs = True

    def close(self) -> None:
        """The guest goes on."""
        if self._runs:
            self._sock.sendall(b"\x03")
            self._packet(Deadline(LIMIT, f"{self._vm.name} to stop for the debugger"))
        self._ask(b"D", b"OK", LIMIT)
        self._sock.close()
        self._vm.qmp.monitor("gdbserver none")

    def _send(self, command: bytes) -> None:
        self._sock.sendall(b"$%s#%02x" % (command, sum(command) % 256))

    def _ask(self, command: bytes, answer: bytes, limit: float) -> bytes:
        """What it answers, which begins so."""
        deadline = Deadline(limit, f"{self._vm.name} to answer the debugger's {command.decode()}")
        self._send(command)
        while True:
            got = self._packet(deadline)
            # That the guest was stopped when we came.
            stopped = got.startswith(b"T02")
            if got.startswith(answer) and not stopped:
                return got
            if not stopped:
                raise QmpError(f"{self._vm.name}: the debugger's {command.decode()} gave {got!r}")

    def _packet(self, deadline: Deadline) -> bytes:
        while not (found := re.search(rb"\$([^#]*)#..", self._rest)):
            data = deadline.receive(self._sock)
            if not data:
                raise QmpError(f"{self._vm.name}: the debugger's connection ended")
            self._rest += data
        self._sock.sendall(b"+")
        self._rest = self._rest[found.end() :]
        return found[1]


def snapshot(vm: VM) -> State:
    """A snapshot of a guest that stands at a breakpoint; its clones can be resumed like any.

    QEMU tells a clone in which state the source was, and does not load "debug"."""
    state = vm.snapshot()
    mark = b"globalstate"
    with state.path.open("r+b") as file:
        data = file.read()
        at = data.find(b"debug\0", data.index(mark))
        if at < 0 or at > data.index(mark) + 200:
            raise QmpError(f"{state.path}: not a snapshot of a guest at a breakpoint")
        file.seek(at)
        file.write(b"paused")
    return state

