# SPDX-License-Identifier: MIT
"""sysgenid-runtime beside the overseer, with the distribution's crun and runc, and a container made of busybox."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import cache, mutants, overseer, repo, systems
from .kernels import Kernel

PACKAGES = ("crun", "runc", "busybox-static", "libmd-dev", "libssl-dev")
TOOL = "/bin/sysgenid-runtime"
# Which takes the overseer's word for it.
MUTANT = "runtime-overseer-alone.patch"
MUTANT_TOOL = "/bin/runtime-overseer-alone"
PROGRAMS = {"usr/bin/sysgenid-runtime": "bin", "usr/bin/runtime-overseer-alone": "bin", "usr/bin/crun": "usr/bin", "usr/sbin/runc": "usr/sbin"}
PROGRAMS["usr/lib/sysgenid/runtime-policy"] = "usr/lib/sysgenid"
SHARED = ("include", "lib", "module/uapi")

INSTALL = """
set -e
cd /mnt
build() {
	gcc -std=gnu11 -O1 -g -Iinclude -Imodule/uapi -Ilib -pthread -o "/usr/bin/$1" \\
		$(ls "$2"/containers/*.c | grep -v -e policy-main.c -e signature.c) lib/*.c $(pkg-config --cflags --libs inih json-c libmd)
}
verifier="json pattern policy signals errors ready records slot policy-main signature"
gcc -std=gnu11 -O1 -g -Iinclude -Imodule/uapi -Ilib -pthread -o /usr/lib/sysgenid/runtime-policy \\
	$(for name in $verifier; do echo containers/$name.c; done) lib/*.c $(pkg-config --cflags --libs json-c libmd libcrypto)
build sysgenid-runtime .
build runtime-overseer-alone mutant
"""


def _sources() -> dict[str, Path]:
    own = {f"containers/{path.name}": path for path in (repo.TOP / "containers").glob("*.[ch]")}
    own["overseer/protocol.h"] = repo.TOP / "overseer/protocol.h"
    patch = repo.TOP / "tests/mutants" / MUTANT
    recipe: cache.Recipe = {"patch": cache.file_hash(patch), "files": cache.tree_hash(repo.TOP, {*own.values()})}

    def make(to: Path) -> list[str]:
        for name, path in own.items():
            (to / name).parent.mkdir(exist_ok=True)
            shutil.copy(path, to / name)
        mutants.apply(patch, to)
        return list(own)

    entry = cache.entry("mutant", recipe, make)
    shared = [path for folder in SHARED for path in (repo.TOP / folder).rglob("*.[ch]")]
    return {**own, **{f"mutant/{name}": entry / name for name in own}, **{str(path.relative_to(repo.TOP)): path for path in shared}}


def root(kernel: Kernel, packages: Sequence[str] = ()) -> systems.Root:
    """The overseer's root with the runtime, and more packages."""
    return overseer.root(kernel, (*PACKAGES, *packages)).changed(INSTALL, files=_sources())


def files(kernel: Kernel) -> dict[str, Path]:
    """What a small guest needs, by path there: the overseer and the runtimes."""
    return overseer.files(kernel, root(kernel), PROGRAMS)


def config(args: Sequence[str], network: bool = False) -> str:
    """Of a container with a root file system that it may write to. network: one of its own."""
    namespaces = ["pid", "mount", "ipc", "uts", *(["network"] if network else [])]
    capabilities = ["CAP_KILL", "CAP_NET_ADMIN", "CAP_NET_RAW"]
    spec: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": list(args),
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {name: capabilities for name in ("bounding", "effective", "permitted")},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "container",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        ],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": name} for name in namespaces],
        },
    }
    return json.dumps(spec)
