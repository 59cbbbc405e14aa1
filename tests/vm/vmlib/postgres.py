# SPDX-License-Identifier: MIT
"""A PostgreSQL server on this host's loopback, for one test: a cluster of its own, that nobody but it sees.

    with Postgres(`t.folder`) as server:
        server.create("shop", schema)
        vm.spawn("client", "env", *server.environment("shop"), "client")
        server.ask("shop", "SELECT count(*) FROM orders")
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from .limits import ToolError, run_tool, wait_until

ACCOUNT = "postgres"
PROGRAMS = "/usr/lib/postgresql"
# How a guest with network="host" reaches the loopback of this host.
HOST = "10.0.2.2"
START_LIMIT = 60.0
QUERY_LIMIT = 60.0
PORT_TRIES = 5
# The superuser comes in from this host as the account itself, the owners of databases through TCP.
ACCESS = f"local all {ACCOUNT} peer\nhost all {ACCOUNT} all reject\nhost all all 127.0.0.1/32 trust\n"
CONFIG = "listen_addresses = '127.0.0.1'\nfsync = off\nmax_connections = 50\nshared_buffers = 16MB\n"


def _programs() -> Path:
    found = sorted(Path(PROGRAMS).glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise ToolError(f"there is no PostgreSQL in {PROGRAMS} (scripts/setup installs it)")
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Postgres:
    """Runs while in its context, and not longer than this process. The directory must be its own, and is left to
    others to remove."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "postgres"
        self._programs = _programs()
        self._server: subprocess.Popen[bytes] | None = None
        self.port = 0

    def _as_account(self, program: str, *words: str) -> list[str | Path]:
        identity = [f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups"]
        return ["setpriv", *identity, "--pdeathsig", "QUIT", "--", self._programs / program, *words]

    def __enter__(self) -> Self:
        self._folder.mkdir()
        shutil.chown(self._folder, ACCOUNT, ACCOUNT)
        for parent in self._folder.parents:
            if parent.stat().st_mode & 0o011 != 0o011:
                parent.chmod(parent.stat().st_mode | 0o011)
        data = str(self._folder / "data")
        run_tool(self._as_account("initdb", "-D", data, "-N", "-A", "peer", "-E", "UTF8", "--locale=C"), 120, "initdb")
        (self._folder / "data" / "pg_hba.conf").write_text(ACCESS, "ascii")
        with (self._folder / "data" / "postgresql.conf").open("a", encoding="ascii") as config:
            config.write(CONFIG)
        for _ in range(PORT_TRIES):
            if self._start(data):
                return self
        raise ToolError(f"PostgreSQL does not start:\n{(self._folder / 'log').read_text('utf-8')[-2000:]}")

    def _start(self, data: str) -> bool:
        """On a port that is free now, and may not be any more."""
        self.port = _free_port()
        with (self._folder / "log").open("ab") as log:
            command = self._as_account("postgres", "-D", data, "-p", str(self.port), "-k", str(self._folder))
            # In a session of its own: the end of this process tells it to end in order, and nobody kills it.
            self._server = server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

        def ready() -> bool:
            if server.poll() is not None:
                return True
            # Of its own cluster: the socket is in its directory.
            command = self._as_account("pg_isready", "-q", "-h", str(self._folder), "-p", str(self.port))
            return subprocess.run(command, check=False).returncode == 0

        wait_until(ready, START_LIMIT, "PostgreSQL to start", interval=0.05)
        return server.poll() is None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait()

    def _psql(self, database: str, *words: str) -> str:
        where = ["-h", str(self._folder), "-p", str(self.port), "-d", database]
        command = self._as_account("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *where, *words)
        return run_tool(command, QUERY_LIMIT, f"psql {words[-1]}")

    def create(self, name: str, schema: str) -> None:
        """A role, and its database with what these statements make."""
        self._psql(ACCOUNT, "-c", f"CREATE ROLE {name} LOGIN")
        self._psql(ACCOUNT, "-c", f"CREATE DATABASE {name} OWNER {name}")
        self._psql(name, "-c", f"SET ROLE {name}; {schema}")

    def environment(self, name: str) -> list[str]:
        """What a client in a guest needs to find this database."""
        return [f"PGHOST={HOST}", f"PGPORT={self.port}", f"PGUSER={name}", f"PGDATABASE={name}"]

    def ask(self, name: str, query: str) -> list[str]:
        """The lines of an answer, columns between |."""
        return self._psql(name, "-c", query).splitlines()

    def wait_for_clients(self, name: str) -> None:
        """Until nobody is connected to the database any more, and what they had sent is done."""
        query = f"SELECT 1 FROM pg_stat_activity WHERE usename = '{name}'"
        wait_until(lambda: not self.ask(name, query), 60, "PostgreSQL to have done with its clients", interval=0.02)
