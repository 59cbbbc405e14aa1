# SPDX-License-Identifier: MIT
"""A distribution with the module, the overseer and nftables, built in the root itself so that they fit its libraries."""

from __future__ import annotations

from pathlib import Path

from . import module, repo, systems
from .kernels import Kernel

BUILD = ("gcc", "libc6-dev", "libinih-dev", "libjson-c-dev", "libnftables-dev", "libsystemd-dev", "pkgconf")
USE = ("iproute2", "nftables")
SOURCES = ("include", "lib", "module/uapi", "overseer", "tools")
DATA = ("60-sysgenid.rules", "sysgenid-load.service", "sysgenid-overseer.service", "sysgenid-ready.target", "sysgenid.sysusers")

# $1: where the modules of the kernel are.
INSTALL = """
set -e
cd /mnt
flags="-std=gnu11 -O1 -g -Iinclude -Imodule/uapi -Ilib -pthread"
daemon="$(ls overseer/*.c | grep -v /client.c) tools/page.c tools/publisher.c tools/rng.c"
mkdir -p /usr/lib/sysgenid "/usr/lib/modules/$1/updates"
gcc $flags -Ioverseer -o /usr/sbin/sysgenid-overseer $daemon lib/*.c $(pkg-config --cflags --libs inih json-c libnftables libsystemd)
gcc $flags -o /usr/lib/sysgenid/overseer-client overseer/client.c $(pkg-config --cflags --libs json-c)
gcc $flags -o /usr/bin/sysgenidctl tools/*.c lib/*.c
cp sysgenid.ko "/usr/lib/modules/$1/updates"
depmod "$1"
cp data/60-sysgenid.rules /usr/lib/udev/rules.d
cp data/sysgenid.sysusers /usr/lib/sysusers.d/sysgenid.conf
systemd-sysusers
cp data/*.service data/*.target /usr/lib/systemd/system
systemctl enable sysgenid-load.service
"""


def _sources() -> dict[str, Path]:
    found = {f"data/{name}": repo.TOP / "data" / name for name in DATA}
    for folder in SOURCES:
        for path in (repo.TOP / folder).rglob("*.[ch]"):
            found[str(path.relative_to(repo.TOP))] = path
    return found


def root(kernel: Kernel) -> systems.Root:
    """The stock system of the kernel's suite with all this; the overseer is not enabled."""
    base = systems.stock(kernel).installed(packages=[*BUILD, *USE])
    (release,) = base.releases()
    return base.changed(INSTALL, release, files={**_sources(), module.KO: module.build_module(kernel)})
