# SPDX-License-Identifier: MIT
"""Programs that draw when they are asked, with libraries, languages and servers that do not look at the generation.

The libraries are in a small guest; the others are in a Debian system, with our packages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import repo, systems
from .debs import debs
from .extras import with_files
from .lab import Lab
from .qemu import VM

FOLDER = repo.VM / "askers"
MEMORY = 1024

HEADERS = (
    "libbsd-dev", "libc6-dev", "libgcrypt20-dev", "libgnutls28-dev", "libmbedtls-dev", "libnss3-dev", "libwolfssl-dev"
)  # fmt: skip
# The directory that it makes is what the small guest has besides.
COMPILE = """
set -e
cd /mnt
libraries=/opt/guest/lib/x86_64-linux-gnu
mkdir -p /opt/guest/bin /opt/guest/lib64 $libraries
for source in *.c; do
	cc -std=gnu11 -O2 -Wall -Wextra -Werror -I/usr/include/nss -I/usr/include/nspr -o "/opt/guest/bin/ask-${source%.c}" \
		"$source" -Wl,--as-needed -lbsd -lgcrypt -lgnutls -lmbedcrypto -lnss3 -lwolfssl
done
cp -L /lib64/ld-linux-x86-64.so.2 /opt/guest/lib64
# NSS loads these by name.
cp /usr/lib/x86_64-linux-gnu/libfreebl*.so /usr/lib/x86_64-linux-gnu/libsoftokn3.so $libraries
ldd /opt/guest/bin/* $libraries/*.so | sed -n 's|.* => \\(/[^ ]*\\) .*|\\1|p' | sort -u | xargs cp -L -t $libraries
"""

SERVERS = (
    "erlang-base", "nginx-light", "nodejs", "openjdk-17-jdk-headless", "postgresql", "python3", "redis-server"
)  # fmt: skip
INSTALL = """
set -e
mkdir /opt/askers
cp /mnt/* /opt/askers
cd /opt/askers
mv nginx.conf /etc/nginx/nginx.conf
javac Ask.java
erlc ask.erl
"""


@dataclass(frozen=True)
class Asker:
    """A process with a name, the command that answers each line of input, and the names of the draws in its answer."""

    name: str
    command: str
    draws: tuple[str, ...]
    # As docs/consumers.md calls it, and whose version that gives.
    program: str
    package: str
    # The unit that has the generator; else the process itself.
    unit: str = ""
    # Draws into which the time is mixed, and nothing secret.
    by_clock: tuple[str, ...] = ()


def _library(name: str, program: str, package: str, *draws: str, by_clock: tuple[str, ...] = ()) -> Asker:
    return Asker(name, f"ask-{name}", draws, program, package, by_clock=by_clock)


LIBRARIES = (
    _library("gnutls", "GnuTLS", "libgnutls30", "GNUTLS_RND_NONCE", "GNUTLS_RND_RANDOM", "GNUTLS_RND_KEY"),
    _library(
        "libgcrypt",
        "libgcrypt",
        "libgcrypt20",
        "gcry_create_nonce",
        "GCRY_STRONG_RANDOM",
        "GCRY_VERY_STRONG_RANDOM",
        by_clock=("GCRY_STRONG_RANDOM",),
    ),
    _library("nss", "NSS", "libnss3", "PK11_GenerateRandom"),
    _library("mbedtls", "mbed TLS", "libmbedcrypto7", "mbedtls_ctr_drbg_random"),
    _library("wolfssl", "wolfSSL", "libwolfssl35", "wc_RNG_GenerateBlock"),
    _library("libbsd", "libbsd", "libbsd0", "arc4random_buf"),
)
# The control: what it draws is unique in any case.
KERNEL = _library("kernel", "Linux", "", "getrandom")

PROGRAMS = (
    Asker(
        "java",
        "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp /opt/askers Ask",
        ("ThreadLocalRandom", "SplittableRandom", "SHA1PRNG", "a pool of UUIDs"),
        "a Java program",
        "openjdk-17-jdk-headless",
    ),
    Asker(
        "erlang",
        "erl -noshell -pa /opt/askers -s ask start",
        ("rand:uniform", "make_ref"),
        "an Erlang program",
        "erlang-base",
    ),
    Asker("python", "python3 /opt/askers/ask.py", ("a pool of ids", "names of tempfile"), "a Python program", "python3"),
    Asker("node", "node /opt/askers/ask.js", ("a pool of ids",), "a Node.js program", "nodejs"),
    Asker("redis", "/opt/askers/redis", ("ACL GENPASS", "run_id"), "Redis", "redis-server", "redis-server"),
)
# Servers that draw from OpenSSL, whose provider is what helps.
OPENSSL = (
    Asker(
        "postgresql",
        "/opt/askers/postgresql",
        ("gen_random_uuid()", "gen_random_bytes()"),
        "PostgreSQL, an open session",
        "postgresql-15",
        "postgresql@15-main",
    ),
    Asker("nginx", "/opt/askers/nginx", ("$request_id",), "nginx", "nginx", "nginx"),
)


def libraries_root(lab: Lab) -> systems.Root:
    """The file system in which they were compiled."""
    sources = {path.name: path for path in FOLDER.glob("*.[ch]")}
    return systems.stock(lab.kernel).installed(packages=["--no-install-recommends", *HEADERS]).changed(COMPILE, files=sources)


def small_guest(lab: Lab) -> VM:
    """With the module, and what asks the libraries."""
    tree = libraries_root(lab).find("opt/guest")
    assert tree
    files = {str(path.relative_to(tree)): path for path in tree.rglob("*") if path.is_file()}
    return lab.boot(insmod="", extra=with_files(lab.initrd(), files))


def programs_root(lab: Lab) -> systems.Root:
    """The file system with servers and languages, and our packages."""
    others: dict[str, Path] = {path.name: path for path in FOLDER.iterdir() if path.suffix not in (".c", ".h")}
    ours = [path for path in debs(lab.kernel.suite).glob("*.deb") if "-dbgsym_" not in path.name]
    root = libraries_root(lab).installed(packages=["--no-install-recommends", *SERVERS]).changed(INSTALL, files=others)
    return root.installed(ours)


def system(lab: Lab) -> VM:
    """With our packages, and the servers running."""
    return lab.boot_system(programs_root(lab), memory=MEMORY)


def versions(root: systems.Root, askers: Sequence[Asker]) -> str:
    """Of the packages, as the root has them; a line each, of a document."""
    status = root.find("var/lib/dpkg/status")
    assert status
    entries = re.findall(r"^Package: (.*)\n(?:\S.*\n| .*\n)*?Version: (.*)$", status.read_text("utf-8"), re.MULTILINE)
    found = dict(entries)
    return "\n".join(f"    {asker.package} {found[asker.package]}" for asker in askers)
