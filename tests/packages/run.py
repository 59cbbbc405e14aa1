#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the Debian packages, without a virtual machine; they are built first, by an ordinary user with no network.

usage: run.py [--full] [--write]
  --full   for every suite, not only for the oldest that builds them, and for arm64
  --write  only write the lists of files in docs/packaging.md
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "vm"), str(TOP / "tests" / "bindings")]

from printed import READMES, check, printed  # noqa: E402
from vmlib import cache, repo, systems  # noqa: E402
from vmlib.apt import Apt  # noqa: E402
from vmlib.debs import Manner, build, copy, debs, sources, tarball  # noqa: E402
from vmlib.kernels import get_kernel  # noqa: E402
from vmlib.limits import run_tool  # noqa: E402
from vmlib.report import Check, Failure, report  # noqa: E402
from vmlib.rpms import dkms_root  # noqa: E402

HERE = Path(__file__).resolve().parent
IN_OVERLAY = repo.VM / "vmlib" / "in-overlay"
OLDEST = "bookworm"
NEWER = ("trixie", "sid")
DOCUMENT = TOP / "docs" / "packaging.md"
BEGIN, END = "<!-- files of the .debs: tests/packages/run.py --write -->", "<!-- end of the files of the .debs -->"
LATER_DAYS = 400
EXECUTABLE = re.compile(
    r"/usr/s?bin/|/usr/lib/[^/]+/sysgenid/|/usr/lib/systemd/system-generators/|/usr/share/sysgenid/(fsfreeze-hook|hooks/\d)"
)


def packages(suite: str) -> list[Path]:
    """The .debs, without those of debugging symbols."""
    return [p for p in sorted(debs(suite).glob("*.deb")) if "-dbgsym_" not in p.name]


def name_of(deb: Path) -> str:
    return deb.name.split("_")[0]


def members(deb: Path) -> Iterator[tuple[str, str, str]]:
    """Mode, owner and name, as tar shows them, of all but directories."""
    for line in run_tool(["dpkg-deb", "--contents", deb], 60, f"contents of {deb.name}").splitlines():
        mode, owner, _, _, _, name = line.split(None, 5)
        if not mode.startswith("d"):
            yield mode, owner, name.removeprefix(".")


def files(deb: Path) -> list[str]:
    """What the package installs, in the words of the document."""
    names = [name for _, _, name in members(deb)]
    names = [re.sub(r"(/sysgenid-)[0-9][^/]*", r"\1VERSION", n) for n in names]
    return sorted(re.sub(r"/usr/lib/[a-z0-9_]+-linux-gnu[a-z0-9]*/", "/usr/lib/TRIPLET/", n) for n in names)


def document() -> str:
    """The lists of files, as docs/packaging.md has them."""
    parts = [f"{name_of(deb)}:\n\n" + "".join(f"    {name}\n" for name in files(deb)) for deb in packages(OLDEST)]
    return f"{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}"


def documented() -> tuple[str, str, str]:
    """The document before its lists of files, the lists, and what follows."""
    match = re.fullmatch(f"(.*)({re.escape(BEGIN)}.*{re.escape(END)})(.*)", DOCUMENT.read_text("utf-8"), re.DOTALL)
    if not match:
        raise Failure(f"{DOCUMENT.relative_to(TOP)} has no place for the lists of files")
    return match[1], match[2], match[3]


def check_files() -> None:
    known, found = (text.splitlines() for text in (documented()[1], document()))
    changes = [f"not documented: {n}" for n in found if n not in known] + [f"gone: {n}" for n in known if n not in found]
    if changes or known != found:
        raise Failure("\n".join([*changes, "tests/packages/run.py --write writes the lists anew"]))


def check_modes() -> None:
    wrong = []
    for deb in packages(OLDEST):
        for mode, owner, name in members(deb):
            good = {"-rwxr-xr-x"} if EXECUTABLE.match(name) else {"-rw-r--r--", "lrwxrwxrwx"}
            if owner != "root/root" or mode not in good:
                wrong.append(f"{deb.name}: {mode} {owner} {name}")
    if wrong:
        raise Failure("\n".join(wrong))


def check_symbols() -> None:
    """What the version script exports is what debian/*.symbols promises to other packages."""
    exported = set(re.findall(r"^\t(sysgenid_\w+);", (repo.TOP / "lib" / "libsysgenid.map").read_text("utf-8"), re.M))
    promised = set(re.findall(r"^ (sysgenid_\w+)@", (TOP / "debian" / "libsysgenid0.symbols").read_text("utf-8"), re.M))
    if not exported or exported != promised:
        raise Failure(f"only in libsysgenid.map: {exported - promised}; only in the symbols file: {promised - exported}")


# What docs/releasing.md says of an upload: the lintian of Debian 12 is older than the policy, and no bug has a number
# yet. And the directory debian is part of the tarball. sid's lintian has no longer the last tag, and refuses an override
# for it. The units are for systemd alone: other init systems wait for udev's first events.
LACKING = "newer-standards-version,initial-upload-closes-no-bugs,no-debian-changes,package-supports-alternative-init-but-no-init.d-script"


