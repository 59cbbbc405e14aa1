# SPDX-License-Identifier: MIT
"""A Debian system in which programs use sysgenid: with our packages, the examples that are more than one file, the
languages, and a network card. Its tests share one, so that it is made and booted once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import repo, systems
from .debs import debs
from .guests import patched
from .lab import Lab
from .qemu import VM

PACKAGES = ("libc6-dev", "libpq-dev", "nodejs", "openssh-server", "php-cli", "pkgconf", "python3", "ruby")
COMPILE = """
set -e
cd /mnt
for source in *.c; do
	cc -std=gnu11 -O2 -Wall -Wextra -Wconversion -Werror -o "/usr/local/bin/${source%.c}" "$source" \
		$(pkgconf --cflags --libs libsysgenid libpq)
done
systemctl enable systemd-networkd
# The examples open its port.
systemctl disable ssh
"""
SERVICES = ("host-keys", "machine-identity")
# No way out but to the host.
NETWORK = "[Match]\nName=eth0\n\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
# A copy that stops, and copies that stop and lack checks.
VARIANTS: Mapping[str, Sequence[str]] = {"between": (), "unchecked": ("UNCHECKED",), "plain": ("UNCHECKED", "PLAIN")}


def programs(folder: Path) -> dict[str, Path]:
    """The sources that are compiled in the system, by their names there."""
    between = repo.GUEST / "between.h"
    found = {"between.h": between}
    for source in sorted(repo.EXAMPLES.glob("*/*.c")):
        found[source.name] = source
        patch = repo.MUTANTS / f"example-{source.stem}.patch"
        if patch.exists():
            text = patched(source, patch, folder / source.stem).read_text("utf-8")
            for variant, defines in VARIANTS.items():
                path = folder / f"{source.stem}-{variant}.c"
                path.write_text("".join(f"#define {name}\n" for name in defines) + text, "utf-8")
                found[path.name] = path
    return found


def root(lab: Lab) -> systems.Root:
    """The file system."""
    sources = lab.folder / "sources"
    sources.mkdir(exist_ok=True)
    ours = [path for path in debs(lab.kernel.suite).glob("*.deb") if "-dbgsym_" not in path.name]
    base = systems.stock(lab.kernel).installed(ours, []).installed(packages=["--no-install-recommends", *PACKAGES])
    return base.changed(COMPILE, files=programs(sources))


def boot(lab: Lab, base: systems.Root | None = None) -> VM:
    """The machine (of another root, if one is given), with the module loaded, the services of the examples running,
    and the port of SSH closed."""
    network = lab.folder / "guest.network"
    network.write_text(NETWORK, "ascii")
    files = {"etc/systemd/network/guest.network": network}
    for name in SERVICES:
        folder = repo.EXAMPLES / name
        program = files[f"usr/local/sbin/{name}"] = lab.folder / name
        shutil.copyfile(folder / name, program)
        program.chmod(0o755)
        files |= {f"{systems.UNITS}/{unit.name}": unit for unit in folder.glob("*.service")}
    return lab.boot_system(base or root(lab), files=files, network="host")
