"""Up makes what is missing, down removes what up made, and both may be repeated."""

from __future__ import annotations

import asyncpg
import pytest

from staffa.client.backend import make_migrator
from staffa.errors import DatabaseError, MigrationError
from staffa.migrate import Migrator
from tests.migrations.catalogue import read_catalogue, read_schemas
from tests.support.database import with_database

HOSTILE = ['a"b', "Ünï cödé", "it's", "select", "$1", '"', "a.b", "%s {} \\ :x", "x" * 49]


async def test_up_applies_every_step_and_a_second_one_none(migrator: Migrator) -> None:
    assert tuple(await migrator.up()) == migrator.migrations
    assert await migrator.up() == []
    status = await migrator.status()
    assert (status.applied, status.pending) == (migrator.migrations, ())
    assert (status.version, status.foreign) == (len(migrator.migrations), False)


async def test_a_schema_without_anything_has_everything_pending(migrator: Migrator) -> None:
    status = await migrator.status()
    assert (status.applied, status.pending) == ((), migrator.migrations)
    assert (status.version, status.foreign) == (0, False)


async def test_status_changes_nothing(migrator: Migrator, connection: asyncpg.Connection) -> None:
    await migrator.status()
    assert migrator.prefix not in await read_schemas(connection)


async def test_steps_are_taken_one_by_one_up_and_down(
    migrator: Migrator, connection: asyncpg.Connection
) -> None:
    catalogues = []
    for step in migrator.migrations:
        assert await migrator.up(step.version) == [step]
        assert (await migrator.status()).version == step.version
        catalogues.append(await read_catalogue(connection, migrator.prefix))
    for step in reversed(migrator.migrations):
        assert await read_catalogue(connection, migrator.prefix) == catalogues.pop()
        assert await migrator.down(step.version - 1) == [step]
        assert (await migrator.status()).version == step.version - 1


async def test_down_to_nothing_leaves_the_catalogue_as_it_was(
    migrator: Migrator, connection: asyncpg.Connection
) -> None:
    quoted = await connection.fetchval("SELECT quote_ident($1::text)", migrator.prefix)
    await connection.execute(f"CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.users (id int)")
    schemas = await read_schemas(connection)
    before = await read_catalogue(connection, migrator.prefix)
    await migrator.up()
    assert await read_catalogue(connection, migrator.prefix) != before
    assert tuple(await migrator.down(0)) == migrator.migrations[::-1]
    assert await read_catalogue(connection, migrator.prefix) == before
    assert await read_schemas(connection) == schemas
    assert await migrator.down(0) == []


async def test_what_came_down_goes_up_again(
    migrator: Migrator, connection: asyncpg.Connection
) -> None:
    await migrator.up()
    before = await read_catalogue(connection, migrator.prefix)
    await migrator.down(0)
    assert tuple(await migrator.up()) == migrator.migrations
    assert await read_catalogue(connection, migrator.prefix) == before


async def test_down_where_nothing_is_does_nothing(
    migrator: Migrator, connection: asyncpg.Connection
) -> None:
    assert await migrator.down(0) == []
    assert migrator.prefix not in await read_schemas(connection)


async def test_bookkeeping_without_steps_is_removed_as_well(
    migrator: Migrator, connection: asyncpg.Connection
) -> None:
    await migrator.up(0)
    assert await migrator.down(0) == []
    assert await read_catalogue(connection, migrator.prefix) == []


async def test_jobs_survive_a_step_down_and_up_of_what_only_speeds_them_up(
    migrator: Migrator, connection: asyncpg.Connection
) -> None:
    await migrator.up()
    quoted = await connection.fetchval("SELECT quote_ident($1::text)", migrator.prefix)
    await connection.execute(f"INSERT INTO {quoted}.oban_jobs (worker) VALUES ('tests.Worker')")
    await migrator.down(1)
    await migrator.up()
    assert await connection.fetchval(f"SELECT count(*) FROM {quoted}.oban_jobs") == 1


@pytest.mark.parametrize("version", [-1, 99])
async def test_a_version_that_does_not_exist_is_refused(migrator: Migrator, version: int) -> None:
    with pytest.raises(MigrationError, match="there is no version"):
        await migrator.up(version)
    with pytest.raises(MigrationError, match="there is no version"):
        await migrator.down(version)


@pytest.mark.parametrize("prefix", HOSTILE)
async def test_every_name_of_a_schema_works(
    dsn: str, connection: asyncpg.Connection, prefix: str
) -> None:
    migrator = make_migrator(dsn, prefix)
    schemas = await read_schemas(connection)
    try:
        assert tuple(await migrator.up()) == migrator.migrations
        assert await read_schemas(connection) - schemas == {prefix}
        assert (await migrator.status()).pending == ()
        await migrator.down(0)
        assert await read_catalogue(connection, prefix) == []
    finally:
        quoted = '"' + prefix.replace('"', '""') + '"'
        await connection.execute(f"DROP SCHEMA IF EXISTS {quoted} CASCADE")


async def test_a_database_that_does_not_exist_is_told(dsn: str) -> None:
    with pytest.raises(DatabaseError, match="does not exist"):
        await make_migrator(with_database(dsn, "no such database"), "public").status()
