"""Whose schema it is decides what may be done to it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from importlib.resources import files

import asyncpg
import pytest

from staffa.drivers.asyncpg import ConnectionSettings
from staffa.errors import DatabaseError, MigrationError
from staffa.migrate import Migrator
from tests.migrations.catalogue import read_catalogue, read_schemas

PACKAGE = "staffa.engines.postgres"
NAMES = [entry.name for entry in files(PACKAGE).joinpath("migrations").iterdir()]


@pytest.fixture
async def role(connection: asyncpg.Connection) -> AsyncIterator[str]:
    """A role that may do nothing but what it owns."""
    name = f"staffa_test_{uuid.uuid4().hex[:12]}"
    await connection.execute(f"CREATE ROLE {name}")
    yield name
    await connection.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


@pytest.fixture
def limited(dsn: str, role: str, empty_prefix: str) -> Migrator:
    """The migrations, run by that role."""
    return Migrator(ConnectionSettings(dsn, {"role": role}), PACKAGE, NAMES, empty_prefix)


async def quote(connection: asyncpg.Connection, name: str) -> str:
    quoted: str = await connection.fetchval("SELECT quote_ident($1::text)", name)
    return quoted


async def test_the_owner_of_a_schema_needs_no_rights_on_the_database(
    limited: Migrator, role: str, connection: asyncpg.Connection
) -> None:
    quoted = await quote(connection, limited.prefix)
    await connection.execute(f"CREATE SCHEMA {quoted} AUTHORIZATION {role}")
    assert tuple(await limited.up()) == limited.migrations
    assert tuple(await limited.down(0)) == limited.migrations[::-1]
    assert await read_catalogue(connection, limited.prefix) == []


async def test_a_schema_that_can_not_be_made_is_told_and_nothing_is_left(
    limited: Migrator, connection: asyncpg.Connection
) -> None:
    with pytest.raises(DatabaseError, match="permission denied"):
        await limited.up()
    assert limited.prefix not in await read_schemas(connection)


async def test_a_schema_of_another_owner_is_refused_by_the_database(
    limited: Migrator, connection: asyncpg.Connection
) -> None:
    await connection.execute(f"CREATE SCHEMA {await quote(connection, limited.prefix)}")
    with pytest.raises(DatabaseError, match="permission denied"):
        await limited.up()
    assert await read_catalogue(connection, limited.prefix) == []


@pytest.mark.parametrize("bookkeeping", [False, True])
async def test_a_jobs_table_that_staffa_did_not_make_is_refused_and_left_alone(
    migrator: Migrator, connection: asyncpg.Connection, bookkeeping: bool
) -> None:
    if bookkeeping:
        await migrator.up(0)
    quoted = await quote(connection, migrator.prefix)
    await connection.execute(
        f"CREATE SCHEMA IF NOT EXISTS {quoted};"
        f"CREATE TABLE {quoted}.oban_jobs (id bigserial PRIMARY KEY);"
        f"COMMENT ON TABLE {quoted}.oban_jobs IS '14'"
    )
    before = await read_catalogue(connection, migrator.prefix)
    assert (await migrator.status()).foreign
    with pytest.raises(MigrationError, match="oban_jobs that Staffa did not make"):
        await migrator.up()
    assert await read_catalogue(connection, migrator.prefix) == before


async def test_down_does_not_touch_the_jobs_table_of_another(
    migrator: Migrator, connection: asyncpg.Connection
) -> None:
    quoted = await quote(connection, migrator.prefix)
    await connection.execute(f"CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.oban_jobs (id int)")
    before = await read_catalogue(connection, migrator.prefix)
    assert await migrator.down(0) == []
    assert await read_catalogue(connection, migrator.prefix) == before