def lint(path: Path) -> None:
    command = ["lintian", "--allow-root", "--pedantic", "--display-info", "--fail-on", "error,warning,info,pedantic"]
    command += ["--suppress-tags", LACKING]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=300, check=False)
    text = (done.stdout + done.stderr).strip()
    if done.returncode or text:
        raise Failure(text or f"exit status {done.returncode}")


def check_lint_binary() -> None:
    (changes,) = debs(OLDEST).glob("*.changes")
    lint(changes)


def check_lint_source() -> None:
    """The source package, of the tarball that meson makes."""
    with tempfile.TemporaryDirectory(prefix="sysgenid-source-") as name:
        work = Path(name)
        tree = unpacked(work)
        (work / f"{tree.name}.tar.xz").rename(work / f"sysgenid_{repo.version()}.orig.tar.xz")
        run_tool(["dpkg-source", "--build", tree.name], 120, "dpkg-source", cwd=work)
        (dsc,) = work.glob("*.dsc")
        lint(dsc)


def unpacked(work: Path) -> Path:
    """The tree of the tarball, which lies beside."""
    archive = tarball(work)
    run_tool(["tar", "--extract", "--file", archive, "-C", work], 60, "tar")
    return work / archive.name.removesuffix(".tar.xz")


def check_tarball() -> None:
    """Built from the tarball, with the tests of the build, every package is that of the work tree to the bit."""
    with tmpfs() as work, tempfile.TemporaryDirectory(prefix="sysgenid-source-") as name:
        same_as_first(OLDEST, build(OLDEST, work, top=unpacked(Path(name))))


def same_as_first(suite: str, second: list[Path]) -> None:
    first = debs(suite).glob("*.deb")
    hashes = [{p.name: cache.file_hash(p) for p in ps} for ps in (first, second)]
    different = sorted(n for n in {*hashes[0], *hashes[1]} if hashes[0].get(n) != hashes[1].get(n))
    if different or not hashes[0]:
        raise Failure(f"not the same: {', '.join(different)}")


def faketime(suite: str) -> Path:
    """The suite's library that makes a clock go wrong."""

    def make(to: Path) -> list[str]:
        apt = Apt(suite)
        apt.update()
        deb = apt.download("libfaketime", apt.show("libfaketime")["Version"], to)
        run_tool(["dpkg-deb", "--extract", deb, to / "tree"], 60, "unpacking libfaketime")
        (library,) = (to / "tree").rglob("libfaketime.so.1")
        library.rename(to / library.name)
        run_tool(["rm", "-r", to / "tree", deb], 60, "removal of the unpacked package")
        return [library.name]

    return cache.entry("faketime", {"suite": suite, "layout": 1}, make) / "libfaketime.so.1"


def built_on(folder: Path) -> datetime:
    (info,) = folder.glob("*.buildinfo")
    match = re.search(r"^Build-Date: (.*)$", info.read_text("utf-8"), re.MULTILINE)
    if not match:
        raise Failure("the .buildinfo has no Build-Date")
    return datetime.strptime(match[1], "%a, %d %b %Y %H:%M:%S %z")


@contextlib.contextmanager
def tmpfs() -> Iterator[Path]:
    """An empty directory in memory."""
    with tempfile.TemporaryDirectory(prefix="sysgenid-packages-") as name:
        run_tool(["mount", "-t", "tmpfs", "tmpfs", name], 30, "a tmpfs")
        try:
            yield Path(name)
        finally:
            run_tool(["umount", "--lazy", name], 30, "the end of the tmpfs")


def check_reproducible(suite: str) -> None:
    """Built again elsewhere, later, by somebody else and in another way, every package is the same to the bit."""
    with tmpfs() as work:
        library = work / "libfaketime.so.1"
        library.write_bytes(faketime(suite).read_bytes())
        environment = (
            "LC_ALL=POSIX", "LANGUAGE=de", "TZ=AHEAD-14", "DEB_BUILD_OPTIONS=nocheck parallel=1",
            f"LD_PRELOAD=/build/{library.name}", f"FAKETIME=+{LATER_DAYS}d", "NO_FAKE_STAT=1",
        )  # fmt: skip
        manner = Manner("a-folder-elsewhere-with-a-longer-name", 4321, "077", environment, backwards=True)
        second = build(suite, work, manner=manner)
        first = debs(suite)
        if (built_on(work) - built_on(first)).days < LATER_DAYS - 1:
            raise Failure("the second build had the first one's clock")
        same_as_first(suite, second)


def check_dkms(suite: str) -> None:
    with tmpfs() as work:
        shared = work / "files"
        shared.mkdir()
        for path in [*packages(suite), HERE / "dkms.sh"]:
            shutil.copyfile(path, shared / path.name)
        copy(shared / "source", sources())
        isolate = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--net", "--"]
        command = [*isolate, IN_OVERLAY, dkms_root(f"{suite}-cloud"), work, shared, "sh", "/mnt/dkms.sh"]
        run_tool(["nice", *command], 900, "dkms.sh")


