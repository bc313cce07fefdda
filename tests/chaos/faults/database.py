"""What happens to the database."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

import asyncpg

from staffa._internal.identifiers import quote_identifier
from tests.chaos.faults.fault import Fault
from tests.chaos.world import World


class CrashDatabase(Fault):
    """An immediate stop of PostgreSQL, and its start after a while."""

    name = "database crashed"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.seconds = random.uniform(0.0, 2.0)

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.outage():
            await world.server.crash()
            await asyncio.sleep(self.seconds)
            await world.server.start()
        return True


class TerminateBackends(Fault):
    """`pg_terminate_backend` of some connections, whoever's they are."""

    name = "connections terminated"
    weight = 15

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.share = random.choice([0.2, 0.5, 1.0])

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.connection() as connection:
            if connection is None:
                return False
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                rows = await connection.fetch(
                    "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend' AND datname = current_database()"
                )
                chosen = [row["pid"] for row in rows if self.random.random() < self.share]
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", chosen
                )
                return bool(chosen)
        return False


class LoseListeners(Fault):
    """The connections that listen are ended: notifications are lost until they are back."""

    name = "listeners terminated"

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.connection() as connection:
            if connection is None:
                return False
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return bool(
                    await connection.fetchval(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                        " WHERE query ILIKE 'LISTEN%' AND datname = current_database()"
                    )
                )
        return False


class HoldLocks(Fault):
    """A stranger's transaction holds rows of jobs, or the whole table."""

    name = "locks held"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.whole = random.random() < 0.3
        self.seconds = random.uniform(0.3, 2.0)

    async def inject(self, world: World) -> bool:
        """Inject."""
        jobs = f"{quote_identifier(world.prefix)}.oban_jobs"
        statement = (
            f"LOCK TABLE {jobs} IN SHARE ROW EXCLUSIVE MODE"
            if self.whole
            else f"SELECT FROM {jobs} WHERE state NOT IN ('completed', 'cancelled', 'discarded')"
            " ORDER BY id LIMIT 50 FOR UPDATE"
        )
        async with world.outage(), world.connection() as connection:
            if connection is None:
                return False
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with connection.transaction():
                    await connection.execute(statement)
                    await asyncio.sleep(self.seconds)
                return True
        return False
