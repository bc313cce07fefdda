"""Several deployments may migrate at the same moment."""

from __future__ import annotations

import asyncio

import asyncpg

from staffa.client.backend import make_migrator
from staffa.migrate import Migrator
from tests.migrations.catalogue import read_catalogue
from tests.support.events import eventually


async def test_each_step_is_taken_by_one_of_many(
    dsn: str, migrator: Migrator, connection: asyncpg.Connection
) -> None:
    for _ in range(5):
        others = [make_migrator(dsn, migrator.prefix) for _ in range(6)]
        taken = await asyncio.gather(*(other.up() for other in others))
        assert sorted(step.version for steps in taken for step in steps) == [
            step.version for step in migrator.migrations
        ]
        quoted = await connection.fetchval("SELECT quote_ident($1::text)", migrator.prefix)
        await connection.execute(f"DROP SCHEMA {quoted} CASCADE")


async def test_each_step_is_taken_back_by_one_of_many(
    dsn: str, migrator: Migrator, connection: asyncpg.Connection
) -> None:
    for _ in range(5):
        await migrator.up()
        others = [make_migrator(dsn, migrator.prefix) for _ in range(4)]
        taken = await asyncio.gather(*(other.down(0) for other in others))
        assert sorted(step.version for steps in taken for step in steps) == [
            step.version for step in migrator.migrations
        ]
        assert await read_catalogue(connection, migrator.prefix) == []


async def test_a_second_migration_waits_for_the_first(
    dsn: str, migrator: Migrator, connection: asyncpg.Connection
) -> None:
    await migrator.up(1)
    quoted = await connection.fetchval("SELECT quote_ident($1::text)", migrator.prefix)
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {quoted}.staffa_migrations IN EXCLUSIVE MODE")
        waiting = asyncio.create_task(migrator.up())

        async def is_refused() -> bool:
            assert not waiting.done()
            await connection.execute("SELECT pg_stat_clear_snapshot()")
            found: bool = await connection.fetchval(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
                " AND state = 'idle in transaction' AND query LIKE 'ROLLBACK TO%')"
            )
            return found

        await eventually(is_refused, "the second one to wait")
        assert (await migrator.status()).version == 1  # a reader need not wait
    assert await waiting == list(migrator.migrations[1:])
