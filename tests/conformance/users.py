"""Connections that users have opened themselves, one class for each way to get one.

Another library joins the suite as one more entry of `KINDS`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import psycopg

Opened = AbstractAsyncContextManager["UserConnection"]


class UserConnection:
    """A connection of a user, and how its library begins a transaction.

    Args:
        raw: What the user gives as `conn=`.
    """

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """Begin a transaction, or a savepoint inside of one; rolled back on errors."""
        begun: AbstractAsyncContextManager[object] = self.raw.transaction()
        return begun


@asynccontextmanager
async def open_direct(dsn: str) -> AsyncIterator[UserConnection]:
    """Connect directly."""
    connection = await asyncpg.connect(dsn)
    yield UserConnection(connection)
    await connection.close()


@asynccontextmanager
async def open_pooled(dsn: str) -> AsyncIterator[UserConnection]:
    """Acquire a connection of a pool."""
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as pool, pool.acquire() as proxy:
        yield UserConnection(proxy)


@asynccontextmanager
async def open_with_codecs(dsn: str) -> AsyncIterator[UserConnection]:
    """Connect, and have JSON decoded, as many applications do it."""
    connection = await asyncpg.connect(dsn, server_settings={"timezone": "Asia/Kathmandu"})
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
    yield UserConnection(connection)
    await connection.close()


@asynccontextmanager
async def open_psycopg(dsn: str) -> AsyncIterator[UserConnection]:
    """Connect with psycopg, in autocommit."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        yield UserConnection(connection)


KINDS: dict[str, Callable[[str], Opened]] = {
    "asyncpg": open_direct,
    "asyncpg pool": open_pooled,
    "asyncpg with codecs": open_with_codecs,
    "psycopg": open_psycopg,
}
