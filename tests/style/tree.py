# SPDX-License-Identifier: MIT
"""The files of the tree, in a clone of git and in a tarball without git; and the commits since the base."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vmlib.limits import run_tool

DOCUMENT = "docs/style.md"


class Unknown(Exception):
    """The tree has no history that answers the question."""


@dataclass(frozen=True)
class Commit:
    name: str
    author: str
    subject: str
    body: str


class Tree:
    """The tree below a directory; base: a revision to compare with instead of the default."""

    def __init__(self, top: Path, base: str | None = None) -> None:
        self.top = top
        self.given_base = base

    @property
    def has_git(self) -> bool:
        return (self.top / ".git").exists()

    def _git(self, *words: str) -> str:
        return run_tool(["git", "-C", self.top, *words], 60, f"git {words[2] if words[0] == '-c' else words[0]}")

    @cached_property
    def files(self) -> list[str]:
        """The names of all files, without those that a build made."""
        if self.has_git:
            names = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
            return sorted({name for name in names if name and (self.top / name).is_file()})
        return sorted(self._walk(self.top))

    def _walk(self, directory: Path) -> Iterator[str]:
        lines = (self.top / ".gitignore").read_text("utf-8").splitlines()
        ignored = [line for line in lines if line and not line.startswith("#")]
        for path in directory.iterdir():
            name = str(path.relative_to(self.top))
            kind = "/" if path.is_dir() else ""
            if any(fnmatch.fnmatch(f"/{name}{kind}" if p.startswith("/") else path.name + kind, p.rstrip("/") + ("/" if p.endswith("/") else "")) for p in ignored):
                continue
            if path.is_dir() and not path.is_symlink():
                yield from self._walk(path)
            elif path.is_file():
                yield name

    @cached_property
    def texts(self) -> dict[str, str]:
        """The contents of all files that are text."""
        found = {}
        for name in self.files:
            content = (self.top / name).read_bytes()
            if b"\0" not in content:
                found[name] = content.decode("utf-8", "replace")
        return found

    @cached_property
    def base(self) -> str:
        """The commit to compare with: the last one that the given base and this tree have in common, or the one before docs/style.md."""
        if not self.has_git:
            raise Unknown("this tree has no git history")
        if self.given_base:
            return self._git("merge-base", self.given_base, "HEAD").strip()
        with_parents = self._git("log", "--diff-filter=A", "--reverse", "--format=%H %P", "HEAD", "--", DOCUMENT).split("\n")[0].split()
        if with_parents[1:]:
            return with_parents[1]
        # A shallow clone begins with a commit that adds every file, and has no parent.
        raise Unknown(f"this clone has no commit before {DOCUMENT}: git fetch --unshallow, or name one with --base")

    @cached_property
    def commits(self) -> list[Commit]:
        """The commits since the base, without merges."""
        log = self._git("log", "--no-merges", "--format=%H%x00%an <%ae>%x00%s%x00%b%x01", f"{self.base}..HEAD")
        rows = [row.strip("\n").split("\0") for row in log.split("\x01")]
        return [Commit(*row) for row in rows if len(row) == 4]