def check_bindings() -> None:
    """Each program is run by the commands beside it, by root of a stock system with our packages."""
    stock = systems.stock(get_kernel(f"{OLDEST}-cloud")).installed(packages(OLDEST))
    shared = {str(path.relative_to(TOP)): path for path in sources(["bindings"])}
    with tempfile.TemporaryDirectory(prefix="sysgenid-bindings-") as name:
        for language in READMES:
            program, text, commands = printed(TOP, language)
            (Path(name) / program).write_text(text, "utf-8")
            script = "\n".join(["set -eu", "cp -R /mnt /tmp/work", "cd /tmp/work", "apt() { apt-get -q -y \"$@\"; }", *commands])
            files = shared | {program: Path(name) / program}
            check(language, stock.changed(script, files=files).log)


def elf_machines(deb: Path) -> Iterator[tuple[str, str]]:
    """Name and machine of each program, library and object that the package has."""
    with tempfile.TemporaryDirectory(prefix="sysgenid-deb-") as name:
        run_tool(["dpkg-deb", "--extract", deb, name], 60, f"unpacking {deb.name}")
        for path in sorted(Path(name).rglob("*")):
            if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF":
                header = run_tool(["readelf", "-h", path], 30, f"readelf of {path.name}")
                found = re.search(r"^ +Machine: +(.*)$", header, re.MULTILINE)
                yield str(path.relative_to(name)), found[1] if found else "?"


def listed() -> dict[str, list[str]]:
    """The files of each package, as docs/packaging.md has them."""
    found = re.findall(r"^([a-z0-9-]+):\n\n((?: {4}.*\n)+)", documented()[1], re.MULTILINE)
    return {name: [line.strip() for line in lines.splitlines()] for name, lines in found}


def of_architectures() -> set[str]:
    """The packages that are built for each architecture."""
    control = (TOP / "debian" / "control").read_text("utf-8")
    return {name for name, kind in re.findall(r"^Package: (.*)\n(?:.+\n)*?Architecture: (.*)$", control, re.MULTILINE) if kind != "all"}


def check_cross(architecture: str, machine: str) -> None:
    """Cross-built: the same files as ours, all programs for the other machine, and lintian content. What is for all
    architectures is built once."""
    folder = debs(OLDEST, architecture=architecture)
    cross = {name_of(deb): deb for deb in sorted(folder.glob("*.deb")) if "-dbgsym_" not in deb.name}
    expected = {name: names for name, names in listed().items() if name in of_architectures()}
    wrong = [f"{name} is there for one architecture only" for name in expected.keys() ^ cross.keys()]
    for name in expected.keys() & cross.keys():
        if not cross[name].name.endswith(f"_{architecture}.deb"):
            wrong.append(f"{cross[name].name} is not for {architecture}")
        wrong += [f"{name}: only one has {path}" for path in {*expected[name]} ^ {*files(cross[name])}]
        wrong += [f"{name}: {path} is for {found}" for path, found in elf_machines(cross[name]) if found != machine]
    if wrong or not expected:
        raise Failure("\n".join(sorted(wrong)) or "the document lists no package")
    (changes,) = folder.glob("*.changes")
    lint(changes)


def check_built() -> None:
    if not packages(OLDEST):
        raise Failure("no packages")


def checks(full: bool) -> Iterator[tuple[str, Check]]:
    """All checks; those that wait for no other come first."""
    yield f"packages, {OLDEST}: built", check_built
    yield f"packages, {OLDEST}: reproducible", lambda: check_reproducible(OLDEST)
    yield "lintian, source", check_lint_source
    yield f"packages, {OLDEST}: dkms, kernels good and strange", lambda: check_dkms(OLDEST)
    yield "lintian, packages", check_lint_binary
    yield "symbols file and version script agree", check_symbols
    yield "files, as documented", check_files
    yield "modes and owners", check_modes
    if full:
        yield f"packages, {OLDEST}: cross-built for arm64", lambda: check_cross("arm64", "AArch64")
        yield f"packages, {OLDEST}: the same from the tarball", check_tarball
        yield "the READMEs of the bindings, in a fresh Debian 12", check_bindings
    for suite in NEWER if full else ():
        yield f"packages, {suite}: reproducible", functools.partial(check_reproducible, suite)
        yield f"packages, {suite}: dkms, kernels good and strange", functools.partial(check_dkms, suite)


def main() -> int:
    os.chdir(TOP)
    options = sys.argv[1:]
    if not {*options} <= {"--full", "--write"}:
        print(__doc__.strip().partition("\n\n")[2])
        return 2
    if "--write" in options:
        before, _, after = documented()
        DOCUMENT.write_text(before + document() + after, "utf-8")
        return 0
    return report(checks("--full" in options))


sys.exit(main())
