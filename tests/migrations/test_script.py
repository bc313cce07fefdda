"""The script of all steps, for those whose migrations are run by other tools."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from staffa.client.backend import make_migrator
from staffa.migrate import Migrator
from tests.migrations.catalogue import read_catalogue
from tests.migrations.test_up_and_down import HOSTILE
from tests.support.services import require_program

RunScript = Callable[[str, str], Awaitable[None]]


async def run_by_psql(dsn: str, script: str) -> None:
    psql = require_program("psql")
    ran = subprocess.run(  # noqa: ASYNC221  # nothing else runs meanwhile
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", dsn],
        input=script,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


async def run_by_asyncpg(dsn: str, script: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


@pytest.mark.parametrize("run", [run_by_psql, run_by_asyncpg])
async def test_the_script_makes_what_up_makes(
    dsn: str, migrator: Migrator, connection: asyncpg.Connection, run: RunScript
) -> None:
    await migrator.up()
    expected = await read_catalogue(connection, migrator.prefix)
    quoted = await connection.fetchval("SELECT quote_ident($1::text)", migrator.prefix)
    await connection.execute(f"DROP SCHEMA {quoted} CASCADE")
    await run(dsn, migrator.sql())
    assert await read_catalogue(connection, migrator.prefix) == expected
    status = await migrator.status()
    assert (status.applied, status.pending) == (migrator.migrations, ())
    assert await migrator.up() == []
    await migrator.down(0)
    assert await read_catalogue(connection, migrator.prefix) == []


@pytest.mark.parametrize("prefix", HOSTILE)
async def test_the_script_quotes_every_name_of_a_schema(
    dsn: str, connection: asyncpg.Connection, prefix: str
) -> None:
    migrator = make_migrator(dsn, prefix)
    quoted = '"' + prefix.replace('"', '""') + '"'
    try:
        await run_by_psql(dsn, migrator.sql())
        assert (await migrator.status()).applied == migrator.migrations
    finally:
        await connection.execute(f"DROP SCHEMA IF EXISTS {quoted} CASCADE")


async def test_a_script_that_fails_leaves_nothing(
    dsn: str, migrator: Migrator, connection: asyncpg.Connection
) -> None:
    quoted = await connection.fetchval("SELECT quote_ident($1::text)", migrator.prefix)
    await connection.execute(f"CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.oban_jobs (id int)")
    before = await read_catalogue(connection, migrator.prefix)
    with pytest.raises(asyncpg.DuplicateTableError):
        await run_by_asyncpg(dsn, migrator.sql())
    assert await read_catalogue(connection, migrator.prefix) == before
