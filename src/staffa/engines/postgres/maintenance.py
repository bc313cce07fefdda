"""What needs the owner of the tables: indexes are looked at, rebuilt and dropped beside their use.

Each command goes over a connection of its own, outside a transaction, as PostgreSQL asks for it,
and without a limit on its time: a large index takes minutes. But it waits for a lock, or for
transactions that are older than itself, no longer than `LOCK_SECONDS`: meanwhile no vacuum can run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from staffa._internal.sql import load_sql
from staffa.drivers.asyncpg import ConnectionSettings, Session, open_session
from staffa.engine import Statement
from staffa.errors import ConfigError
from staffa.maintenance import IndexSize, VacuumHealth

LOCK_SECONDS = 300


def maintenance_settings(dsn: str) -> ConnectionSettings:
    """Return how the owner of the tables connects."""
    settings = {
        "application_name": "staffa maintenance",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "statement_timeout": "0",
        "idle_session_timeout": "0",
    }
    return ConnectionSettings(dsn, settings)


def check_vacuum(prefix: str) -> Statement[VacuumHealth]:
    """Read what vacuums have left of the jobs table."""
    return Statement(
        _text("vacuum"),
        (prefix,),
        lambda rows: (
            VacuumHealth(**rows[0])
            if rows
            else VacuumHealth(live=0, dead=0, vacuumed_at=None, oldest_snapshot=None)
        ),
    )


class PostgresMaintenance:
    """The indexes of one schema.

    Args:
        settings: Where the owner of the tables connects, directly.
        prefix: The schema.
    """

    def __init__(self, settings: ConnectionSettings, prefix: str) -> None:
        self._settings = settings
        self._prefix = prefix

    async def read_indexes(self) -> list[IndexSize]:
        """Read the indexes of our tables."""
        async with self._session() as session:
            rows = await session.fetch(_text("indexes"), self._prefix)
        return [IndexSize(**row) for row in rows]

    async def rebuild_index(self, name: str) -> None:
        """Build an index anew beside its use."""
        await self._command("rebuild", name)

    async def drop_index(self, name: str) -> None:
        """Drop an index beside the use of its table."""
        await self._command("drop", name)

    async def _command(self, verb: str, name: str) -> None:
        async with self._session() as session:
            (row,) = await session.fetch(_text("commands"), self._prefix, name)
            await session.execute(row[verb])

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        if await self._settings.is_pooled():
            raise ConfigError(
                "indexes can't be rebuilt through a pooler: give maintenance_dsn a direct "
                "connection to PostgreSQL"
            )
        async with open_session(self._settings) as session:
            yield session


def _text(name: str) -> str:
    return load_sql("staffa.engines.postgres", f"catalogue/{name}.sql", "public")
