# SPDX-License-Identifier: MIT
"""What the tests of all bindings do with the commands of their languages."""

import os
import subprocess
import sys
from pathlib import Path

SKIP = 77


def run(*command: str | Path, where: Path | None = None, given: str = "", **environment: str) -> str:
    """What the command printed; ends the test if it failed."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **environment},
        cwd=where,
        input=given,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def draw_twice(*command: str | Path, **options: Path | str) -> None:
    """Runs the example that draws an id for each line it reads."""
    ids = run(*command, given="\n\n", **options).split()
    assert len(ids) == len(set(ids)) == 2, ids
