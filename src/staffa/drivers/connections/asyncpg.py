"""asyncpg connections of users, direct or from their pool."""

from __future__ import annotations

from typing import Any, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from staffa.drivers.failures import translated_errors
from staffa.engine import Statements
from staffa.errors import ConfigError

T = TypeVar("T")


async def run(connection: Any, statements: Statements[T]) -> T:
    """Run statements on an asyncpg connection."""
    if not isinstance(connection, asyncpg.Connection | PoolConnectionProxy):
        raise ConfigError(
            f"conn= is an asyncpg {type(connection).__name__}: give a connection, for example "
            "from pool.acquire()"
        )
    with translated_errors():
        if len(statements.parts) == 1 or connection.is_in_transaction():
            return await _run_all(connection, statements)
        async with connection.transaction(isolation="read_committed"):
            return await _run_all(connection, statements)


async def _run_all(connection: Any, statements: Statements[T]) -> T:
    results = []
    for part in statements.parts:
        statement = part()
        rows = await connection.fetch(statement.sql, *statement.params)
        results.append(statement.decode(rows))
    return statements.combine(results)
