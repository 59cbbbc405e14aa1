# SPDX-License-Identifier: MIT
"""The kernels of kernels.list and built-kernels.list: which version that is today, and its image.

A row names metapackages. This module looks them up at most once a day, for all
kernels of a suite together, and keeps the answer. Without a network the last
answer serves. The image is unpacked, never installed.
"""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import cache, repo
from .apt import Apt
from .architectures import ALL, HOST, Architecture
from .limits import Timeout, ToolError, Unavailable, run_tool

T = TypeVar("T")

LOOK_AGAIN = 86400.0
# The real packages behind a metapackage; newer kernels are split over several. Modules are not needed.
IMAGE_PACKAGES = r"linux-(image|binary|base)-[0-9].*"
WANTED = ("./boot/*", "./usr/lib/modules/*/vmlinuz", "./usr/lib/modules/*/config")
HEADERS_PACKAGE = r"linux-headers-[0-9].*"

TESTS = ("all", "core")
EXPECTATIONS = ("works", "works-if-there")


@dataclass(frozen=True)
class Kernel:
    """A row of kernels.list, which says what the columns mean, or, if it has fragments, of built-kernels.list."""

    name: str
    suite: str
    image: str
    headers: str
    tests: str = "all"
    expectation: str = "works"
    fragments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for value, known in ((self.tests, TESTS), (self.expectation, EXPECTATIONS)):
            if value not in known:
                raise ToolError(f"kernels.list: {self.name}: {value!r} is none of {', '.join(known)}")

    @property
    def architecture(self) -> Architecture:
        """That of the image, whose name ends with it."""
        return ALL.get(self.image.rpartition("-")[2], ALL[HOST])

    @property
    def index(self) -> str:
        """The suite, and the architecture if it is not the host's: kernels that are looked up together."""
        return f"{self.suite}-{self.architecture.name}" if self.architecture.foreign else self.suite

    @property
    def apt(self) -> Apt:
        return Apt(self.suite, self.architecture.name)

    @property
    def may_be_absent(self) -> bool:
        return self.expectation == "works-if-there"


@dataclass(frozen=True)
class Version:
    """What a kernel's metapackages stood for when they were looked up."""

    release: str
    image_packages: tuple[tuple[str, str], ...]
    headers_version: str


@dataclass(frozen=True)
class Image:
    """An unpacked kernel image."""

    release: str
    vmlinuz: Path
    config: Path

    def has(self, option: str) -> bool:
        """Whether the kernel was built with this option (y or m)."""
        text = self.config.read_text("utf-8")
        return re.search(rf"^CONFIG_{option}=[ym]$", text, re.MULTILINE) is not None


def _rows(file: str) -> Iterator[list[str]]:
    for row in (repo.VM / file).read_text("utf-8").splitlines():
        if row.strip() and not row.startswith("#"):
            yield row.split()


@functools.cache
def all_kernels() -> tuple[Kernel, ...]:
    """The distributions' kernels."""
    return tuple(Kernel(*row) for row in _rows("kernels.list"))


@functools.cache
def built_kernels() -> tuple[Kernel, ...]:
    """The kernels that are built here."""
    rows = _rows("built-kernels.list")
    return tuple(Kernel(name, suite, "linux-source", "", fragments=tuple(rest)) for name, suite, *rest in rows)


def get_kernel(name: str) -> Kernel:
    for kernel in all_kernels() + built_kernels():
        if kernel.name == name:
            return kernel
    known = ", ".join(k.name for k in all_kernels() + built_kernels())
    raise ToolError(f"no kernel {name} in kernels.list; there are {known}")


def beside(kernel: Kernel) -> list[Kernel]:
    """The kernels of its suite and architecture, itself among them."""
    return [k for k in all_kernels() if k.index == kernel.index]


def _record(name: str) -> Path:
    path = cache.folder() / "resolved" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    return path


