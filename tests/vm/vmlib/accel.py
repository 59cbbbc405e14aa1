# SPDX-License-Identifier: MIT
"""KVM where it works, else TCG.

A /dev/kvm can be there, and even make VMs, and still be useless (nested, or
emulating every instruction). So the probe boots a kernel to init, quickly; the
answer is kept until the machine is booted again. $SYSGENID_ACCEL (kvm or tcg)
overrides.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from . import cache
from .architectures import AMD64, Architecture
from .control import GuestError
from .limits import Timeout
from .qemu import VM, Machine
from .qmp import QmpError

PROBE_LIMIT = 5.0


def _boots(kernel: Path, initrd: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix="sysgenid-probe-") as folder:
        machine = Machine(kernel, initrd, accel="kvm", vmgenid=False)
        vm = VM(machine, Path(folder) / "vm", "the KVM probe", None)
        try:
            vm.boot(PROBE_LIMIT)
        except (QmpError, GuestError, Timeout):
            return False
        finally:
            vm.close()
    return True


def accelerator(kernel: Path, initrd: Path, architecture: Architecture = AMD64) -> str:
    """ "kvm" or "tcg"; the kernel and initramfs are those of the probe."""
    if architecture.foreign:
        return "tcg"
    forced = os.environ.get("SYSGENID_ACCEL")
    if forced:
        return forced
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    record = cache.folder() / "accel"
    with cache.locked("accel"):
        if not record.exists() or record.read_text("ascii").split()[:1] != [boot_id]:
            cache.note("trying KVM")
            answer = "kvm" if _boots(kernel, initrd) else "tcg"
            record.write_text(f"{boot_id} {answer}\n", "ascii")
        return record.read_text("ascii").split()[1]
