#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Says when this machine has woken as a clone, with nothing but ctypes.

What is inline in C is a function of the shared library, too.
"""

import ctypes
import errno
import os
import sys


class View(ctypes.Structure):
    """The kernel's pages."""

    _fields_ = [
        ("generation", ctypes.POINTER(ctypes.c_uint32)),
        ("hardware_id", ctypes.POINTER(ctypes.c_uint64)),
        ("recorded_id", ctypes.POINTER(ctypes.c_uint64)),
    ]


Handle = ctypes.c_void_p
Generation = ctypes.c_uint32

lib = ctypes.CDLL("libsysgenid.so.0")
for name, result, *arguments in (
    ("sysgenid_open", ctypes.c_int, ctypes.POINTER(Handle), ctypes.c_uint),
    ("sysgenid_get_view", ctypes.POINTER(View), Handle),
    ("sysgenid_read", ctypes.c_int, Handle, ctypes.POINTER(Generation)),
    ("sysgenid_wait", ctypes.c_int, Handle, Generation, ctypes.c_int, ctypes.POINTER(Generation)),
    ("sysgenid_changed", ctypes.c_bool, ctypes.POINTER(View), Generation),
):
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments


def check(result: int) -> None:
    """Functions return 0 or a negative errno."""
    if result < 0:
        raise OSError(-result, os.strerror(-result))


def main() -> int:
    handle, seen, current = Handle(), Generation(), Generation()
    check(lib.sysgenid_open(ctypes.byref(handle), 0))
    view = lib.sysgenid_get_view(handle)
    check(lib.sysgenid_read(handle, ctypes.byref(seen)))

    def tell() -> None:
        """A program checks like this after each use of what may not be used twice."""
        changed = lib.sysgenid_changed(view, seen)
        print(f"generation {seen.value}, {'changed' if changed else 'current'}", flush=True)

    while True:
        tell()
        result = -errno.EINTR
        while result == -errno.EINTR:
            result = lib.sysgenid_wait(handle, seen, -1, ctypes.byref(current))
        check(result)
        tell()
        seen.value = current.value


if __name__ == "__main__":
    sys.exit(main())
