# SPDX-License-Identifier: MIT
"""The overseer and nftables, built in a root of a distribution: for a guest of that distribution, and for small guests.

A small guest gets the programs of the root with their libraries, and modules of the kernel: no systemd, udev or D-Bus."""

from __future__ import annotations

import lzma
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from . import cache, module, repo, systems
from .kernels import Kernel
from .limits import ToolError, run_tool

BUILD = ("gcc", "libc6-dev", "libinih-dev", "libjson-c-dev", "libmnl-dev", "libnftables-dev", "libpcap-dev", "libsystemd-dev", "pkgconf")
USE = ("iproute2", "nftables", "wireguard-tools")
# What a small guest has of the root, and where.
PROGRAMS = {
    "usr/sbin/sysgenid-overseer": "bin",
    "usr/lib/sysgenid/overseer-client": "usr/lib/sysgenid",
    "usr/bin/sysgenid-host": "bin",
    "usr/bin/ip": "bin",
    "usr/bin/perl": "bin",
    "usr/bin/prlimit": "bin",
    "usr/bin/setpriv": "bin",
    "usr/bin/wg": "bin",
    "usr/sbin/nft": "bin",
    "usr/sbin/tc": "bin",
}
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOADER = "lib64/ld-linux-x86-64.so.2"
PERL = f"{LIBRARIES}/perl-base"
# Wires, rules, lists of connections, what the host reads, and sessions. What these need comes with them.
MODULES = ("veth", "nf_tables", "nft_ct", "tcp_diag", "virtio_pci", "virtio_console", "virtio_net", "sch_plug")
MODULES += ("vsock_loopback",)
MODULES += ("wireguard", "tls", "macsec", "xfrm_user", "esp4")
# What the kernel loads by the names of algorithms for ESP with rfc4106(gcm(aes)).
MODULES += ("aes_generic", "ctr", "hmac", "sha512_generic", "sha3_generic", "jitterentropy_rng", "drbg", "ghash_generic", "gcm", "seqiv")
SHARED = ("containers/json.c", "containers/json.h")
SOURCES = ("include", "lib", "module/uapi", "overseer", "tools")
DATA = ("60-sysgenid.rules", "sysgenid-load.service", "sysgenid-overseer.service", "sysgenid-ready.target", "sysgenid.sysusers")

# $1: where the modules of the kernel are.
INSTALL = """
set -e
cd /mnt
flags="-std=gnu11 -O1 -g -Iinclude -Imodule/uapi -Ilib -pthread -DWITH_SYSTEMD -DWITH_NFTABLES"
daemon="$(ls overseer/*.c | grep -v -e /client.c -e /no-nftables.c) tools/page.c tools/publisher.c tools/rng.c"
daemon="$daemon tools/exceptions.c tools/filter.c containers/json.c"
mkdir -p /usr/lib/sysgenid "/usr/lib/modules/$1/updates"
gcc $flags -Ioverseer -o /usr/sbin/sysgenid-overseer $daemon lib/*.c $(pkg-config --cflags --libs inih json-c libmnl libnftables libpcap libsystemd)
gcc $flags -o /usr/lib/sysgenid/overseer-client overseer/client.c overseer/protocol.c $(pkg-config --cflags --libs json-c)
gcc $flags -static -o /usr/bin/sysgenid-host overseer/host/*.c overseer/base64.c
gcc $flags -o /usr/bin/sysgenidctl $(find tools -name '*.c' ! -name filter.c) lib/*.c
cp sysgenid.ko "/usr/lib/modules/$1/updates"
depmod "$1"
cp data/60-sysgenid.rules /usr/lib/udev/rules.d
cp data/sysgenid.sysusers /usr/lib/sysusers.d/sysgenid.conf
systemd-sysusers
cp data/*.service data/*.target /usr/lib/systemd/system
systemctl add-wants sysinit.target sysgenid-load.service
"""


