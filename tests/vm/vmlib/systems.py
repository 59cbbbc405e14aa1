# SPDX-License-Identifier: MIT
"""Whole distributions: a kernel's own suite with systemd, udev, apt and dkms, and a disk to boot it from.

A root is made of layers, each a directory in the cache. The lowest is the stock
system of the suite with the kernel and its headers. Each further one holds what a
command changed that ran in the ones below, for example an installation.

    stock = systems.stock(kernel)
    root = stock.installed(debs)             # apt-get install ./*.deb
    root = root.installed(packages=["nginx"])
    disk = root.image(directory, files)         # and Lab.boot_system boots it
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import cache, guests, repo
from .apt import Apt
from .kernels import Kernel, retry_after_look_up, version
from .limits import ToolError, run_tool
from .roots import bootstrap

# What a stock installation has, as far as it matters here; sparing enough to boot in seconds.
PACKAGES = ("apt", "dbus", "dkms", "initramfs-tools", "kmod", "mount", "openssl", "procps", "systemd-sysv", "udev", "util-linux")
# The archive lists the metapackages of their kernels, and has lost the files.
OLD_SUITES = ("bullseye",)
CHANGE_LIMIT = 1200.0
IMAGE_LIMIT = 300.0
IMAGE_SIZE = "4G"
LOG = "log"
IN_OVERLAY = Path(__file__).with_name("in-overlay")
DISK_IMAGE = Path(__file__).with_name("disk-image")
ISOLATE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--")
AGENT = repo.UNITS / "agent.service"
UNITS = "etc/systemd/system"
# An installer gives each machine one.
MACHINE_ID = "5ca1ab1e" * 4

# The guest sees a card and a DHCP server, and reaches nothing, or this host's loopback as 10.0.2.2.
NETWORK = ("-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net")
HOST_NETWORK = ("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net")

# Nothing starts in a root that is not booted.
INSTALL = """
set -e
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
cd /mnt
apt-get install -q -y "$@" || { apt-get update -q && apt-get install -q -y "$@"; }
rm /usr/sbin/policy-rc.d
rm -rf /var/cache/apt/*.bin /var/cache/apt/archives/*.deb
"""


@dataclass(frozen=True)
class Root:
    """A file system of layers, the topmost first."""

    kernel: Kernel
    layers: tuple[Path, ...]

    @property
    def log(self) -> str:
        """What the command of the topmost layer printed."""
        return (self.layers[0] / LOG).read_text("utf-8")

    def find(self, path: str) -> Path | None:
        """A file of the root, or None; directories on the way must not be links."""
        for layer in self.layers:
            here, opaque = _content(layer), False
            for part in Path(path).parts:
                here /= part
                if not os.path.lexists(here):
                    break
                if _whiteout(here):
                    return None
                opaque = opaque or _opaque(here)
            else:
                return here
            if opaque:
                return None
        return None

    def differences(self, older: Root) -> list[str]:
        """What is not as in an older root, of which this one has all layers: paths, and what became of them."""
        names = set()
        for top in (_content(layer) for layer in self.layers if layer not in older.layers):
            for path in top.rglob("*"):
                names.add(str(path.relative_to(top)))
                if _opaque(path):
                    for old in map(_content, older.layers):
                        names |= {str(p.relative_to(old)) for p in (old / path.relative_to(top)).rglob("*")}
        found = []
        for name in sorted(names):
            before, after = older.find(name), self.find(name)
            if _shape(before) != _shape(after):
                what = "added" if not before else "changed" if after else "removed"
                found.append(f"{what} /{name}")
        return found

    def releases(self) -> list[str]:
        """The kernels that are installed, by the directories of their modules."""
        found = set()
        for layer in self.layers:
            found |= {path.name for path in (_content(layer) / "usr/lib/modules").glob("*")}
        return sorted(release for release in found if self.find(f"boot/initrd.img-{release}"))

    def boot_files(self, release: str) -> tuple[Path, Path]:
        """Kernel and initramfs."""
        places = [f"boot/vmlinuz-{release}", f"usr/lib/modules/{release}/vmlinuz"]
        kernel = next(filter(None, map(self.find, places)), None)
        initrd = self.find(f"boot/initrd.img-{release}")
        if not kernel or not initrd:
            raise ToolError(f"kernel {release} is not installed in this root; there are {self.releases()}")
        return kernel, initrd

    def installed(self, debs: Sequence[Path] = (), packages: Sequence[str] = ()) -> Root:
        """With these .debs, and packages of the archive; apt sees all in one command."""
        names = [f"./{deb.name}" for deb in sorted(debs)]
        return self.changed(INSTALL, *names, *packages, files={deb.name: deb for deb in debs})

    def changed(self, script: str, *words: str, files: Mapping[str, Path] | None = None) -> Root:
        """After a shell script, run in the root as root, with files in its /mnt."""
        shared = files or {}
        recipe: cache.Recipe = {
            "below": self.layers[0].name,
            "script": script,
            "words": list(words),
            "files": {name: cache.file_hash(path) for name, path in shared.items()},
            "layout": 1,
        }

        def make(to: Path) -> list[str]:
            mnt = to / "files"
            mnt.mkdir()
            for name, path in shared.items():
                (mnt / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, mnt / name)
            lower = ":".join(str(_content(layer)) for layer in self.layers)
            command = ["/bin/sh", "-c", script, "sh", *words]
            what = f"a change of a root of {self.kernel.suite}"
            output = run_tool([*ISOLATE, IN_OVERLAY, lower, to, mnt, *command], CHANGE_LIMIT, what)
            shutil.rmtree(mnt)
            (to / LOG).write_text(output, "utf-8")
            return [LOG]

        return Root(self.kernel, (cache.entry("layer", recipe, make), *self.layers))

    def image(self, folder: Path, files: Mapping[str, Path] | None = None) -> Path:
        """A disk image of it in this directory, made once, with the agent, the programs of tests/guest, and files by
        their path in the guest."""
        agent = {"usr/local/sbin/agent": guests.init(), f"{UNITS}/{AGENT.name}": AGENT}
        programs = {f"usr/local/bin/{name}": path for name, path in guests.programs().items() if name != "sysgenidctl"}
        put = {**agent, **programs, **(files or {})}
        recipe: cache.Recipe = {
            "layer": self.layers[0].name,
            "files": {name: cache.file_hash(path) for name, path in put.items()},
        }
        image = folder / f"{cache.key(recipe)}.img"
        with cache.locked_file(image.with_suffix(".lock")), tempfile.TemporaryDirectory(dir=folder) as work:
            if not image.exists():
                top = Path(work)
                top.chmod(0o755)
                _lay_out(top, put)
                lower = ":".join(str(path) for path in (top, *map(_content, self.layers)))
                aside = image.with_suffix(".new")
                run_tool([*ISOLATE, DISK_IMAGE, lower, aside, IMAGE_SIZE], IMAGE_LIMIT, "a disk image")
                aside.rename(image)
        return image


def _content(layer: Path) -> Path:
    return layer / "changes"


def _whiteout(path: Path) -> bool:
    info = path.lstat()
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def _opaque(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and "trusted.overlay.opaque" in os.listxattr(path)


def _shape(path: Path | None) -> object:
    """What makes a file what it is, but for its times."""
    if not path:
        return None
    info = path.lstat()
    content = os.readlink(path) if path.is_symlink() else cache.file_hash(path) if path.is_file() else None
    return info.st_mode, info.st_uid, info.st_gid, content


def _lay_out(top: Path, files: Mapping[str, Path]) -> None:
    """The layer that makes a root a guest of ours; units in it are enabled."""
    for name, source in files.items():
        target = top / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    (top / "etc/machine-id").write_text(f"{MACHINE_ID}\n", "ascii")
    (top / "etc/hostname").write_text("guest\n", "ascii")
    units = top / UNITS
    for unit in [*units.glob("*.service")]:
        for target in re.findall(r"^WantedBy=(\S+)$", unit.read_text("utf-8"), re.MULTILINE):
            wants = units / f"{target}.wants"
            wants.mkdir(exist_ok=True)
            (wants / unit.name).symlink_to(f"../{unit.name}")
    # A guest has no network, and apt takes long to read the lists. An opaque directory hides those below.
    lists = top / "var/lib/apt/lists"
    lists.mkdir(parents=True)
    os.setxattr(lists, "trusted.overlay.opaque", b"y")


def stock(kernel: Kernel) -> Root:
    """The kernel's suite with this kernel, from the cache or newly made."""
    return retry_after_look_up(kernel, lambda: _stock(kernel))


def _stock(kernel: Kernel) -> Root:
    today = version(kernel)
    packages = [*PACKAGES, kernel.image, kernel.headers]
    if kernel.suite in OLD_SUITES:
        # Debian's installer merges /usr, mmdebstrap only where a suite cannot do without.
        packages = [*PACKAGES, "usrmerge", f"linux-image-{today.release}", f"linux-headers-{today.release}"]

    def make(to: Path) -> list[str]:
        cache.note(f"making a root of {kernel.suite} with {kernel.image} (a minute or more)")
        # What is installed later is complete, and finds its dependencies.
        more = ['--customize-hook=rm "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"', "--skip=cleanup/apt/lists"]
        output = bootstrap(Apt(kernel.suite), "apt", packages, to / "changes", more)
        (to / LOG).write_text(output, "utf-8")
        return [LOG]

    recipe: cache.Recipe = {
        "suite": kernel.suite,
        "packages": packages,
        "release": today.release,
        "image": [list(p) for p in today.image_packages],
        "headers": today.headers_version,
        "layout": 1,
    }
    root = Root(kernel, (cache.entry("system", recipe, make),))
    if today.release not in root.releases():
        raise ToolError(f"the archive has moved on: {kernel.suite} has {root.releases()}, not {today.release}")
    return root
