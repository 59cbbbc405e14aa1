#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws all the time, in a container that is checkpointed: a line of JSON for each round, in FILE.

usage: draws.py plain|clients|attribute FILE
  plain      generators that do not look at the generation
  clients    generators that do, each in another way: /dev/sysgenid tracked, the counter page, the exact check by
             /dev/sysgenid-hw, and four bytes mapped with a closed descriptor, as AWS-LC does
  attribute  as plain, with the attribute of the generation open
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import random
import select
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable

NODE, HARDWARE = "/dev/sysgenid", "/dev/sysgenid-hw"
TRACK = 0xE401
PERIOD = 0.2
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def mapped(path: str, size: int, offset: int = 0) -> int:
    """The address of a mapping; the descriptor is closed."""
    fd = os.open(path, os.O_RDONLY)
    address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, offset)
    os.close(fd)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(f"mmap of {path}")
    return address


def word(address: int) -> int:
    return ctypes.c_uint32.from_address(address).value


class Seeded:
    """A generator in memory, seeded anew when changed() says so."""

    def __init__(self, changed: Callable[[], bool]) -> None:
        self.changed = changed
        self.generator = random.Random(os.urandom(32))

    def draw(self) -> str:
        if self.changed():
            self.generator = random.Random(os.urandom(32))
        return f"{self.generator.getrandbits(64):016x}"


def by_number(load: Callable[[], object]) -> Callable[[], bool]:
    """Changed since the last call?"""
    seen = [load()]

    def changed() -> bool:
        now = load()
        if now == seen[0]:
            return False
        seen[0] = now
        return True

    return changed


def tracked() -> Callable[[], bool]:
    """read(2) and write(2) of a tracked descriptor."""
    fd = os.open(NODE, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TRACK, 1)
    poll = select.poll()
    poll.register(fd, select.POLLIN)

    def changed() -> bool:
        if not poll.poll(0):
            return False
        os.write(fd, os.read(fd, 4))
        return True

    return changed


class Reader:
    """A thread that sleeps in read(2) of a file of its own, also while it is dumped; how often it woke."""

    def __init__(self) -> None:
        self.woke = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        fd = os.open(NODE, os.O_RDWR)
        while True:
            os.write(fd, os.read(fd, 4))
            self.woke += 1


def exact() -> Callable[[], object]:
    """The record, the hardware id and the generation, in this order."""
    page, hardware, record = mapped(NODE, 4096), mapped(HARDWARE, 4096), mapped(HARDWARE, 4096, 4096)
    offset = word(record + 16)

    def load() -> object:
        recorded = ctypes.string_at(record, 16)
        return recorded, ctypes.string_at(hardware + offset, 16), word(page)

    return load


def arc4random() -> str:
    buffer = ctypes.create_string_buffer(8)
    libc.arc4random_buf(buffer, 8)
    return buffer.raw.hex()


def main() -> int:
    kind, path = sys.argv[1:]
    draws: dict[str, Callable[[], str]] = {"openssl": lambda: ssl.RAND_bytes(8).hex()}
    attribute = open("/sys/class/misc/sysgenid/generation", "rb") if kind == "attribute" else None  # noqa: SIM115
    reader = Reader() if kind == "clients" else None
    if kind != "clients":
        draws["python"] = lambda: f"{random.getrandbits(64):016x}"
        draws["arc4random"] = arc4random
        draws["getrandom"] = lambda: os.getrandom(8).hex()
    else:
        four, page = mapped(NODE, 4), mapped(NODE, 4096)
        draws["events"] = Seeded(tracked()).draw
        draws["page"] = Seeded(by_number(lambda: struct.unpack("4I", ctypes.string_at(page, 16)))).draw
        draws["four bytes"] = Seeded(by_number(lambda: word(four))).draw
        draws["exact"] = Seeded(by_number(exact())).draw
    with contextlib.nullcontext(attribute), open(path, "w", encoding="ascii", buffering=1) as out:
        while True:
            # First: what is drawn before a checkpoint has a time before it.
            line: dict[str, float | str] = {"time": time.time(), "woke": reader.woke if reader else 0}
            for name, draw in draws.items():
                line[name] = draw()
            out.write(json.dumps(line) + "\n")
            time.sleep(PERIOD)


if __name__ == "__main__":
    sys.exit(main())
