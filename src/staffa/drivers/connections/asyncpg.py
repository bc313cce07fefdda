"""asyncpg connections of users, direct or from their pool."""

from __future__ import annotations

from typing import Any, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from staffa.drivers.failures import translated_errors
from staffa.engine import Statement
from staffa.errors import ConfigError

T = TypeVar("T")


async def run(connection: Any, statement: Statement[T]) -> T:
    """Run a statement on an asyncpg connection."""
    if not isinstance(connection, asyncpg.Connection | PoolConnectionProxy):
        raise ConfigError(
            f"conn= is an asyncpg {type(connection).__name__}: give a connection, for example "
            "from pool.acquire()"
        )
    with translated_errors():
        rows = await connection.fetch(statement.sql, *statement.params)
    return statement.decode(rows)
