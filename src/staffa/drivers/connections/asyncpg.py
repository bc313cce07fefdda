"""asyncpg connections of users, direct or from their pool."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from staffa.drivers.connections.joining import Awaited, AwaitedSteps, Rows
from staffa.drivers.failures import translated_errors
from staffa.engine import Dialect, Statement
from staffa.errors import ConfigError


def join(connection: Any) -> Awaited:
    """Return an asyncpg connection.

    Raises:
        ConfigError: If it is something else of asyncpg.
    """
    if not isinstance(connection, asyncpg.Connection | PoolConnectionProxy):
        raise ConfigError(
            f"conn= is an asyncpg {type(connection).__name__}: give a connection, for example "
            "from pool.acquire()"
        )
    return AsyncpgConnection(connection)


class AsyncpgConnection(AwaitedSteps):
    """An asyncpg connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        """PostgreSQL."""
        return "postgres"

    def joins(self) -> bool:
        """Tell whether a transaction is open."""
        with self.failures():
            return bool(self._connection.is_in_transaction())

    def failures(self) -> AbstractContextManager[object]:
        """Return what raises asyncpg's errors as ours."""
        return translated_errors()

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """Begin a transaction."""
        begun = self._connection.transaction(isolation="read_committed")
        return cast("AbstractAsyncContextManager[object]", begun)

    async def execute(self, statement: Statement[Any]) -> Rows:
        """Run a statement."""
        rows = await self._connection.fetch(statement.sql, *statement.params)
        return cast("Rows", rows)
