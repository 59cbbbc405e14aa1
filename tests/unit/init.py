#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sysgenid-overseer --init as the first process of a pid namespace, with a /run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

OVERSEER = Path(sys.argv.pop(1)).resolve()
NAMESPACES = ["unshare", "--pid", "--mount", "--net", "--fork", "--kill-child"]
# /proc is that of the namespace, so that its mount point is one already; /run is, too.
PREPARE = 'mount -t proc proc /proc && mount -t tmpfs run /run && exec "$@"'

# What the command does. The overseer is the child of the first process that is not the command.
LIBRARY = """
overseer() {
	for p in /proc/[0-9]*; do
		read -r pid name state parent rest <$p/stat 2>/dev/null || continue
		[ "$parent" = 1 ] && [ "$pid" != $$ ] && [ "$state" != Z ] && [ "$name" = '(sysgenid-overse)' ] && echo $pid && return
	done
	return 1
}
until_true() {
	n=0
	until "$@"; do n=$((n + 1)); [ $n -lt 100 ] || { echo "never: $*"; exit 9; }; sleep 0.1; done
}
"""


def can_unshare() -> bool:
    return subprocess.run([*NAMESPACES, "true"], capture_output=True, timeout=20, check=False).returncode == 0


class Init(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="overseer-init-")
        self.addCleanup(folder.cleanup)
        self.config = Path(folder.name, "overseer.conf")
        self.config.write_text("[overseer]\ngate = none\n", "ascii")

    def run_init(self, script: str, *options: str) -> subprocess.CompletedProcess[str]:
        prepared = [*NAMESPACES, "sh", "-c", PREPARE, "init", str(OVERSEER), "--config", str(self.config)]
        words = [*prepared, *(options or ("--init", "sh", "-c", LIBRARY + script))]
        return subprocess.run(words, capture_output=True, text=True, timeout=50, check=False, stdin=subprocess.DEVNULL)

    def test_command_starts_once_the_overseer_runs_and_its_end_is_that_of_the_machine(self) -> None:
        done = self.run_init('overseer >/dev/null && [ -S /run/sysgenid/overseer.sock ] && echo "ready $$ ${NOTIFY_SOCKET-none}"; exit 3')
        self.assertRegex(done.stdout, r"^ready \d+ none\n$", done.stderr)
        self.assertIn("the command ended, exit status 3", done.stderr)

    def test_orphans_are_reaped(self) -> None:
        done = self.run_init("""
            (sleep 0.1 & echo $! >/run/orphan)
            gone() { [ ! -e /proc/$(cat /run/orphan) ]; }
            until_true gone && echo reaped""")
        self.assertEqual(done.stdout, "reaped\n", done.stderr)

    def test_overseer_that_is_killed_is_started_again(self) -> None:
        done = self.run_init("""
            old=$(overseer)
            kill -9 $old
            another() { new=$(overseer) && [ "$new" != "$old" ] && [ -S /run/sysgenid/overseer.sock ]; }
            until_true another && echo again""")
        self.assertEqual(done.stdout, "again\n", done.stderr)

    def test_what_ignores_sigterm_does_not_keep_the_machine(self) -> None:
        done = self.run_init("sh -c 'trap \"\" TERM; sleep 30; sleep 30' & echo started")
        self.assertEqual(done.stdout, "started\n", done.stderr)

    def test_command_that_is_not_there_ends_the_machine(self) -> None:
        done = self.run_init("", "--init", "/nonexistent/agent")
        self.assertIn("/nonexistent/agent: No such file or directory", done.stderr)
        self.assertIn("exit status 127", done.stderr)

    def test_wrong_use_is_refused(self) -> None:
        self.assertEqual(self.run_init("", "--init").returncode, 2)
        alone = subprocess.run([OVERSEER, "--init", "true"], capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(alone.returncode, 2)
        self.assertIn("first process", alone.stderr)


if __name__ == "__main__":
    if os.getuid() or not can_unshare():
        print("NOT TESTED: no namespaces here")
        sys.exit(77)
    unittest.main()
