# SPDX-License-Identifier: MIT
"""The module as DKMS has built it in a root: a package that finds the archive installs it, and compiles nothing.

An emulated processor takes minutes for a build that takes the host seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from . import systems
from .kernels import Kernel

MAKE = """
set -e
mkdir /opt/built
dkms mktarball "sysgenid/$1" -k "$2" --binaries-only --archive "/opt/built/sysgenid-$1.dkms.tar.gz"
"""


def built(kernel: Kernel, packages: Sequence[Path], version: str) -> Mapping[str, Path]:
    """The archive, by the path at which the package of this version looks for it."""
    ours = [path for path in packages if path.name.startswith(("sysgenid-common_", "sysgenid-dkms_"))]
    root = systems.stock(kernel).installed(ours)
    (release,) = root.releases()
    name = f"sysgenid-{version}.dkms.tar.gz"
    archive = root.changed(MAKE, version, release).find(f"opt/built/{name}")
    assert archive
    return {f"usr/share/sysgenid-dkms/{name}": archive}
