# SPDX-License-Identifier: MIT
"""One cache directory that every clone of the repository shares.

An entry is a directory named by a hash of all that it was made from, so it is
never stale, only unused. An entry is made aside and renamed into place, under a
lock per entry. So two runs neither see half an entry nor make one twice. A
manifest names the files that matter with their hashes; they are checked at
each use, and a broken entry is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

KEEP_DAYS = 30
MANIFEST = "manifest.json"

Recipe = dict[str, object]


def folder() -> Path:
    """The cache directory; made if it is not there."""
    base = os.environ.get("SYSGENID_CACHE")
    if base:
        path = Path(base)
    else:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        path = Path(home) / "sysgenid"
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def note(text: str) -> None:
    """Say what takes long; to standard error, so that results stay readable."""
    print(f"  .. {text}", file=sys.stderr, flush=True)


def file_hash(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def tree_hash(base: Path, files: Iterable[Path]) -> str:
    """One hash for the names (relative to base) and contents of files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(base)} {file_hash(path)}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Hold the lock of this file, against other processes too."""
    with path.open("w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock of the cache."""
    locks = folder() / "locks"
    locks.mkdir(exist_ok=True)
    with locked_file(locks / name):
        yield


def _intact(path: Path) -> bool:
    try:
        files = json.loads((path / MANIFEST).read_text("utf-8"))["files"]
        return all(file_hash(path / name) == value for name, value in files.items())
    except (OSError, ValueError, KeyError):
        return False


def _remove(path: Path) -> None:
    """A tool that was killed may have left mounts of the host's own directories in there."""
    subprocess.run(["rm", "-rf", "--one-file-system", path], stderr=subprocess.DEVNULL, check=False)


def _discard(path: Path) -> None:
    aside = Path(tempfile.mkdtemp(dir=_aside()))
    path.rename(aside / "entry")
    _remove(aside)


def _aside() -> Path:
    path = folder() / "tmp"
    path.mkdir(exist_ok=True)
    return path


def key(made_from: Recipe) -> str:
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:24]


def entry(kind: str, made_from: Recipe, make: Callable[[Path], Iterable[str]]) -> Path:
    """The directory of the entry; make() fills it and returns the files that matter."""
    name = key(made_from)
    path = folder() / kind / name
    with locked(f"{kind}-{name}"):
        if path.exists():
            if _intact(path):
                os.utime(path)
                return path
            note(f"cache entry {kind}/{name} is broken: making it anew")
            _discard(path)
        path.parent.mkdir(exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=_aside()))
        try:
            fresh = work / "entry"
            fresh.mkdir()
            files = {str(f): file_hash(fresh / f) for f in make(fresh)}
            manifest = {"made_from": made_from, "files": files}
            (fresh / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
            fresh.rename(path)
        finally:
            _remove(work)
    return path


def prune(days: float = KEEP_DAYS) -> list[str]:
    """Remove what was not used for so many days; returns the names. Looks once a day."""
    base = folder()
    stamp = base / "pruned"
    oldest = time.time() - days * 86400
    removed = []
    with locked("prune"):
        if stamp.exists() and time.time() - stamp.stat().st_mtime < 86400:
            return []
        stamp.touch()
        for path in [*base.glob("*/*")]:
            with contextlib.suppress(FileNotFoundError):
                kind = path.parent.name
                if path.lstat().st_mtime >= oldest:
                    continue
                if kind == "locks":
                    path.unlink()
                elif kind == "tmp":
                    _remove(path)
                elif (path / MANIFEST).exists():
                    with locked(f"{kind}-{path.name}"):
                        _discard(path)
                    removed.append(f"{kind}/{path.name}")
    return removed