def _sources() -> dict[str, Path]:
    found = {f"data/{name}": repo.TOP / "data" / name for name in DATA}
    found.update({name: repo.TOP / name for name in SHARED})
    for folder in SOURCES:
        for path in (repo.TOP / folder).rglob("*.[ch]"):
            found[str(path.relative_to(repo.TOP))] = path
    return found


def root(kernel: Kernel, packages: Sequence[str] = ()) -> systems.Root:
    """The stock system of the kernel's suite with all this, and more packages; the overseer is not enabled."""
    base = systems.stock(kernel).installed(packages=[*BUILD, *USE])
    if packages:
        base = base.installed(packages=packages)
    (release,) = base.releases()
    return base.changed(INSTALL, release, files={**_sources(), module.KO: module.build_module(kernel)})


def real(root: systems.Root, path: str) -> Path:
    """The file that a path of the root leads to, by links in its own directory."""
    found = root.find(path)
    while found and found.is_symlink():
        path = f"{path.rpartition('/')[0]}/{found.readlink().name}"
        found = root.find(path)
    if not found:
        raise ToolError(f"the root has no {path}")
    return found


def _libraries(root: systems.Root, programs: Iterator[Path]) -> set[str]:
    """The names of all that these need, and that those need."""
    found: set[str] = set()
    rest = list(programs)
    while rest:
        needed = run_tool(["readelf", "-dW", rest.pop()], 30, "readelf")
        for name in re.findall(r"\(NEEDED\).*\[(.+)\]", needed):
            if name not in found and name != Path(LOADER).name:
                found.add(name)
                rest.append(real(root, f"{LIBRARIES}/{name}"))
    return found


def _modules(root: systems.Root, release: str) -> list[str]:
    """The paths of modules, each one after those that it needs."""
    listing = real(root, f"usr/lib/modules/{release}/modules.dep").read_text("ascii")
    needs = {path: rest.split() for path, _, rest in (line.partition(":") for line in listing.splitlines())}
    paths = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in needs}
    # In modules.dep the one that is to be loaded first comes last.
    wanted = [path for name in MODULES if name in paths for path in (*reversed(needs[paths[name]]), paths[name])]
    return list(dict.fromkeys(wanted))


def files(kernel: Kernel, made: systems.Root | None = None, more: Mapping[str, str] | None = None) -> dict[str, Path]:
    """What a small guest needs to run the overseer, by path there; /modules are to be loaded in the order of their names.

    made: a root to take it from. more: other programs of that root, as in PROGRAMS."""
    made = made or root(kernel)
    (release,) = made.releases()
    wanted = {**PROGRAMS, **(more or {})}
    recipe: cache.Recipe = {
        "layer": made.layers[0].name,
        "programs": list(wanted),
        "modules": list(MODULES),
        "layout": 1,
    }

    def put(to: Path, name: str, source: Path) -> str:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".xz":
            (to / name).write_bytes(lzma.decompress(source.read_bytes()))
        else:
            shutil.copy(source, to / name)
        return name

    def make(to: Path) -> list[str]:
        programs = {f"{place}/{Path(name).name}": real(made, name) for name, place in wanted.items()}
        names = [put(to, name, path) for name, path in programs.items()]
        names.append(put(to, LOADER, real(made, f"{LIBRARIES}/{Path(LOADER).name}")))
        names += [put(to, f"{LIBRARIES}/{name}", real(made, f"{LIBRARIES}/{name}")) for name in _libraries(made, iter(programs.values()))]
        for i, path in enumerate(_modules(made, release)):
            name = Path(path).name.partition(".")[0]
            names.append(put(to, f"modules/{i:02}-{name}.ko", real(made, f"usr/lib/modules/{release}/{path}")))
        for layer in reversed(made.layers):
            base = layer / "changes" / PERL
            names += [put(to, f"{PERL}/{path.relative_to(base)}", path) for path in base.rglob("*") if path.is_file()]
        return names

    entry = cache.entry("overseer", recipe, make)
    return {str(path.relative_to(entry)): path for path in entry.rglob("*") if path.is_file() and path.name != cache.MANIFEST}
