"""The servers of a run: a durable PostgreSQL of its own, and a Redis where there is one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench.environments import FOLDER
from staffa.embedded import EmbeddedPostgres

_TICKS = os.sysconf("SC_CLK_TCK")


class Postgres:
    """A server that keeps what it has committed, with its settings as they come.

    Args:
        dsn: Its maintenance database.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection = psycopg.connect(dsn, autocommit=True)
        row = self._one("SELECT pg_postmaster_start_time()::text, version()")
        self.version: str = str(row[1]).split(" on ")[0]
        folder = self._one("SHOW data_directory")[0]
        self._postmaster = int((Path(str(folder)) / "postmaster.pid").read_text().split()[0])

    def dsn(self, name: str) -> str:
        """Return how to connect to a database."""
        return urlunsplit(urlsplit(self._dsn)._replace(path=f"/{name}"))

    def create(self, name: str, template: str | None = None) -> str:
        """Make a database anew, and return its DSN."""
        self.drop(name)
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template or "template1")
        )
        self._connection.execute(made)
        return self.dsn(name)

    def drop(self, name: str) -> None:
        """Drop a database, if it is there."""
        dropped = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        self._connection.execute(dropped)

    def settle(self) -> None:
        """Write what waits to be written, so that one run does not pay for another."""
        self._connection.execute("CHECKPOINT")

    def analyze(self, name: str) -> None:
        """Vacuum a database and gather its statistics, as hours of running would have."""
        with psycopg.connect(self.dsn(name), autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")

    def count(self, name: str, statement: str) -> int:
        """Return the number that a statement finds."""
        with psycopg.connect(self.dsn(name), autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
        return int(row[0]) if row else 0

    def transactions(self, name: str) -> int:
        """Return how many transactions a database has seen."""
        self._connection.execute("SELECT pg_stat_clear_snapshot()")
        statement = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
        row = self._connection.execute(statement, [name]).fetchone()
        return int(row[0]) if row else 0

    def cpu_seconds(self) -> float:
        """Return what the server's processes have computed, the ended ones included."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text("utf-8").rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended, and counts among the postmaster's children
            if int(stat.parent.name) == self._postmaster:
                total += sum(map(int, fields[11:15]))
            elif int(fields[1]) == self._postmaster:
                total += sum(map(int, fields[11:13]))
        return total / _TICKS

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _one(self, statement: str) -> tuple[object, ...]:
        row = self._connection.execute(statement.encode()).fetchone()
        assert row is not None, statement
        return row


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start the server."""
    folder = FOLDER / "server"
    folder.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(folder) as dsn:
        server = Postgres(dsn)
        try:
            yield server
        finally:
            server.close()


@contextmanager
def running_redis() -> Iterator[str | None]:
    """Start a Redis that keeps each write on disk within a second, if it is installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder, socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
        found.close()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        server = subprocess.Popen(
            [program, *options, "--appendonly", "yes", "--save", ""], stdout=subprocess.DEVNULL
        )
        _wait(port)
        yield f"redis://127.0.0.1:{port}/0"
        server.terminate()
        server.wait()


def _wait(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"Redis does not answer on port {port}")