def looked_up(suite: str, name: str, look: Callable[[], T], complete: Callable[[T], bool] = bool) -> T:
    """What look found, today or, if it cannot look, when it last could."""
    record = _record(name)
    with cache.locked(f"resolved-{suite}"):
        answer: T | None = json.loads(record.read_text("utf-8")) if record.exists() else None
        if answer is not None and not complete(answer):
            answer = None
        if answer is None or time.time() - record.stat().st_mtime > LOOK_AGAIN:
            try:
                answer = look()
                aside = record.with_suffix(".new")
                aside.write_text(json.dumps(answer, indent=1) + "\n", "utf-8")
                aside.rename(record)
            except (ToolError, Timeout) as e:
                if answer is None:
                    raise
                cache.note(f"{name} could not be looked up, the last answer serves: {e}")
    return answer


def _look_up(wanted: Kernel) -> dict[str, dict[str, object]]:
    cache.note(f"looking up the kernels of {wanted.index}")
    apt = wanted.apt
    if apt.is_gone():
        raise Unavailable(f"the archive has no suite {wanted.suite} any more")
    apt.update()
    found: dict[str, dict[str, object]] = {}
    for kernel in beside(wanted):
        images = apt.depends(kernel.image, IMAGE_PACKAGES)
        headers = dict(apt.depends(kernel.headers, HEADERS_PACKAGE))
        releases = [n.removeprefix("linux-image-") for n, _ in images if n.startswith("linux-image-")]
        if len(releases) != 1 or f"linux-headers-{releases[0]}" not in headers:
            raise ToolError(f"{wanted.index}: {kernel.image} is {images}, {kernel.headers} is {sorted(headers)}")
        found[kernel.name] = {
            "row": [kernel.suite, kernel.image, kernel.headers],
            "release": releases[0],
            "image_packages": images,
            "headers_version": headers[f"linux-headers-{releases[0]}"],
        }
    return found


def version(kernel: Kernel) -> Version:
    """What the kernel is today."""
    if kernel.fragments:
        from . import built  # it needs roots, and they need this module

        return built.version(kernel)

    def complete(rows: dict[str, dict[str, object]]) -> bool:
        return all(rows.get(k.name, {}).get("row") == [k.suite, k.image, k.headers] for k in beside(kernel))

    rows = looked_up(kernel.suite, kernel.index, lambda: _look_up(kernel), complete)
    row = rows[kernel.name]
    packages = tuple((str(n), str(v)) for n, v in row["image_packages"])  # type: ignore[attr-defined]
    return Version(str(row["release"]), packages, str(row["headers_version"]))


def retry_after_look_up(kernel: Kernel, use: Callable[[], T]) -> T:
    """Call use; if that fails, once more with a fresh look: the mirror may have moved on meanwhile."""
    try:
        return use()
    except ToolError as e:
        cache.note(f"{kernel.name}: {str(e).splitlines()[0]}; looking up its version again")
        _record(f"source-{kernel.suite}" if kernel.fragments else kernel.index).unlink(missing_ok=True)
        return use()


def image(kernel: Kernel) -> Image:
    """The kernel's image, from the cache or the archive."""
    from . import built  # as above

    return retry_after_look_up(kernel, lambda: built.image(kernel) if kernel.fragments else _image(kernel))


def _image(kernel: Kernel) -> Image:
    today = version(kernel)

    def make(to: Path) -> list[str]:
        tree = to / "tree"
        tree.mkdir()
        for package, package_version in today.image_packages:
            deb = kernel.apt.download(package, package_version, to)
            pattern = ["--wildcards", "--no-wildcards-match-slash", *WANTED]
            script = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" "${@:3}" || test "${PIPESTATUS[0]}" = 0'
            run_tool(["bash", "-c", script, "unpack", deb, tree, *pattern], 120, f"unpacking {package}")
            deb.unlink()
        found = {
            "vmlinuz": [*tree.glob("boot/vmlinuz-*"), *tree.glob("usr/lib/modules/*/vmlinuz")],
            "config": [*tree.glob("boot/config-*"), *tree.glob("usr/lib/modules/*/config")],
        }
        for name, paths in found.items():
            if len(paths) != 1:
                raise ToolError(f"{today.image_packages}: {name} is {paths}")
            paths[0].rename(to / name)
        run_tool(["rm", "-r", tree], 60, "removal of the unpacked package")
        return list(found)

    recipe: cache.Recipe = {"packages": [list(p) for p in today.image_packages], "layout": 1}
    path = cache.entry("image", recipe, make)
    return Image(today.release, path / "vmlinuz", path / "config")
