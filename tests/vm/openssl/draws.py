# SPDX-License-Identifier: MIT
"""Programs that draw bytes of OpenSSL, and have done things that a library in them does not expect.

usage: draws.py FIFO
Each draws once; after each line that comes from the FIFO each draws again, and prints "NAME BYTES".
"""

import ctypes
import os
import queue
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable

JAIL = "/run/jail"


def draw() -> bytes:
    return ssl.RAND_bytes(16).hex().encode()


def answer(desk: socket.socket) -> None:
    """Draw for each question, for ever."""
    while desk.recv(1):
        desk.send(draw())


def plain(desk: socket.socket) -> None:
    answer(desk)


def thread(desk: socket.socket) -> None:
    """Generators are a thread's own."""
    questions: queue.Queue[bytes] = queue.Queue()

    def work() -> None:
        draw()
        while questions.get():
            desk.send(draw())

    threading.Thread(target=work).start()
    while question := desk.recv(1):
        questions.put(question)


def forked(desk: socket.socket) -> None:
    """The generator is from before the fork."""
    if os.fork() == 0:
        answer(desk)
    os.wait()


def close_all(desk: socket.socket) -> None:
    os.closerange(3, desk.fileno())
    os.closerange(desk.fileno() + 1, 1000)


def closed(desk: socket.socket) -> None:
    """As a daemon that closes what it does not know; the numbers then mean another file."""
    close_all(desk)
    for _ in range(20):
        os.open("/dev/null", os.O_RDWR)
    answer(desk)


def jailed(desk: socket.socket) -> None:
    os.chroot(JAIL)
    answer(desk)


def blind(desk: socket.socket) -> None:
    """There is nobody left to be asked."""
    close_all(desk)
    os.chroot(JAIL)
    answer(desk)


def hide(directories: tuple[str, ...]) -> None:
    """As a container's or PrivateDevices='s view of the system."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x20000):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNS)")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for directory in directories:
        subprocess.run(["mount", "-t", "tmpfs", "none", directory], check=True)


def hidden(desk: socket.socket) -> None:
    """Never sees the node; /sys tells."""
    answer(desk)


def unseen(desk: socket.socket) -> None:
    """Sees nothing of the module at all."""
    answer(desk)


# What is not there from before the first draw on.
HIDDEN = {hidden: ("/dev",), unseen: ("/dev", "/sys", "/proc")}
KINDS: tuple[Callable[[socket.socket], None], ...] = (plain, thread, forked, closed, jailed, blind, hidden, unseen)


def start(kind: Callable[[socket.socket], None]) -> socket.socket:
    mine, theirs = socket.socketpair()
    if os.fork() == 0:
        if kind in HIDDEN:
            hide(HIDDEN[kind])
        draw()
        kind(theirs)
        os._exit(0)
    theirs.close()
    return mine


def main() -> None:
    os.makedirs(JAIL, exist_ok=True)
    desks = {kind.__name__: start(kind) for kind in KINDS}
    print("ready", flush=True)
    with open(sys.argv[1], "r+b", buffering=0) as fifo:
        for _ in iter(fifo.readline, b""):
            for name, desk in desks.items():
                desk.send(b"?")
                print(name, desk.recv(100).decode(), flush=True)


main()
