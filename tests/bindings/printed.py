# SPDX-License-Identifier: MIT
"""The program and the commands that the README of a binding prints."""

from __future__ import annotations

import re
from pathlib import Path

READMES = {
    "python": "bindings/python/README.md",
    "go": "bindings/go/README.md",
    "rust": "bindings/rust/sysgenid/README.md",
    "node": "bindings/node/README.md",
    "java": "bindings/java/README.md",
}


def printed(top: Path, language: str) -> tuple[str, str, list[str]]:
    """Name and text of the program, and the commands, the first of which installs packages."""
    text = (top / READMES[language]).read_text("utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    name = re.search(r"^This program, `([\w.]+)`", text, re.MULTILINE)
    assert name and len(blocks) == 2 and blocks[1][0] == "sh", f"{READMES[language]} has no program and its commands"
    commands = blocks[1][1].splitlines()
    assert commands[0].startswith("apt install "), commands[0]
    return name[1], blocks[0][1], commands


def check(language: str, said: str) -> None:
    """The program has seeded in two generations, and has drawn no id twice."""
    ids = re.findall(r"^[0-9a-f]{16}$", said, re.MULTILINE)
    seeds = re.findall(r"^seeded in generation (\d+)$", said, re.MULTILINE)
    assert len(ids) == len(set(ids)) == 6 and seeds[:2] == ["0", "1"], f"{language}:\n{said}"
