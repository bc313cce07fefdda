"""The server and the databases of the tests.

``STAFFA_TEST_DSN`` names a server on which databases may be made; without it an embedded PostgreSQL
is started, which the processes of one run share. Each process of a run has a database of its own,
each test a schema of its own, whose name needs quoting on purpose.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from staffa._internal.identifiers import quote_identifier
from staffa.embedded import EmbeddedPostgres

PROJECT = Path(__file__).parents[2]


@contextmanager
def running_server() -> Iterator[str]:
    """Yield the DSN of a server's maintenance database."""
    given = os.environ.get("STAFFA_TEST_DSN")
    if given:
        yield given
        return
    project = PROJECT / ".staffa" / "tests"
    project.mkdir(parents=True, exist_ok=True)
    server = EmbeddedPostgres(project, durable=False)
    dsn = server.start()
    try:
        yield dsn
    finally:
        server.stop()


async def create_database(server_dsn: str, *, template: str | None = None) -> str:
    """Create an empty database, and return its DSN."""
    name = f"staffa_test_{uuid.uuid4().hex[:12]}"
    suffix = f" TEMPLATE {quote_identifier(template)}" if template else ""
    await _execute(server_dsn, f"CREATE DATABASE {name}{suffix}")
    return with_database(server_dsn, name)


async def drop_database(server_dsn: str, dsn: str) -> None:
    """Drop a database, whoever is connected to it."""
    name = urlsplit(dsn).path.removeprefix("/")
    await _execute(server_dsn, f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")


def with_database(dsn: str, name: str) -> str:
    """Return a DSN of the same server for another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


async def create_role(
    connection: asyncpg.Connection, dsn: str, options: str = ""
) -> tuple[str, str]:
    """Make a role that may log in, and return its name and the way to the database as it."""
    role = f"staffa_test_{uuid.uuid4().hex[:8]}"
    parts = urlsplit(dsn)
    await connection.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD '{parts.password or role}' {options}"
    )
    account, _, place = parts.netloc.rpartition("@")
    own = account.replace(parts.username or "", role, 1)
    return role, urlunsplit(parts._replace(netloc=f"{own}@{place}"))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
