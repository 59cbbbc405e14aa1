# SPDX-License-Identifier: MIT
"""podman, runc, crun and CRIU of a distribution, with the plugin built there, and an image of a container that draws."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import cache, mutants, overseer, repo, systems
from .kernels import Kernel

# Debian 12 has the headers in criu itself, and later ones in libcriu-dev.
HEADERS = {"bookworm": ()}
PACKAGES = ("busybox-static", "criu", "crun", "iptables", "libssl-dev", "podman", "python3", "runc")
SOURCES = ("criu", "include", "lib", "module/uapi", "providers/openssl", "tools")
PROGRAM = "draws.py"
IMAGE = "/srv/image.tar"
PLUGIN = "/usr/lib/criu/sysgenid_plugin.so"
# Which reseeds, and publishes nothing.
MUTANT = "criu-no-trigger.patch"
MUTANT_PLUGIN = "/srv/mutant.so"

INSTALL = """
set -e
cd /mnt
mkdir -p /usr/lib/criu
retries=
grep -q 'RESTORE_EXT_FILE, int id, bool' /usr/include/criu/criu-plugin.h && retries=-DCRIU_RETRIES
flags="-std=gnu11 -O1 -g -shared -fPIC -Iinclude -Imodule/uapi"
plugin() {
	gcc $flags $retries -I"$2" -Itools -o "$1" "$2"/*.c tools/rng.c $(pkg-config --cflags --libs inih)
}
plugin /usr/lib/criu/sysgenid_plugin.so criu
plugin /srv/mutant.so mutant/criu
cd providers/openssl
gcc $flags -I../../include -I../../module/uapi -I../../lib -DSYSGENID_VERSION='"test"' -fvisibility=hidden -o /mnt/provider.so \\
	drbg.c parent.c provider.c stock.c attribute.c handle.c ../../lib/*.c -lcrypto
cd /mnt
image=/srv/image
mkdir -p $image/usr/bin $image/usr/lib $image/usr/lib64 $image/etc $image/dev $image/proc $image/sys $image/tmp $image/out
for name in bin lib lib64; do ln -s usr/$name $image/$name; done
with_libraries() {
	for file; do
		ldd "$file" | grep -o '/[^ ]*' | while read -r library; do
			mkdir -p "$image${library%/*}"
			[ -e "$image$library" ] || cp -L "$library" "$image$library"
		done
	done
}
cp -L /usr/bin/python3 /bin/busybox $image/usr/bin
ln -s busybox $image/usr/bin/sh
for modules in /usr/lib/python3.*; do
	cp -r $modules $image/usr/lib
	with_libraries $modules/lib-dynload/_ssl*.so $modules/lib-dynload/_ctypes*.so $modules/lib-dynload/_hashlib*.so
done
rm -rf $image/usr/lib/python3*/config-* $image/usr/lib/python3*/test $image/usr/lib/python3*/ensurepip
with_libraries /usr/bin/python3
cp provider.so $image/usr/lib
cp draws.py $image/
cp draws.py /srv/
sed 's,@MODULE@,/usr/lib/provider.so,' providers/openssl/openssl.cnf.in >$image/etc/provider.cnf
tar -C $image -cf /srv/image.tar .
rm -rf $image
"""


def _mutant() -> dict[str, Path]:
    own = sorted((repo.TOP / "criu").glob("*.[ch]"))
    patch = repo.TOP / "tests/mutants" / MUTANT

    def make(to: Path) -> list[str]:
        (to / "criu").mkdir()
        for path in own:
            shutil.copy(path, to / "criu")
        mutants.apply(patch, to)
        return ["criu/plugin.c"]

    entry = cache.entry("mutant", {"patch": cache.file_hash(patch), "files": cache.tree_hash(repo.TOP, own)}, make)
    return {f"mutant/criu/{path.name}": entry / "criu" / path.name for path in own}


def _sources() -> dict[str, Path]:
    found = {**_mutant(), PROGRAM: repo.VM / "criu" / PROGRAM, "providers/openssl/openssl.cnf.in": repo.TOP / "providers/openssl/openssl.cnf.in"}
    for part in SOURCES:
        for path in (repo.TOP / part).rglob("*.[ch]"):
            found[str(path.relative_to(repo.TOP))] = path
    return found


def root(kernel: Kernel) -> systems.Root:
    """The overseer's root with all this."""
    packages = (*PACKAGES, *HEADERS.get(kernel.suite, ("libcriu-dev",)))
    return overseer.root(kernel, packages).changed(INSTALL, files=_sources())
