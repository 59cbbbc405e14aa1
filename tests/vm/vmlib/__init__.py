# SPDX-License-Identifier: MIT
"""Boots real kernels in QEMU, snapshots and clones them, and asks them things."""

from .control import GuestError
from .kernels import Image, Kernel, all_kernels, get_kernel
from .lab import Lab, parallel
from .limits import Deadline, Timeout, ToolError, wait_until
from .module import build_module
from .qemu import VM, Guid, Machine, Result, State, new_guid
from .qmp import QmpError
from .testing import Context, vmtest

__all__ = [
    "VM",
    "Context",
    "Deadline",
    "GuestError",
    "Guid",
    "Image",
    "Kernel",
    "Lab",
    "Machine",
    "QmpError",
    "Result",
    "State",
    "Timeout",
    "ToolError",
    "all_kernels",
    "build_module",
    "get_kernel",
    "new_guid",
    "parallel",
    "vmtest",
    "wait_until",
]
