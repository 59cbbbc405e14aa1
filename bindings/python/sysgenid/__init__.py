# SPDX-License-Identifier: MIT
"""Learn that this virtual machine has resumed as a clone: libsysgenid for Python, by ctypes.

    import random, sysgenid

    with sysgenid.Handle() as handle:
        seen = handle.read()
        random.seed()                       # after the read, not before
        while True:
            token = random.getrandbits(64)
            if not handle.changed(seen):
                break                       # no resume before this: no clone has the token
            seen = handle.read()
            random.seed()
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from ._library import HANDLE_SOFT, INSTANCE, OPEN_SOFT, Info, library

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

__all__ = ["Handle", "State"]

# What the library does itself for a page file, in seconds.
_SOFT_INTERVAL = 0.01


def _check(result: int, path: str | None = None) -> None:
    """Functions of the library return 0 or a negative errno."""
    if result < 0:
        raise OSError(-result, os.strerror(-result), path)


class State(NamedTuple):
    """What the kernel says of the current generation. SYSGENID_GET of sysgenid(4) explains each."""

    generation: int
    confirmed: int
    watchers: int
    outdated: int
    instance_id: bytes | None


class Handle:
    """An open /dev/sysgenid. A context manager; close() ends it.

    soft=True: where there is no device, the page file of "sysgenidctl publish" or "sysgenidctl simulate" serves.
    path: another node, for a container or a test.

    Methods raise OSError with the errno that libsysgenid(3) gives. FileNotFoundError: there is no device.
    ChildProcessError: this is a child of fork(2), which must open a handle of its own.
    Threads may share a handle, but two calls of wait() must not overlap.
    """

    def __init__(self, path: str | None = None, *, soft: bool = False) -> None:
        self._handle: ctypes.c_void_p | None = None
        self._library = library()
        handle = ctypes.c_void_p()
        if path is None:
            result = self._library.sysgenid_open(ctypes.byref(handle), OPEN_SOFT if soft else 0)
        elif soft:
            raise ValueError("a path is of a device, and soft is for machines without one")
        else:
            result = self._library.sysgenid_open_at(ctypes.byref(handle), os.fsencode(path), 0)
        _check(result, path or "/dev/sysgenid")
        self._handle = handle
        self._view = self._library.sysgenid_get_view(handle)
        self._changed = self._library.sysgenid_changed

    def _open_handle(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise ValueError("the handle is closed")
        return self._handle

    def close(self) -> None:
        """Ends the handle. No other thread may be inside a call."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._library.sysgenid_close(handle)

    def __enter__(self) -> Handle:
        self._open_handle()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def read(self) -> int:
        """The current generation: right from the first instruction after a resume."""
        generation = ctypes.c_uint32()
        _check(self._library.sysgenid_read(self._open_handle(), ctypes.byref(generation)))
        return generation.value

    def changed(self, seen: int) -> bool:
        """Whether the generation may differ from seen. Makes no system call."""
        if self._handle is None:
            raise ValueError("the handle is closed")
        return self._changed(self._view, seen)

    def wait(self, seen: int, timeout: float | None = None) -> int:
        """Sleeps until the generation differs from seen, and returns it. TimeoutError after timeout seconds."""
        handle, generation = self._open_handle(), ctypes.c_uint32()
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            # The library takes an int of milliseconds.
            left = -1 if end is None else min(max(0, round(1000 * (end - time.monotonic()))), 2**31 - 1)
            result = self._library.sysgenid_wait(handle, seen, left, ctypes.byref(generation))
            if result == -errno.EINTR or (result == -errno.ETIMEDOUT and end is not None and time.monotonic() < end):
                continue
            _check(result)
            return generation.value

    async def changes(self) -> AsyncIterator[int]:
        """Yields each new generation. To ask for the next one confirms the last: adjust first.

        At most one iteration per handle at a time.
        """
        # Programs without an event loop start faster.
        import asyncio

        handle = self._open_handle()
        fd = self._library.sysgenid_get_fd(handle)
        if fd == -errno.EOPNOTSUPP:
            seen = self.read()
            while True:
                await asyncio.sleep(_SOFT_INTERVAL)
                if self.changed(seen):
                    seen = self.read()
                    yield seen
        _check(fd)
        while True:
            await _readable(fd)
            generation = self.read()
            yield generation
            try:
                self.confirm(generation)
            except OSError as error:
                # Another one is current, and comes next.
                if error.errno != errno.ESTALE:
                    raise

    def fileno(self) -> int:
        """Readable while the current generation is not confirmed. Belongs to the handle: do not read from it."""
        fd = self._library.sysgenid_get_fd(self._open_handle())
        _check(fd)
        return fd

    def confirm(self, generation: int) -> None:
        """"I have adjusted to this generation". ESTALE: another one is current."""
        _check(self._library.sysgenid_confirm(self._open_handle(), generation))

    def track(self, on: bool = True) -> None:
        """Asks whoever resumes the machine to wait for this handle's confirm()."""
        _check(self._library.sysgenid_track(self._open_handle(), on))

    def is_exact(self) -> bool:
        """Whether changed() sees a resume from the first instruction on."""
        return self._library.sysgenid_is_exact(self._open_handle())

    def is_soft(self) -> bool:
        """Whether this is a page file: see soft."""
        return bool(self._info().handle & HANDLE_SOFT)

    def state(self) -> State:
        """The generation and what belongs to it."""
        info = self._info()
        instance_id = bytes(info.instance_id) if info.flags & INSTANCE else None
        return State(info.generation, info.confirmed, info.watchers, info.outdated, instance_id)

    def _info(self) -> Info:
        info = Info()
        _check(self._library.sysgenid_get_info(self._open_handle(), ctypes.byref(info), ctypes.sizeof(info)))
        return info


async def _readable(fd: int) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(fd, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(fd)
