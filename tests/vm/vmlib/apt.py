# SPDX-License-Identifier: MIT
"""Debian packages of any suite, through apt, without touching the host's apt.

The mirror is the one that the host's apt uses for Debian; other origins that
the machine may have are ignored. Each suite gets a state directory of its own in
the cache, and apt checks signatures and hashes as always. Expired Release files
are accepted: moving suites on slow mirrors, and suites past their support, have
them.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from pathlib import Path

from . import cache
from .architectures import HOST
from .limits import ToolError, run_tool

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Suites that move have neither updates nor security beside them.
MOVING = ("sid", "experimental")

UPDATE_LIMIT = 180.0
DOWNLOAD_LIMIT = 600.0


@functools.cache
def mirrors() -> dict[str, str]:
    """URIs by label: "Debian", and "Debian-Security" where the host uses it."""
    listing = ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Identifier: Packages"]

    def look() -> dict[str, str]:
        rows = [line.split("|") for line in run_tool(listing, 30, "apt's list of sources").splitlines()]
        return {row[1]: row[2] for row in rows if len(row) == 3 and row[0] == "Debian"}

    found = look()
    if "Debian" not in found:
        # Before the first update apt does not know who a source is. Failures of
        # other people's sources do not matter.
        try:
            run_tool(["apt-get", "update"], UPDATE_LIMIT, "apt-get update")
        except ToolError as e:
            cache.note(str(e).splitlines()[0])
        found = look()
    if "Debian" not in found:
        raise ToolError("apt on this machine has no Debian source with an index")
    return found


class Apt:
    """The packages of one suite and architecture."""

    def __init__(self, suite: str, architecture: str = HOST) -> None:
        self.suite = suite
        self.architecture = architecture
        self.base = suite.removesuffix("-backports")
        self.folder = cache.folder() / "apt" / (suite if architecture == HOST else f"{suite}-{architecture}")
        self._config = self.folder / "apt.conf"

    def sources(self) -> list[str]:
        """The sources.list lines of the suite and of what it builds on."""
        uris = mirrors()
        wanted = [(uris["Debian"], "sid" if self.base in MOVING else self.base)]
        if self.base not in MOVING:
            optional = [(uris["Debian"], f"{self.base}-updates")]
            if "Debian-Security" in uris:
                optional.append((uris["Debian-Security"], f"{self.base}-security"))
            wanted += [pair for pair in optional if self._exists(*pair)]
        if self.suite not in (self.base, "sid") or self.suite == "experimental":
            wanted.append((uris["Debian"], self.suite))
        return [f"deb [signed-by={KEYRING}] {uri} {name} main" for uri, name in wanted]

    def options(self) -> list[str]:
        """What any apt must be told to work with this suite."""
        lines = ['Acquire::Check-Valid-Until "false";', 'Acquire::Languages "none";']
        if self.suite not in (self.base, "sid") or self.suite == "experimental":
            lines.append(f'APT::Default-Release "{self.suite}";')
        return lines

    def _exists(self, uri: str, name: str) -> bool:
        probe = self.folder / "probe"
        helper = ["/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root", "download-file"]
        try:
            run_tool([*helper, f"{uri.rstrip('/')}/dists/{name}/InRelease", probe], 60, f"a look for suite {name}")
        except ToolError:
            return False
        finally:
            probe.unlink(missing_ok=True)
        return True

    def is_gone(self) -> bool:
        """Whether the mirror answers, but not for this suite."""
        uri = mirrors()["Debian"]
        self.folder.mkdir(parents=True, exist_ok=True)
        return not self._exists(uri, self.suite) and self._exists(uri, "stable")

    def update(self) -> None:
        """Fetch the indexes."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("lists/partial", "archives/partial", "parts"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text("\n".join(self.sources()) + "\n", "utf-8")
        self._config.write_text(
            "\n".join(
                [
                    *self.options(),
                    f'APT::Architecture "{self.architecture}";',
                    'APT::Sandbox::User "root";',
                    "#clear APT::Update::Post-Invoke;",
                    "#clear APT::Update::Post-Invoke-Success;",
                    f'Dir::Etc::sourcelist "{self.folder}/sources.list";',
                    f'Dir::Etc::sourceparts "{self.folder}/parts";',
                    f'Dir::Etc::preferences "{self.folder}/none";',
                    f'Dir::Etc::preferencesparts "{self.folder}/parts";',
                    f'Dir::State::lists "{self.folder}/lists";',
                    f'Dir::State::status "{self.folder}/status";',
                    f'Dir::State::extended_states "{self.folder}/extended_states";',
                    f'Dir::Cache::archives "{self.folder}/archives";',
                    'Dir::Cache::pkgcache "";',
                    'Dir::Cache::srcpkgcache "";',
                ]
            )
            + "\n",
            "utf-8",
        )
        self._apt("apt-get", "update", "--error-on=any", limit=UPDATE_LIMIT, what=f"the package lists of {self.suite}")

    def _apt(self, *argv: str, limit: float, what: str, cwd: Path | None = None) -> str:
        env = {**os.environ, "APT_CONFIG": str(self._config), "LC_ALL": "C.UTF-8"}
        return run_tool(argv, limit, what, cwd=cwd, env=env)

    def show(self, package: str) -> dict[str, str]:
        """The fields of the version that apt would install."""
        text = self._apt("apt-cache", "show", "--no-all-versions", package, limit=60, what=f"package {package}")
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", text, re.MULTILINE))
        if "Version" not in fields:
            raise ToolError(f"{self.suite} has no package {package}")
        return fields

    def depends(self, package: str, pattern: str) -> list[tuple[str, str]]:
        """Name and version of the dependencies, at any depth, whose names match."""
        found: dict[str, str] = {}
        queue = [package]
        while queue:
            for name in re.findall(r"[a-z0-9][a-z0-9+.-]+", self.show(queue.pop()).get("Depends", "")):
                if re.fullmatch(pattern, name) and name not in found:
                    found[name] = self.show(name)["Version"]
                    queue.append(name)
        return sorted(found.items())

    def download(self, package: str, version: str, to: Path) -> Path:
        """Fetch one .deb into the directory."""
        what = f"download of {package} {version}"
        cache.note(what)
        self._apt("apt-get", "download", f"{package}={version}", limit=DOWNLOAD_LIMIT, what=what, cwd=to)
        (deb,) = to.glob(f"{package}_*.deb")
        return deb


class Sources(Apt):
    """The source packages of one suite, without its updates."""

    def __init__(self, suite: str) -> None:
        super().__init__(suite)
        self.folder = cache.folder() / "apt" / f"{suite}-sources"
        self._config = self.folder / "apt.conf"

    def sources(self) -> list[str]:
        return [f"deb-src [signed-by={KEYRING}] {mirrors()['Debian']} {self.suite} main"]

    def tarball(self, package: str, to: Path) -> Path:
        """Fetch what upstream released, without Debian's changes."""
        what = f"download of the source of {package}"
        cache.note(what)
        command = ["apt-get", "source", "--download-only", "--tar-only", package]
        self._apt(*command, limit=DOWNLOAD_LIMIT, what=what, cwd=to)
        (found,) = (path for path in to.glob(f"{package}_*.orig.tar.*") if path.suffix != ".asc")
        return found
