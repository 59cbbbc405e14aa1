# SPDX-License-Identifier: MIT
"""The declarations of <sysgenid.h>. What is inline in C is a function of the shared library, too."""

from __future__ import annotations

import ctypes
import functools

OPEN_SOFT = 0x1
HANDLE_SOFT = 0x8
INSTANCE = 0x20


class View(ctypes.Structure):
    _fields_ = [
        ("generation", ctypes.POINTER(ctypes.c_uint32)),
        ("hardware_id", ctypes.POINTER(ctypes.c_uint64)),
        ("recorded_id", ctypes.POINTER(ctypes.c_uint64)),
    ]


class Info(ctypes.Structure):
    _fields_ = [
        ("features", ctypes.c_uint64),
        ("time", ctypes.c_uint64),
        ("generation", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("source", ctypes.c_uint32),
        ("sources", ctypes.c_uint32),
        ("confirmed", ctypes.c_uint32),
        ("watchers", ctypes.c_uint32),
        ("outdated", ctypes.c_uint32),
        ("handle", ctypes.c_uint32),
        ("instance_id", ctypes.c_uint8 * 16),
    ]


_Handle = ctypes.c_void_p
_Generation = ctypes.c_uint32
_GenerationAt = ctypes.POINTER(ctypes.c_uint32)

DECLARATIONS = (
    ("sysgenid_open", ctypes.c_int, ctypes.POINTER(_Handle), ctypes.c_uint),
    ("sysgenid_open_at", ctypes.c_int, ctypes.POINTER(_Handle), ctypes.c_char_p, ctypes.c_uint),
    ("sysgenid_close", None, _Handle),
    ("sysgenid_get_fd", ctypes.c_int, _Handle),
    ("sysgenid_get_view", ctypes.POINTER(View), _Handle),
    ("sysgenid_is_exact", ctypes.c_bool, _Handle),
    ("sysgenid_read", ctypes.c_int, _Handle, _GenerationAt),
    ("sysgenid_wait", ctypes.c_int, _Handle, _Generation, ctypes.c_int, _GenerationAt),
    ("sysgenid_confirm", ctypes.c_int, _Handle, _Generation),
    ("sysgenid_track", ctypes.c_int, _Handle, ctypes.c_bool),
    ("sysgenid_get_info", ctypes.c_int, _Handle, ctypes.POINTER(Info), ctypes.c_size_t),
    ("sysgenid_changed", ctypes.c_bool, ctypes.POINTER(View), _Generation),
)


@functools.cache
def library() -> ctypes.CDLL:
    """Of the first handle, so that a program without libsysgenid can import the module and do without."""
    loaded = ctypes.CDLL("libsysgenid.so.0")
    for name, result, *arguments in DECLARATIONS:
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded
